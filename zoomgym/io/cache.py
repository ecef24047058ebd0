"""Keeps files that can be made again: written atomically, and removed when they take too much."""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs

from zoomgym.errors import TaskError
from zoomgym.io.files import PART, whole_file
from zoomgym.io.hints import reason

CACHE_VARIABLE = "ZOOMGYM_CACHE"
MAX_BYTES = 10 * 1024**3
DAY_S = 24 * 3600
"""Age of an unfinished file that a killed process left. Also how often the use of a file is noted:
each note makes the file another one to `video`."""


def cache_folder(part: str, cache_dir: str | Path | None = None) -> Path:
    """Returns a part's folder in cache_dir, else in ZOOMGYM_CACHE, else in the user's cache."""
    named = cache_dir or os.environ.get(CACHE_VARIABLE)
    return Path(named or platformdirs.user_cache_dir("zoomgym")) / part


def cached_file(
    path: Path,
    make: Callable[[Path], None],
    max_bytes: int = MAX_BYTES,
    *,
    is_right: Callable[[Path], bool] = lambda path: True,
) -> Path:
    """Returns path, which make writes if no file is there, or not the right one.

    Then removes the files beside it that were used longest ago until all fit into max_bytes.
    """
    if _is_file(path) and is_right(path):
        found = path.stat()
        if time.time() - found.st_atime > DAY_S:
            with suppress(OSError):  # somebody else's file, or a disk that is only read
                os.utime(path, ns=(time.time_ns(), found.st_mtime_ns))  # used now: it goes last
        return path
    _write(path, make)
    _shrink(path, max_bytes)
    return path


def written_file(path: Path, make: Callable[[Path], None]) -> Path:
    """Returns path, which make writes if no file is there. Raises TaskError."""
    if not _is_file(path):
        _write(path, make)
    return path


def _write(path: Path, make: Callable[[Path], None]) -> None:
    """Has make write path, whole or not at all. Raises TaskError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a name that no folder can have
        raise _unwritable(path.parent, error) from error
    try:
        with whole_file(path) as part:
            part.touch(exist_ok=False)
            make(part)
    except OSError as error:
        raise _unwritable(path.parent, error) from error


def _unwritable(folder: Path, error: Exception) -> TaskError:
    """Returns the error about a folder into which a file could not be written as a whole."""
    return TaskError(
        f"{folder}: needed a folder to write synthetic videos to, got {reason(error)}: make room, "
        f"or name another folder by cache_dir or {CACHE_VARIABLE}"
    )


def _is_file(path: Path) -> bool:
    """Returns whether there is a file at path; False for a link, or where nobody may look."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def _shrink(kept: Path, max_bytes: int) -> None:
    """Removes the files beside kept that were used longest ago, until all fit into max_bytes."""
    files = []
    for path in kept.parent.glob(f"*{kept.suffix}"):
        try:
            found = path.lstat()
        except OSError:  # another process was faster, or the file is somebody else's
            continue
        if not path.name.startswith(PART):
            files.append((found.st_atime_ns, found.st_size, path))
        elif time.time() - found.st_mtime > DAY_S:
            _remove(path)
    excess = sum(num_bytes for _, num_bytes, _ in files) - max_bytes
    for _, num_bytes, path in sorted(files):
        if excess <= 0:
            break
        if path != kept and _remove(path):
            excess -= num_bytes


def _remove(path: Path) -> bool:
    """Removes a file, which may be another user's. Returns whether it is gone."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True
