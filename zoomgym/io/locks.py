"""Files as locks between processes; that of a killed process is free again."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import lock_descriptor, unlock_descriptor

from zoomgym.io.files import open_own


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Holds a file as a lock, and tells whether it does: not, if another process holds it.

    Args:
        path: of the file, which is made, and stays.

    Raises:
        OSError: the file cannot be made, or something else is there: a link to a file of others.
    """
    with open_own(path, "ab") as file:
        is_held = lock_descriptor(file.fileno(), blocking=False)
        try:
            yield is_held
        finally:  # by hand: a process forked meanwhile holds the file open too
            if is_held:
                unlock_descriptor(file.fileno())
