"""Models that several arms of a study share, trained once, and how a training went."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean

from filelock import FileLock

from benchmarks.studies.plan import Cell, Curve, OfTraining
from zoomgym.records import Record, read_records

MADE = "made"
"""File that is written last into a shared folder, and holds the amounts of the study."""
FAILED = "failed"
"""File beside a shared folder: why it cannot be made."""
CURVE = "curve.jsonl"
OVERALL = "accuracy"
"""Name of the accuracy over all families in a curve."""


class NotLearnedError(Exception):
    """A model did not learn what a study needs it to."""


class OtherAmountsError(ValueError):
    """A folder holds models or episodes that a study made with other amounts than it has now."""


def shared_folder(folder: Path, cell: Cell, name: str) -> Path:
    """Returns the folder of something that all arms of a seed share.

    Args:
        folder: of the cell.
        cell: of any of the arms.
        name: of what is shared.
    """
    return folder.parents[1] / "shared" / f"{name}-{cell.seed}"


def folder_name(arm: str) -> str:
    """Returns what the folder with the cells of an arm is called."""
    return arm.replace(", ", "-").replace(" ", "_")


def folder_of_arm(folder: Path, cell: Cell, arm: str) -> Path:
    """Returns the folder of the cell of another arm with the same seed.

    Args:
        folder: of the cell.
        cell: of one arm.
        arm: the other one.
    """
    return folder.parents[1] / folder_name(arm) / str(cell.seed)


def made_once(folder: Path, make: Callable[[Path], object], amounts: object) -> Path:
    """Returns a folder in which something was made; makes it if no other process does.

    What was left half made by a process that was stopped is made again. What was not learned is
    not tried again: it would come out the same.

    Args:
        folder: that is returned.
        make: makes it, and fills it.
        amounts: of the study, or of this part of it. What was made with others is refused.

    Raises:
        NotLearnedError: now or before, a model did not learn enough.
        OtherAmountsError: the folder was made with other amounts.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    failed = folder.with_name(f"{folder.name}.{FAILED}")
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if failed.exists():
            raise NotLearnedError(failed.read_text("utf-8"))
        if (folder / MADE).exists():
            check_amounts(folder, (folder / MADE).read_text("utf-8"), repr(amounts), folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            try:
                make(folder)
            except NotLearnedError as error:
                failed.write_text(f"{error}; to try this one again, delete {failed}", "utf-8")
                raise NotLearnedError(failed.read_text("utf-8")) from error
            (folder / MADE).write_text(repr(amounts), "utf-8")
    return folder


def check_amounts(path: Path, found: str, wanted: str, folder: Path) -> None:
    """Raises OtherAmountsError if a file or folder has other amounts than a study.

    Args:
        path: of the file or folder.
        found: its amounts.
        wanted: those of the study.
        folder: to delete if they differ.
    """
    if found != wanted:
        raise OtherAmountsError(
            f"{path} needs the amounts {wanted}, got {found}: choose another --out, or delete "
            f"{folder}"
        )


def write_curve(folder: Path, stages: Sequence[Path]) -> None:
    """Writes how a training by GRPO went into the folder of a cell: means of every step.

    Only the last stage has means: those before played other tasks, or with other tools.

    Args:
        folder: of the cell.
        stages: folders in which the training kept the episodes of each step, one after the other.
    """
    files = [sorted(stage.glob("*.jsonl")) for stage in stages]
    steps: list[dict[str, float]] = [{} for own in files[:-1] for _ in own]
    steps += [means_by_family(list(read_records(file))) for file in files[-1]]
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"step": index + 1, **means}) for index, means in enumerate(steps)]
    (folder / CURVE).write_text("\n".join(lines), encoding="ascii")


def means_by_family(records: Sequence[Record]) -> dict[str, float]:
    """Returns the accuracy of episodes, and by family of tasks their accuracy and zooms."""
    found = {OVERALL: round(fmean(one.reward_parts.accuracy for one in records), 4)}
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


def first_step(name: str, more_than: float, width: int, *, lasts: bool = False) -> OfTraining:
    """Returns the measure of how soon a training is good.

    It is the first step at which the mean of so many steps, this and those before it, is above a
    bound. A training that never gets there counts as one step longer than it was.

    Args:
        name: of a mean in the curve.
        more_than: the bound.
        width: steps whose mean is taken.
        lasts: whether the means of all later steps have to be above the bound, too.
    """

    def measure(curve: Curve) -> float | None:
        known = [step for step in curve if name in step]
        if not known:
            return None
        ends = range(width, len(known) + 1)
        good = [fmean(one[name] for one in known[end - width : end]) > more_than for end in ends]
        never = curve[-1]["step"] + 1
        for end, is_good in zip(ends, good, strict=True):
            if is_good and (not lasts or all(good[end - width :])):
                return float(known[end - 1]["step"])
        return float(never)

    return OfTraining(measure)
