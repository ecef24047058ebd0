"""Models that several arms of a study share, trained once."""

import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from benchmarks.studies.plan import Cell

MADE = "made"
"""File that is written last into a shared folder."""


def shared_folder(folder: Path, cell: Cell, name: str) -> Path:
    """Returns the folder of something that all arms of a seed share.

    Args:
        folder: of the cell.
        cell: of any of the arms.
        name: of what is shared.
    """
    return folder.parents[1] / "shared" / f"{name}-{cell.seed}"


def made_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """Returns a folder in which something was made; makes it if no other process does.

    What was left half made by a process that was stopped is made again.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not (folder / MADE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            (folder / MADE).touch()
    return folder
