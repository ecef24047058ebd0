"""Models that several arms of a study share, trained once, and how a training went."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from filelock import FileLock

from benchmarks.studies.plan import Cell
from zoomgym.records import Record, read_records

MADE = "made"
"""File that is written last into a shared folder."""
CURVE = "curve.jsonl"


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


def write_curve(folder: Path, episodes: Path) -> None:
    """Writes how a training by GRPO went into the folder of a cell: means of every step.

    Args:
        folder: of the cell.
        episodes: folder in which the training kept the episodes of each step.
    """
    steps = [means_by_family(list(read_records(file))) for file in sorted(episodes.glob("*.jsonl"))]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"step": index + 1, **means}) for index, means in enumerate(steps)]
    (folder / CURVE).write_text("\n".join(lines), encoding="ascii")


def means_by_family(records: Sequence[Record]) -> dict[str, float]:
    """Returns the accuracy and the zooms of episodes, by family of tasks."""
    found = {}
    for family in sorted({record.task.category for record in records}):
        own = [one.reward_parts for one in records if one.task.category == family]
        found[f"accuracy, {family}"] = round(fmean(one.accuracy for one in own), 4)
        found[f"zooms, {family}"] = round(fmean(one.zoom_cost for one in own), 4)
    return found


def read_curve(folder: Path) -> list[dict[str, float]]:
    """Returns what `write_curve` wrote into the folder of a cell; nothing if it did not."""
    path = folder / CURVE
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
