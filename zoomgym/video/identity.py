"""Which file a path means right now: what was learnt of one file is not used for another."""

import hashlib
import stat
from pathlib import Path
from typing import NamedTuple

from zoomgym.errors import VideoError
from zoomgym.io.files import open_named
from zoomgym.io.messages import reason

__all__ = ["FileKey", "content_hash", "identify", "is_current"]

BLOCK_BYTES = 1 << 20


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


def is_current(key: FileKey) -> bool:
    """Returns whether the path of key still means the same file, unchanged."""
    try:
        return identify(key.path) == key
    except VideoError:
        return False


def content_hash(key: FileKey) -> bytes:
    """Returns the SHA-256 of a file, which its copies share. Reads all of it.

    Raises:
        VideoError: it cannot be read, or is another file by now.
    """
    digest = hashlib.sha256()
    try:
        with open_named(key.path) as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise VideoError(f"{key.path}: needed a readable file ({error}): check it") from error
    if not is_current(key):
        raise VideoError(f"{key.path}: needed a file that stays, it was replaced: ask again")
    return digest.digest()
