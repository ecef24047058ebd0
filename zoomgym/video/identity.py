"""Identifies the file at a path, so that facts about one are not used for another."""

import stat
from pathlib import Path
from typing import NamedTuple

from zoomgym.errors import VideoError
from zoomgym.io import reason


class FileKey(NamedTuple):
    """A file, by its absolute path, in its current state: a replaced file has another key."""

    path: Path
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
        found_none = f"{path}: needed a video file, found none ({reason(error)}): check its name"
        raise VideoError(found_none) from error
    if not stat.S_ISREG(found.st_mode):
        raise VideoError(f"{path}: needed a regular file, got something else: name one file")
    if found.st_size == 0:
        raise VideoError(f"{path}: needed a video file, got 0 bytes: download or copy it again")
    times = (found.st_mtime_ns, found.st_ctime_ns)
    return FileKey(path.absolute(), found.st_size, *times, found.st_dev, found.st_ino)
