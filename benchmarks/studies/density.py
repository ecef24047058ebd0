"""Does the first glance limit what can be found in very long video?

A video shows an event, or several alike, at random times. For as long as one lasts, an amber beacon
is lit, and a symbol shows for the middle eighth of it: so a glance at an event leads to it, and one
zoom reads it. All else is noise. *Glances* are how many frames of the overview are expected to fall
on an event.
"""

import math
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agents.registry import make_agent
from benchmarks.evaluation.metrics import ACCURACY, missed, shown_in
from benchmarks.evaluation.statistics import wilson
from benchmarks.figures import COLORS, MARKERS, STYLE
from benchmarks.studies.plan import FULL, QUICK, Cell, Contrast, Measure, Results, Study
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules import Segment
from zoomgym.tasks import (
    AMBER,
    FAMILIES,
    FPS,
    NUM_OPTIONS,
    Beacon,
    Family,
    Plan,
    Puzzle,
    Sign,
)

QUESTION = "Whenever the amber beacon is lit, one symbol shows meanwhile. Which symbol is it?"
SHARE_SHOWN = 8
"""A symbol shows for one part in so many of its event."""
LONG_S = 3600.0
NUM_CLIP_FRAMES = 64
"""Frames for zooms, whatever the overview costs."""
LENGTHS_S = (60, 600, 3600, 36_000)
EVENTS_S = (1, 4, 16, 64, 256)
NUM_EVENTS = (1, 4)
SIZES = (0, 4, 16, 64, 256)
AGENTS = ("coarse_to_fine", "uniform")
MOST_FILLED = 0.5
"""Most of a video that its events may fill."""


@dataclass(frozen=True, slots=True)
class DensityAmounts:
    """DensityAmounts of a size."""

    num_tasks: int
    """Tasks of each kind of video and seed."""
    lengths_s: tuple[int, ...] = LENGTHS_S


@dataclass(frozen=True, slots=True)
class Glimpse:
    """A kind of event: how long it lasts, and how often it happens."""

    event_s: int
    count: int

    @property
    def family(self) -> str:
        """Name of its family of tasks."""
        return f"glimpse{self.event_s}sx{self.count}"

    def draw(self, plan: Plan) -> Puzzle:
        """Draws events at random times, with one symbol: which?"""
        length = self.event_s * FPS
        slack = plan.num_frames - self.count * length
        offsets = np.sort(plan.rng.integers(0, slack + 1, self.count)).tolist()
        names, left = plan.symbols(), plan.left()
        shown = max(2, length // SHARE_SHOWN)
        beacons, signs = [], []
        for index, offset in enumerate(offsets):
            first = offset + index * length
            beacons.append(Beacon(first, first + length, AMBER))
            start = first + (length - shown) // 2
            signs.append(Sign(start, start + shown, names[0], left))
        evidence = tuple(Segment(one.first / FPS, one.end / FPS) for one in beacons)
        scene = plan.scene(beacons, signs)
        return Puzzle(scene, QUESTION, names[0], tuple(names[1:NUM_OPTIONS]), evidence)


GLIMPSES = {
    one.family: one for one in (Glimpse(event_s, k) for event_s in EVENTS_S for k in NUM_EVENTS)
}


@contextmanager
def glimpses() -> Iterator[None]:
    """Adds all kinds of events to the families of tasks, while they are played."""
    FAMILIES.update({name: Family(one.draw, QUESTION) for name, one in GLIMPSES.items()})
    try:
        yield
    finally:
        for name in GLIMPSES:
            del FAMILIES[name]


def arm_of(selector: str, num_overview: int, agent: str) -> str:
    """Returns the name of an arm."""
    return f"{selector} {num_overview}, {agent}"


ARMS = (
    *(arm_of("uniform", size, agent) for agent in AGENTS for size in SIZES),
    *(arm_of("change", size, "coarse_to_fine") for size in SIZES[1:]),
)


# Playing ------------------------------------------------------------------------------------------


def play(
    cell: Cell, amounts: DensityAmounts, folder: Path, played: AbstractSet[str]
) -> Iterator[Record]:
    """Yields the episodes of an agent with an overview on all kinds of video."""
    how, name = cell.arm.split(", ")
    selector, size = how.split()
    agent = make_agent(name)
    with glimpses():
        for length_s in amounts.lengths_s:
            kinds = [one for one in GLIMPSES.values() if _fits(one, length_s)]
            for kind in kinds:
                env = ZoomEnv(
                    f"synthetic:{kind.family}",
                    duration_s=length_s,
                    source="scene",
                    split="test",
                    overview=selector,
                    num_overview=int(size),
                    frame_budget=int(size) + NUM_CLIP_FRAMES,
                    max_pixels=112 * 112,
                    frame_size=(8, 8),
                )
                first = cell.seed * amounts.num_tasks
                ids = [env.tasks[first + k].id for k in range(amounts.num_tasks)]
                task_ids = [one for one in ids if one not in played]
                yield from run_episodes(
                    env, agent, agent_name=cell.arm, task_ids=task_ids, seed=cell.seed
                )
                env.close()


def _fits(kind: Glimpse, length_s: float) -> bool:
    return kind.event_s * kind.count <= MOST_FILLED * length_s


# Measures -----------------------------------------------------------------------------------------


def glances(record: Record) -> float:
    """Returns how many overview frames are expected on an event, were its time random."""
    shown_s = sum(end_s - start_s for start_s, end_s in record.task.evidence)
    return record.rules.overview_sizes[0] * shown_s / record.duration_s


def is_glanced(record: Record) -> float:
    """Returns whether a frame of the overview fell on an event."""
    return float(len(missed(record, [])) < len(record.task.evidence))


def chance_of_glance(record: Record) -> float:
    """Returns the probability that a uniform overview falls on an event, were its time random.

    An event that is as long as half a step is met half the time. Events are taken for independent.
    """
    [num_frames] = record.rules.overview_sizes
    if num_frames == 0:
        return 0.0
    step_s = record.duration_s / max(1, num_frames - 1)
    gaps = [min(1.0, (end_s - start_s) / step_s) for start_s, end_s in record.task.evidence]
    return 1 - math.prod(1 - one for one in gaps)


def _is_long(record: Record) -> bool:
    return record.duration_s > LONG_S - 1


def _accuracy(record: Record) -> float | None:
    return ACCURACY.of(record)


def _seen(record: Record) -> bool:
    """Returns whether any event was shown, in the overview or in a clip."""
    return len(missed(record, shown_in(record))) < len(record.task.evidence)


MEASURES = {
    "accuracy": _accuracy,
    "accuracy from an hour on": lambda record: _accuracy(record) if _is_long(record) else None,
    "accuracy from an hour on, glanced": lambda record: (
        _accuracy(record) if _is_long(record) and is_glanced(record) else None
    ),
    "accuracy from an hour on, not glanced": lambda record: (
        _accuracy(record) if _is_long(record) and not is_glanced(record) else None
    ),
    "failures of search": lambda record: None if _accuracy(record) else float(not _seen(record)),
    "glanced": is_glanced,
    "glanced minus expected": lambda record: is_glanced(record) - chance_of_glance(record),
}


# The picture --------------------------------------------------------------------------------------

EDGES = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 1000.0)
"""Numbers of glances between which episodes are pooled."""


def draw(results: Results) -> Figure:
    """Returns accuracy, and the share of videos that were glanced, by the number of glances."""
    with rc_context(STYLE):
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        families = {"uniform overview": "uniform", "overview by change": "change"}
        for number, (label, selector) in enumerate(families.items()):
            names = [arm for arm in ARMS if arm.startswith(selector) and "coarse" in arm]
            records = [one for arm in names for one in results.of(arm)]
            _curve(left, records, is_glanced, label, number)
            _curve(right, records, _accuracy, f"coarse_to_fine, {label}", number)
        uniform = [one for arm in ARMS if arm.startswith("uniform") for one in results.of(arm)]
        spread = [one for one in uniform if one.agent.endswith(", uniform")]
        _curve(right, spread, _accuracy, "uniform, uniform overview", 2)
        _curve(left, [one for one in uniform if glances(one)], chance_of_glance, "expected", None)
        left.set_title("The overview shows an event")
        right.set_title("The answer is right")
        right.axhline(1 / NUM_OPTIONS, color="#888888", linestyle="--", linewidth=1)
        for axes in (left, right):
            axes.set_xscale("log")
            axes.set_xlabel("glances: expected overview frames on an event")
            axes.set_ylim(0, 1.02)
            axes.legend(loc="upper left")
    return figure


def _curve(
    axes: Axes, records: Sequence[Record], measure: Measure, label: str, number: int | None
) -> None:
    """Adds the means of a measure, with 95% intervals of tasks, by the number of glances.

    Without a number, which says how they look, it is what is expected: a line.
    """
    points = []
    for low, high in pairwise(EDGES):
        own = [one for one in records if low < glances(one) <= high]
        values = [value for one in own if (value := measure(one)) is not None]
        if values:
            middle = math.exp(np.mean([math.log(glances(one)) for one in own]))
            points.append((middle, wilson(values)))
    if number is None:
        line = [(middle, one.mean) for middle, one in points]
        axes.plot(*zip(*line, strict=True), color="#888888", linewidth=1, label=label)
    elif points:
        x = [middle for middle, _ in points]
        y = [one.mean for _, one in points]
        below = [one.mean - one.low for _, one in points]
        above = [one.high - one.mean for _, one in points]
        axes.errorbar(
            x, y, yerr=[below, above], color=COLORS[number], marker=MARKERS[number], markersize=4,
            linewidth=1.2, label=label,
        )  # fmt: skip


STUDY = Study(
    name="density",
    title="Does the first glance limit very long video?",
    claim="An agent finds a brief event in very long video only if its first glance shows a trace "
    "of it: zooms cannot make up for a glance that is too sparse.",
    source="open question 2 of arXiv 2512.22315: whether a uniform first glance is enough for "
    "ultra-long video",
    refuted_by="accuracy from an hour on that a denser overview does not raise, or that is as high "
    "where the overview missed the event",
    cannot_show="Agents are heuristics that read symbols well; a 7B also misreads. Real video has "
    "traces of an event elsewhere (a scene, a score, a voice); here there are none.",
    arms=ARMS,
    measures=MEASURES,
    contrasts=(
        Contrast(
            "From an hour on, an overview of 256 frames gives a higher accuracy than one of 16",
            "accuracy from an hour on",
            arm_of("uniform", 256, "coarse_to_fine"),
            arm_of("uniform", 16, "coarse_to_fine"),
            0.05,
        ),
        Contrast(
            "From an hour on, what 64 frames have glanced at is read",
            "accuracy from an hour on, glanced",
            arm_of("uniform", 64, "coarse_to_fine"),
            more_than=0.9,
        ),
        Contrast(
            "From an hour on, zooms still find something where 64 frames missed it "
            "(above chance, 0.25, by 0.05)",
            "accuracy from an hour on, not glanced",
            arm_of("uniform", 64, "coarse_to_fine"),
            more_than=0.30,
        ),
        Contrast(
            "Failures are failures of search: in more than 0.9 of them, no event was ever shown",
            "failures of search",
            arm_of("uniform", 64, "coarse_to_fine"),
            more_than=0.9,
        ),
        Contrast(
            "64 frames picked by change glance at more than 64 even ones",
            "glanced",
            arm_of("change", 64, "coarse_to_fine"),
            arm_of("uniform", 64, "coarse_to_fine"),
            0.02,
        ),
    ),
    sizes={
        FULL: DensityAmounts(num_tasks=8),
        QUICK: DensityAmounts(num_tasks=2, lengths_s=(60, 3600)),
    },
    play=play,
    draw=draw,
)
