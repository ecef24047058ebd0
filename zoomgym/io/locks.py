"""Files as locks between processes: who is killed has given back what he held."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoomgym.io.files import open_own

__all__ = ["locked"]

if sys.platform == "win32":
    import msvcrt

    def _take(handle: int, is_waiting: bool) -> bool:
        """Takes a file for this process, and returns whether it has it now."""
        try:
            msvcrt.locking(handle, msvcrt.LK_LOCK if is_waiting else msvcrt.LK_NBLCK, 1)
        except OSError:
            if is_waiting:
                raise
            return False
        return True

    def _give_back(handle: int) -> None:
        """Gives back a file of this process."""
        msvcrt.locking(handle, msvcrt.LK_UNLCK, 1)
else:
    import fcntl

    def _take(handle: int, is_waiting: bool) -> bool:
        """Takes a file for this process, and returns whether it has it now."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if is_waiting else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _give_back(handle: int) -> None:
        """Gives back a file of this process."""
        fcntl.flock(handle, fcntl.LOCK_UN)


@contextmanager
def locked(path: Path, *, is_waiting: bool = True) -> Iterator[bool]:
    """Holds a file as a lock, and tells whether it does: not, if another holds it.

    Args:
        path: of the file, which is made, and stays.
        is_waiting: whether to wait until nobody else holds it.

    Raises:
        OSError: the file cannot be made, or something else is there: a link to a file of others.
    """
    with open_own(path, "ab") as file:
        is_held = _take(file.fileno(), is_waiting)
        try:
            yield is_held
        finally:  # by hand: a process forked meanwhile holds the file open too
            if is_held:
                _give_back(file.fileno())
