"""Locks files between processes; the lock of a killed process is free again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from zoomgym.io.files import open_own


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Locks a file, which is made and stays. Yields False if another process holds the lock.

    Raises OSError if the file cannot be made, or is a link.
    """
    with open_own(path, "ab") as file:
        is_held = lock_descriptor(file.fileno(), blocking=False)
        try:
            yield is_held
        finally:  # by hand: a process forked meanwhile holds the file open too
            if is_held:
                unlock_descriptor(file.fileno())
