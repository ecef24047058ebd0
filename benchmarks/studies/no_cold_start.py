"""Can a curriculum take the place of a cold start?

All learners get the same number of steps of GRPO, and differ in what they know before: nothing
(random weights); how replies are written; or, after a cold start, how to solve the tasks (school).
Two of those that can only write get help: a bonus for right answers after a zoom on the evidence,
or videos that grow.
"""

import math
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from agents.qwen.model.tiny import save_tiny
from benchmarks.evaluation.metrics import ACCURACY
from benchmarks.figures import CHANCE, STYLE
from benchmarks.studies.drawing import draw_curves, draw_mean
from benchmarks.studies.learning import first_step, made_once, shared_folder
from benchmarks.studies.plan import FULL, QUICK, Cell, Contrast, Results, Study
from benchmarks.studies.pupils import (
    QUICK_SCHOOL,
    SCHOOL,
    School,
    learn,
    play_tests,
    reinforced,
    schooled,
    show,
)
from benchmarks.studies.small_tasks import ANYWHERE, Guide, small_env, small_tasks
from zoomgym.records import Record
from zoomgym.tasks import NUM_OPTIONS

RANDOM, WRITES, GROUNDED, GROWING, SCHOOLED = ARMS = (
    "random weights",
    "can write",
    "can write, grounding",
    "can write, growing videos",
    "cold start",
)
MAX_TURNS = 2
ENV = small_env("small_flash", MAX_TURNS)
WIDTH = 9
"""Steps over which accuracy in training is measured."""
CHANCE_RATE = 1 / NUM_OPTIONS
ABOVE_CHANCE = CHANCE_RATE + 1.96 * math.sqrt(CHANCE_RATE * (1 - CHANCE_RATE) / (WIDTH * 8))
"""Accuracy whose 95% interval leaves out chance, of so many steps of eight tasks. Episodes of one
task may all be alike, as those of a model that always gives the same answer are."""
GROWTH = (3, 5, 8)
"""Gaps of the videos of a curriculum, which have a frame more in their overviews."""


@dataclass(frozen=True, slots=True)
class NoColdStartAmounts:
    """Amounts of a size. A step of GRPO learns from 64 episodes."""

    school: School
    num_shown: int
    """Demonstrations of how replies are written, of an expert that sees nothing."""
    num_steps: int
    """All steps of GRPO: those of a curriculum share them."""
    num_tasks: int


def play(
    cell: Cell, amounts: NoColdStartAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the tests of a learner after GRPO."""
    with small_tasks():
        start = _started(cell, amounts, folder)
        model = reinforced(folder, start, cell.seed, amounts.num_steps, _stages(cell.arm))
        yield from play_tests(model, ENV, cell, amounts.num_tasks, played)


def _started(cell: Cell, amounts: NoColdStartAmounts, folder: Path) -> Path:
    """Returns the model before GRPO."""
    if cell.arm == SCHOOLED:
        return schooled(folder, cell, amounts.school)
    can_write = cell.arm != RANDOM

    def make(place: Path) -> None:
        save_tiny(place / "start", "mini", seed=cell.seed)
        if can_write:
            file = place / "written.jsonl"
            show(file, ENV, Guide(ANYWHERE, habit="blind"), cell.seed, range(amounts.num_shown))
            learn(place / "start", file, place / "model", cell.seed, 4, 2e-3)

    name = "writes" if can_write else "random"
    place = made_once(shared_folder(folder, cell, name), make, amounts)
    return place / ("model" if can_write else "start")


def _stages(arm: str) -> list[dict[str, Any]]:
    """Returns the environments of GRPO, one after the other."""
    if arm == GROWING:
        return [small_env("small_flash", MAX_TURNS, num_gaps) for num_gaps in GROWTH]
    return [{**ENV, "reward_weights": {"grounding": 0.5}} if arm == GROUNDED else ENV]


def draw(results: Results) -> Figure:
    """Returns accuracy in tests, and in training by step."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        tests, steps = figure.subplots(1, 2, sharey=True)
        for number, arm in enumerate(ARMS):
            draw_mean(tests, number, results.by_seed(arm, ACCURACY.of), number)
            draw_curves(steps, results, arm, "accuracy, small_flash", number, arm)
        for axes in (tests, steps):
            axes.axhline(CHANCE_RATE, **CHANCE)
        tests.set_xticks(range(len(ARMS)), [name.replace(", ", ",\n") for name in ARMS], fontsize=7)
        tests.set_title("accuracy after GRPO")
        steps.set_title("accuracy in training")
        steps.set_ylim(0, 1.02)
        steps.legend(fontsize=7)
    return figure


STUDY = Study(
    name="no_cold_start",
    title="Can a curriculum take the place of a cold start?",
    claim="Without supervised fine-tuning, a curriculum is enough to learn zooming.",
    source="open question 1 of arXiv 2512.22315",
    refuted_by="growing videos that leave answers no better than guesses, or than without them",
    cannot_show="A released model can see and read before it is trained, which of these learners "
    "only the one with a cold start can. Much longer runs may find what these do not.",
    arms=ARMS,
    measures={
        "accuracy": ACCURACY.of,
        "zooms": lambda record: record.reward_parts.zoom_cost,
        "format": lambda record: record.reward_parts.format,
        "step from which on it is above chance": first_step(
            "accuracy, small_flash", ABOVE_CHANCE, WIDTH, lasts=True
        ),
    },
    contrasts=(
        *(
            Contrast(
                f"{arm[0].upper()}{arm[1:]}: better than guessing by 0.05",
                "accuracy",
                arm,
                None,
                CHANCE_RATE + 0.05,
            )
            for arm in ARMS[:-1]
        ),
        Contrast("Growing videos help one that can only write", "accuracy", GROWING, WRITES, 0.05),
        Contrast(
            "A bonus for zooms on the evidence helps one that can only write",
            "accuracy",
            GROUNDED,
            WRITES,
            0.05,
        ),
        Contrast("A cold start is better than growing videos", "accuracy", SCHOOLED, GROWING, 0.05),
    ),
    sizes={
        FULL: NoColdStartAmounts(SCHOOL, num_shown=480, num_steps=60, num_tasks=200),
        QUICK: NoColdStartAmounts(QUICK_SCHOOL, num_shown=120, num_steps=9, num_tasks=60),
    },
    play=play,
    draw=draw,
)
