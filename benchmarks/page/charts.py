"""Where everything stands in the charts of a report, in pixels; the template draws it."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from benchmarks.evaluation.metrics import ALL, Row
from benchmarks.evaluation.statistics import Estimate
from zoomgym.rules.episode import Rules

__all__ = [
    "CategoryChart",
    "FramesChart",
    "RulesChart",
    "Scale",
    "category_chart",
    "colour_class",
    "frames_chart",
    "number_agents",
    "rules_chart",
    "shape_path",
    "shorten",
]

WIDTH = 540
HEIGHT = 300
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 22, 42
"""Margins of a plot."""
SLOT = 16
"""From one agent to the next within a category."""
GROUP_GAP = 26
CHAR = 8
"""Width of a character of a label, roughly."""
MAX_LABEL = 24
"""Characters of an agent's label."""
MARK_RADIUS = 7
LABEL_RISES = (-7, 17, -22, 32, -37, 47, -52, 62)
"""Pixels from a mark down to the foot of its label, in the order in which they are tried."""
NUM_TICKS = 6
STEPS = (1, 2, 2.5, 5, 10)
ASIDE = 7
"""Pixels between agents whose marks would else lie on each other."""
SHAPES = (
    "M0-5.2A5.2 5.2 0 1 0 0 5.2A5.2 5.2 0 1 0 0-5.2Z",
    "M-4.6-4.6H4.6V4.6H-4.6Z",
    "M0-6L5.8 4.4H-5.8Z",
    "M0-6.4L6.4 0L0 6.4L-6.4 0Z",
    "M0 6L5.8-4.4H-5.8Z",
)
"""SVG paths about the origin. Five shapes and eight colours tell 40 agents apart."""
COLOURS = (
    ("#0072b2", "#5aaee8"),
    ("#c77700", "#f0a83c"),
    ("#008764", "#2fc79f"),
    ("#c8401b", "#f5794c"),
    ("#b14a8c", "#e28fc3"),
    ("#3a9bd4", "#9bd7f7"),
    ("#6a7079", "#a9b0ba"),
    ("#857500", "#e0d04e"),
)
"""On light and on dark, for colour-blind people too. Source: after Okabe and Ito, 2008."""
NUM_LOOKS = len(SHAPES) * len(COLOURS)
FIXED = (
    *("coarse_to_fine", "uniform", "oracle", "change", "glance", "keyframe", "blind", "random"),
    *("half", "once", "slow", "tutor"),
)
"""Registered agents by their number. The first eight, which are often compared, share no color."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight map from values to pixels."""

    low: float
    high: float
    at_low: float
    at_high: float

    def __call__(self, value: float) -> float:
        """Returns the pixel of value."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.at_low + share * (self.at_high - self.at_low), 1)

    def ticks(self) -> list[float]:
        """Returns round values from low to high."""
        step = _round_step((self.high - self.low) / NUM_TICKS)
        first, last = -(-self.low // step), self.high / step + 1e-9
        return [round(first * step + k * step, 9) for k in range(int(last - first) + 1)]


ACCURACY = Scale(0, 1, HEIGHT - BOTTOM, TOP)


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Returns whether the two have room in common."""
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )

    @property
    def is_within_plot(self) -> bool:
        """Whether it is all to be seen."""
        inside = Box(LEFT, 0, WIDTH, HEIGHT - BOTTOM)
        return (
            inside.left <= self.left
            and inside.top <= self.top
            and self.right <= inside.right
            and self.bottom <= inside.bottom
        )


@dataclass(frozen=True, slots=True)
class Mark:
    """An agent's accuracy in a chart, with its interval."""

    agent: str
    label: str
    num_episodes: int
    accuracy: Estimate
    x: float
    y: float
    low_y: float
    high_y: float


@dataclass(frozen=True, slots=True)
class Group:
    """The marks of one category."""

    category: str
    label: str
    left: float
    right: float
    chance_y: float
    chance: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class CategoryChart:
    """Categories along x, in each its agents."""

    width: int
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """An agent at its mean number of frames, with a label beside it."""

    mark: Mark
    frames: Estimate
    low_x: float
    high_x: float
    label: Box


@dataclass(frozen=True, slots=True)
class FramesChart:
    """Accuracy against frames used."""

    x: Scale
    points: tuple[Point, ...]
    chance_label: Box


@dataclass(frozen=True, slots=True)
class Curve:
    """An agent by what the rules allow, the least first."""

    agent: str
    path: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class RulesChart:
    """Accuracy against the most zooms that the rules allow."""

    labels: tuple[tuple[float, int], ...]
    """Where a number of zooms stands, and the number."""
    curves: tuple[Curve, ...]


def number_agents(agents: Collection[str]) -> dict[str, int]:
    """Returns the number of each agent, which gives it shape and colour: the same on every page.

    It depends on the agent's name alone, unless that would make two agents here look alike.
    """
    numbers = {agent: FIXED.index(agent) for agent in sorted(agents) if agent in FIXED}
    room = NUM_LOOKS - len(FIXED)
    for agent in sorted({*agents} - numbers.keys()):
        digest = hashlib.sha256(agent.encode("utf-8", "surrogatepass")).digest()
        start = int.from_bytes(digest[:8], "big")
        places = [len(FIXED) + (start + step) % room for step in range(room)]
        taken = {*numbers.values()}
        numbers[agent] = next((place for place in places if place not in taken), places[0])
    return numbers


def shape_path(index: int) -> str:
    """Returns the SVG path of the shape of agent number index."""
    return SHAPES[index % len(SHAPES)]


def colour_class(index: int) -> str:
    """Returns the class of the page that gives agent number index its colour."""
    return f"agent-colour-{index % len(COLOURS)}"


def category_chart(
    rows: Sequence[Row], agents: Sequence[str], chances: dict[str, float]
) -> CategoryChart:
    """Returns the chart of accuracy by category.

    Args:
        rows: the leaderboard's.
        agents: their order within each category.
        chances: the accuracy of guessing, by category in the order of the chart.
    """
    wanted = GROUP_GAP + SLOT * len(agents)
    width = max(WIDTH, LEFT + RIGHT + wanted * len(chances))
    room = (width - LEFT - RIGHT) / len(chances)
    by_place = {(row.agent, row.category): row for row in rows}
    groups = []
    for index, (category, chance) in enumerate(chances.items()):
        left = LEFT + index * room
        first_x = left + (room - SLOT * (len(agents) - 1)) / 2
        marks = tuple(
            _mark(by_place[agent, category], round(first_x + place * SLOT, 1))
            for place, agent in enumerate(agents)
            if (agent, category) in by_place
        )
        label = shorten(category or "(none)", int(room / CHAR))
        edges = round(left + 6, 1), round(left + room - 6, 1)
        groups.append(Group(category, label, *edges, ACCURACY(chance), chance, marks))
    return CategoryChart(width, tuple(groups))


def frames_chart(rows: Sequence[Row], chance: float) -> FramesChart:
    """Returns the chart of accuracy against the mean number of frames used, over all tasks.

    Args:
        rows: the leaderboard's.
        chance: the accuracy of guessing.
    """
    pooled = [row for row in rows if row.category == ALL]
    frames = [row.estimates["frames"] for row in pooled]
    x = _frames_scale(min(e.low for e in frames), max(e.high for e in frames))
    marks = [_mark(row, x(row.estimates["frames"].mean)) for row in pooled]
    whiskers = [(x(estimate.low), x(estimate.high)) for estimate in frames]
    taken = [box for mark, ends in zip(marks, whiskers, strict=True) for box in _ink(mark, *ends)]
    chance_label = _place_of_chance(ACCURACY(chance), taken)
    taken.append(chance_label)
    points = []
    for mark, estimate, ends in zip(marks, frames, whiskers, strict=True):
        label = _free_place(mark, taken)
        taken.append(label)
        points.append(Point(mark, estimate, *ends, label))
    return FramesChart(x, tuple(points), chance_label)


def rules_chart(rows_of: Mapping[Rules, Sequence[Row]], agents: Sequence[str]) -> RulesChart | None:
    """Returns the chart of accuracy against the most zooms allowed; None if rules differ otherwise.

    Args:
        rows_of: the leaderboard's rows by each of the rules.
        agents: their order.

    Source: Figure 6 of the paper.
    """
    if len({replace(rules, max_turns=1) for rules in rows_of}) > 1 or len(rows_of) < 2:
        return None
    by_zooms = {
        rules.max_turns - 1: {row.agent: row for row in rows if row.category == ALL}
        for rules, rows in sorted(rows_of.items(), key=lambda item: item[0].max_turns)
    }
    reach = ASIDE * len(agents) / 2 + MARK_RADIUS
    x = Scale(min(by_zooms), max(by_zooms), LEFT + reach, WIDTH - RIGHT - reach)
    curves = []
    for place, agent in enumerate(agents):
        aside = ASIDE * (place - (len(agents) - 1) / 2)
        marks = tuple(
            _mark(rows[agent], round(x(most) + aside, 1))
            for most, rows in by_zooms.items()
            if agent in rows and "accuracy" in rows[agent].estimates
        )
        if marks:
            path = "M" + "L".join(f"{mark.x} {mark.y}" for mark in marks)
            curves.append(Curve(agent, path, marks))
    return RulesChart(tuple((x(most), most) for most in by_zooms), tuple(curves))


def _ink(mark: Mark, low_x: float, high_x: float) -> tuple[Box, Box]:
    """Returns what the whiskers and the middle of a point cover."""
    upright = Box(mark.x - MARK_RADIUS, mark.high_y, mark.x + MARK_RADIUS, mark.low_y)
    flat = Box(
        min(low_x, mark.x - MARK_RADIUS), mark.y - 5, max(high_x, mark.x + MARK_RADIUS), mark.y + 5
    )
    return upright, flat


def _place_of_chance(chance_y: float, taken: Sequence[Box]) -> Box:
    """Returns a place for the label of the line of chance that is not taken, or the last one."""
    for left in (LEFT + 4, WIDTH - RIGHT - 50):
        for top in (chance_y - 16, chance_y + 5):
            place = Box(left, top, left + 46, top + 11)
            if not any(place.meets(box) for box in taken):
                return place
    return place


def _free_place(mark: Mark, taken: Sequence[Box]) -> Box:
    """Returns a place for the label of mark that is not taken, or the last one that was tried."""
    width = CHAR * len(mark.label)
    for rise in LABEL_RISES:
        foot = mark.y + rise
        for left in (mark.x + 10, mark.x - 10 - width):
            place = Box(left, foot - 11, left + width, foot + 2)
            if place.is_within_plot and not any(place.meets(box) for box in taken):
                return place
    return place


def _frames_scale(low: float, high: float) -> Scale:
    """Returns a scale with room about low and high, between round numbers of frames."""
    step = max(1.0, _round_step(max(high - low, 4) / NUM_TICKS))
    left = max(0.0, (low // step - (low % step < step / 4)) * step)
    right = (high // step + 1 + (high % step > step / 2)) * step
    return Scale(left, right, LEFT, WIDTH - RIGHT)


def _round_step(least: float) -> float:
    """Returns the first of 1, 2, 2.5, 5, 10, 20, .. (and their tenths) that is not below least."""
    power = 1.0
    while power > least:
        power /= 10
    while power * 10 < least:
        power *= 10
    return next(power * step for step in STEPS if power * step >= least)


def _mark(row: Row, x: float) -> Mark:
    """Returns the accuracy of a row at x."""
    estimate = row.estimates["accuracy"]
    ys = ACCURACY(estimate.mean), ACCURACY(estimate.low), ACCURACY(estimate.high)
    return Mark(row.agent, shorten(row.agent, MAX_LABEL), row.num_episodes, estimate, x, *ys)


def shorten(text: str, most: int) -> str:
    """Returns both ends of text, in so many characters, three at least: they tell names apart.

    What is left out in the middle becomes an ellipsis.
    """
    if len(text) <= most:
        return text
    tail = max(1, (most - 1) // 2)
    return f"{text[: max(1, most - 1 - tail)]}…{text[-tail:]}"
