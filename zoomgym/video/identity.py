"""Which file a path means right now: what was learned of one file is not used for another."""

import stat
from pathlib import Path
from typing import NamedTuple

from zoomgym.errors import VideoError
from zoomgym.io import reason


class FileKey(NamedTuple):
    """A file in the state in which it was found; once it is replaced, its key is another."""

    path: Path
    """Absolute."""
    num_bytes: int
    mtime_ns: int
    ctime_ns: int
    """Changes with the content, even if `cp -p` or `touch` sets mtime to what it was."""
    device: int
    inode: int


def identify(path: Path) -> FileKey:
    """Returns the key of path. Raises VideoError unless it is a regular file with data in it."""
    try:
        found = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        why = reason(error)
        raise VideoError(
            f"{path}: needed a video file, found none ({why}): check its name"
        ) from error
    if not stat.S_ISREG(found.st_mode):
        raise VideoError(f"{path}: needed a regular file, got something else: name one file")
    if found.st_size == 0:
        raise VideoError(f"{path}: needed a video file, got 0 bytes: download or copy it again")
    return FileKey(
        path.absolute(),
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_dev,
        found.st_ino,
    )
