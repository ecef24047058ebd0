"""A bounded folder of files that can be made again: written atomically, the oldest go first."""

import os
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from zoomgym.errors import TaskError
from zoomgym.hints import reason

__all__ = ["CACHE_VARIABLE", "cached_file", "default_cache_dir", "written_file"]

CACHE_VARIABLE = "ZOOMGYM_CACHE"
MAX_BYTES = 10 * 1024**3
PART = ".part-"
DEAD_AFTER_S = 24 * 3600
"""A part that was begun so long ago belongs to a process that was killed."""


def default_cache_dir() -> Path:
    """Returns the folder named by ZOOMGYM_CACHE, or else the user's cache folder."""
    return Path(os.environ.get(CACHE_VARIABLE) or platformdirs.user_cache_dir("zoomgym"))


def cached_file(path: Path, make: Callable[[Path], None], max_bytes: int = MAX_BYTES) -> Path:
    """Returns path, which make writes if it does not stand there yet.

    Afterwards the files beside it that were used longest ago are removed, until all fit into
    max_bytes.
    """
    if _is_file(path):
        written_ns = path.stat().st_mtime_ns  # stays: frames are remembered by it
        with suppress(OSError):  # somebody else's file, or a disk that is only read
            os.utime(path, ns=(time.time_ns(), written_ns))  # used now: it goes last
        return path
    written_file(path, make)
    _shrink(path, max_bytes)
    return path


def written_file(path: Path, make: Callable[[Path], None]) -> Path:
    """Returns path, which make writes if it does not stand there yet.

    Several processes may ask at once: each writes a file of its own, and the last one stays. An
    interrupted make leaves nothing behind.

    Raises:
        TaskError: the folder cannot be written to, or the disk is full.
    """
    if _is_file(path):
        return path
    part = path.with_name(f"{PART}{os.getpid()}-{uuid.uuid4().hex}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
    except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
        raise _unwritable(path.parent, error) from error
    try:
        make(part)
        part.replace(path)
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    finally:
        part.unlink(missing_ok=True)
    return path


def _unwritable(folder: Path, error: Exception) -> TaskError:
    """Returns the error about a folder into which a file could not be written as a whole."""
    return TaskError(
        f"{folder}: needed a folder to write synthetic videos to, got {reason(error)}: make room, "
        f"or name another folder by cache_dir or {CACHE_VARIABLE}"
    )


def _is_file(path: Path) -> bool:
    """Returns whether there is a file at path; not if nobody may look there."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _shrink(kept: Path, max_bytes: int) -> None:
    """Removes the files beside kept that were used longest ago, until all fit into max_bytes."""
    files = []
    for path in kept.parent.glob(f"*{kept.suffix}"):
        try:
            found = path.stat()
        except OSError:  # another process was faster, or the file is somebody else's
            continue
        if not path.name.startswith(PART):
            files.append((found.st_atime_ns, found.st_size, path))
        elif time.time() - found.st_mtime > DEAD_AFTER_S:
            _remove(path)
    excess = sum(num_bytes for _, num_bytes, _ in files) - max_bytes
    for _, num_bytes, path in sorted(files):
        if excess <= 0:
            break
        if path != kept and _remove(path):
            excess -= num_bytes


def _remove(path: Path) -> bool:
    """Removes a file, and returns whether it is gone: it may be somebody else's."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
