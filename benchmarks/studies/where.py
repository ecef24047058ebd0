"""Does reinforcement learning teach where to look, or only how to write?

A small model reads and writes well, but its last demonstrations have looked beside the right place
more often than not, and so does it. GRPO then pays as in the paper, for right answers above all, or
for well-formed replies alone. All are tested on other tasks, where what counts is the first zoom:
also on tasks in which nothing leads to the evidence, which nobody can learn.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from benchmarks.evaluation.metrics import ACCURACY
from benchmarks.figures import CHANCE, STYLE
from benchmarks.studies.drawing import draw_curves, draw_mean
from benchmarks.studies.learning import made_once, shared_folder
from benchmarks.studies.plan import FULL, GPU, QUICK, Cell, Contrast, Results, Study
from benchmarks.studies.pupils import (
    FIRST_OF_COLD_START,
    GPU_SCHOOL,
    QUICK_SCHOOL,
    SCHOOL,
    School,
    learn,
    play_tests,
    reinforced,
    schooled,
    show,
)
from benchmarks.studies.small_tasks import (
    LED,
    Guide,
    first_zoom_on_evidence,
    has_zoomed,
    in_family,
    small_env,
    small_tasks,
)
from zoomgym.records import Record

BEFORE, FORMAT_ALONE, GRPO = "cold start", "format alone", "GRPO"
FAMILIES = ("small_flash", "small_order", "small_sparse")
MAX_TURNS = 2
ONLY_FORMAT = {"accuracy": 0.0, "format": 1.0, "tool": 0.0}
"""Weights of a reward that says nothing of where to look."""


@dataclass(frozen=True, slots=True)
class WhereAmounts:
    """Amounts of a size. A step of GRPO learns from 64 episodes."""

    school: School
    num_shown: int
    """Demonstrations of the cold start."""
    num_steps: int
    num_format_steps: int
    """Steps for format alone: soon all groups are flat, which teach nothing."""
    num_tasks: int


def play(
    cell: Cell, amounts: WhereAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the tests of the model before or after one of the rewards."""
    with small_tasks():
        start = _started(cell, amounts, folder, schooled(folder, cell, amounts.school))
        model = start if cell.arm == BEFORE else _reinforced(cell, amounts, folder, start)
        tests = small_env(",".join(FAMILIES), MAX_TURNS, amounts.school.num_gaps)
        yield from play_tests(model, tests, cell, amounts.num_tasks, played)


def _training(amounts: WhereAmounts) -> dict[str, Any]:
    """Returns the arguments of the environment of training."""
    return small_env(LED, MAX_TURNS, amounts.school.num_gaps)


def _started(cell: Cell, amounts: WhereAmounts, folder: Path, school: Path) -> Path:
    """Returns the folder of the model whose demonstrations are off by a gap, to either side."""

    def make(place: Path) -> None:
        file, first = place / "shown.jsonl", FIRST_OF_COLD_START
        own = range(first, first + amounts.num_shown)
        show(file, _training(amounts), Guide(1), cell.seed, own)
        rate = 1e-3 * amounts.school.pace
        learn(school, file, place / "model", cell.seed, num_epochs=2, rate=rate)

    return made_once(shared_folder(folder, cell, "start"), make, amounts) / "model"


def _reinforced(cell: Cell, amounts: WhereAmounts, folder: Path, start: Path) -> Path:
    """Returns the folder of the model after GRPO."""
    is_full = cell.arm == GRPO
    env = _training(amounts)
    if not is_full:
        env["reward_weights"] = ONLY_FORMAT
    num_steps = amounts.num_steps if is_full else amounts.num_format_steps
    return reinforced(folder, start, cell.seed, num_steps, [env], amounts.school.pace)


def draw(results: Results) -> Figure:
    """Returns the first zooms by family, and how GRPO went."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        zooms, steps = figure.subplots(1, 2)
        arms = (BEFORE, FORMAT_ALONE, GRPO)
        for number, arm in enumerate(arms):
            for place, family in enumerate(FAMILIES):
                own = results.by_seed(arm, in_family(first_zoom_on_evidence, family))
                draw_mean(zooms, place + (number - 1) * 0.22, own, number, "" if place else arm)
        zooms.axhline(1 / _num_gaps(results), **CHANCE)
        zooms.set_xticks(range(len(FAMILIES)), [name.removeprefix("small_") for name in FAMILIES])
        zooms.set_ylim(0, 1.02)
        zooms.set_title("first zoom on evidence")
        zooms.legend(loc="upper right")
        for number, family in enumerate(LED.split(",")):
            label = family.removeprefix("small_")
            draw_curves(steps, results, GRPO, f"accuracy, {family}", number, label)
        steps.set_title("GRPO: accuracy in training")
        steps.set_ylim(0, 1.02)
        steps.legend(loc="lower right")
    return figure


def _num_gaps(results: Results) -> int:
    """Returns the gaps of the videos that were played."""
    return len(results.of(BEFORE)[0].episode.overview_s) - 1


STUDY = Study(
    name="where",
    title="Does reinforcement learning teach where to look, or only how to write?",
    claim="Reinforcement learning with the paper's reward teaches where to zoom.",
    source="arXiv 2512.22315, sections 3.2 and 4.3",
    refuted_by="first zooms that are on the evidence no more often after GRPO than before it, or "
    "than after GRPO on well-formed replies alone",
    cannot_show="The overview leads to the evidence by one bright sign, which the model knows from "
    "school: GRPO undoes an error. Whether a 7B learns what leads to an answer in real video is "
    "open.",
    arms=(BEFORE, FORMAT_ALONE, GRPO),
    measures={
        "accuracy": ACCURACY.of,
        "on evidence, led": lambda record: (
            first_zoom_on_evidence(record) if record.task.category in LED.split(",") else None
        ),
        "zoomed": has_zoomed,
        **{
            f"on evidence, {name.removeprefix('small_')}": in_family(first_zoom_on_evidence, name)
            for name in FAMILIES
        },
        "zooms": lambda record: record.reward_parts.zoom_cost,
        "format": lambda record: record.reward_parts.format,
    },
    contrasts=(
        Contrast(
            "After GRPO, first zooms are on the evidence more often (flash)",
            "on evidence, flash",
            GRPO,
            BEFORE,
            0.05,
        ),
        Contrast(
            "After GRPO, first zooms are on the evidence more often (order)",
            "on evidence, order",
            GRPO,
            BEFORE,
            0.05,
        ),
        Contrast(
            "The paper's reward does more than one for format alone (flash, order)",
            "on evidence, led",
            GRPO,
            FORMAT_ALONE,
            0.05,
        ),
        Contrast(
            "Also where nothing in the overview leads to the evidence (sparse)",
            "on evidence, sparse",
            GRPO,
            BEFORE,
            0.05,
        ),
        Contrast("More answers are right", "accuracy", GRPO, BEFORE, 0.05),
    ),
    sizes={
        FULL: WhereAmounts(
            SCHOOL, num_shown=480, num_steps=320, num_format_steps=60, num_tasks=300
        ),
        QUICK: WhereAmounts(
            QUICK_SCHOOL, num_shown=480, num_steps=40, num_format_steps=10, num_tasks=90
        ),
        GPU: WhereAmounts(
            GPU_SCHOOL, num_shown=480, num_steps=320, num_format_steps=60, num_tasks=300
        ),
    },
    play=play,
    draw=draw,
)
