"""The layout of the charts of a page, in pixels; the template draws them."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

from benchmarks.evaluation.metrics import ALL, Score, zooms_of
from benchmarks.evaluation.statistics import Estimate
from zoomgym.records import Record
from zoomgym.rules import Rules

WIDTH = 540
HEIGHT = 300
LEFT, RIGHT, TOP, BOTTOM = 42, 12, 22, 42
SLOT = 16
"""Pixels between agents in a category."""
GROUP_GAP = 26
CHAR = 8
"""Rough width of a character of a label."""
MAX_LABEL = 24
MARK_RADIUS = 7
LABEL_RISES = (-7, 17, -22, 32, -37, 47, -52, 62)
"""Pixels from a mark down to the foot of its label, in the order to try."""
NUM_TICKS = 6
STEPS = (1, 2, 2.5, 5, 10)
ASIDE = 7
"""Pixels between agents at the same place."""
HISTOGRAM_LEFT, HISTOGRAM_TOP, HISTOGRAM_BOTTOM = 150, 6, 26
MAX_NAME = 16
ROW_HEIGHT, MOST_BAR_HEIGHT = 48, 28
BAR_GAP = 6
FPS_EDGES = (0.5, 1, 2, 4, 8, 16)
"""Edges of half-open bins."""
MOST_ZOOMS = 8
"""More zooms share the last bin."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear map from values to pixels."""

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


class Rectangle(NamedTuple):
    """A rectangle, in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Rectangle") -> bool:
        """Returns whether the two overlap."""
        is_beside = self.left >= other.right or other.left >= self.right
        return not is_beside and self.top < other.bottom and other.top < self.bottom

    def is_free(self, taken: Iterable["Rectangle"]) -> bool:
        """Returns whether it overlaps none of the others."""
        return not any(map(self.meets, taken))

    @property
    def is_within_plot(self) -> bool:
        """Whether all of it is visible."""
        is_across = self.left >= LEFT and self.right <= WIDTH
        return is_across and self.top >= 0 and self.bottom <= HEIGHT - BOTTOM


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
class CategoryGroup:
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
    groups: tuple[CategoryGroup, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """An agent at its mean number of frames, with a label beside it."""

    mark: Mark
    frames: Estimate
    low_x: float
    high_x: float
    label: Rectangle


@dataclass(frozen=True, slots=True)
class FramesChart:
    """Accuracy against frames used."""

    x: Scale
    points: tuple[Point, ...]
    chance_label: Rectangle


@dataclass(frozen=True, slots=True)
class RulesCurve:
    """An agent's accuracies by the most zooms allowed, the fewest first."""

    agent: str
    path: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class RulesChart:
    """Accuracy against the most zooms that the rules allow."""

    labels: tuple[tuple[float, int], ...]
    """x of each number of zooms, and the number."""
    curves: tuple[RulesCurve, ...]


def category_chart(
    rows: Sequence[Score], agents: Sequence[str], chances: dict[str, float]
) -> CategoryChart:
    """Returns the chart of accuracy by category: in the order of chance, agents in their order."""
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
        groups.append(CategoryGroup(category, label, *edges, ACCURACY(chance), chance, marks))
    return CategoryChart(width, tuple(groups))


def frames_chart(rows: Sequence[Score], chance: float) -> FramesChart:
    """Returns the chart of accuracy against the mean number of frames used, over all tasks."""
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


def rules_chart(
    rows_of: Mapping[Rules, Sequence[Score]], agents: Sequence[str]
) -> RulesChart | None:
    """Returns the chart of accuracy against the most zooms allowed; None if rules differ otherwise.

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
            curves.append(RulesCurve(agent, path, marks))
    return RulesChart(tuple((x(most), most) for most in by_zooms), tuple(curves))


def _ink(mark: Mark, low_x: float, high_x: float) -> tuple[Rectangle, Rectangle]:
    """Returns what the whiskers and the middle of a point cover."""
    left, right = mark.x - MARK_RADIUS, mark.x + MARK_RADIUS
    upright = Rectangle(left, mark.high_y, right, mark.low_y)
    return upright, Rectangle(min(low_x, left), mark.y - 5, max(high_x, right), mark.y + 5)


def _place_of_chance(chance_y: float, taken: Sequence[Rectangle]) -> Rectangle:
    """Returns a free place for the label of the line of chance, or else the last place."""
    places = [
        Rectangle(left, top, left + 46, top + 11)
        for left in (LEFT + 4, WIDTH - RIGHT - 50)
        for top in (chance_y - 16, chance_y + 5)
    ]
    return next((one for one in places if one.is_free(taken)), places[-1])


def _free_place(mark: Mark, taken: Sequence[Rectangle]) -> Rectangle:
    """Returns a free place for the label of a mark, or else the last place."""
    width = CHAR * len(mark.label)
    places = [
        Rectangle(left, mark.y + rise - 11, left + width, mark.y + rise + 2)
        for rise in LABEL_RISES
        for left in (mark.x + 10, mark.x - 10 - width)
    ]
    free = (one for one in places if one.is_within_plot and one.is_free(taken))
    return next(free, places[-1])


def _frames_scale(low: float, high: float) -> Scale:
    """Returns a scale with room around low and high, between round numbers of frames."""
    step = max(1.0, _round_step(max(high - low, 4) / NUM_TICKS))
    left = max(0.0, (low // step - (low % step < step / 4)) * step)
    right = (high // step + 1 + (high % step > step / 2)) * step
    return Scale(left, right, LEFT, WIDTH - RIGHT)


def _round_step(least: float) -> float:
    """Returns the first of 1, 2, 2.5, 5, 10, 20, .. (and their tenths) that is at least least."""
    power = 1.0
    while power > least:
        power /= 10
    while power * 10 < least:
        power *= 10
    return next(power * step for step in STEPS if power * step >= least)


def _mark(row: Score, x: float) -> Mark:
    estimate = row.estimates["accuracy"]
    ys = ACCURACY(estimate.mean), ACCURACY(estimate.low), ACCURACY(estimate.high)
    return Mark(row.agent, shorten(row.agent, MAX_LABEL), row.num_episodes, estimate, x, *ys)


def shorten(text: str, most: int) -> str:
    """Returns at most so many characters (three or more): both ends of text and an ellipsis.

    Names often differ at one end only.
    """
    if len(text) <= most:
        return text
    tail = max(1, (most - 1) // 2)
    return f"{text[: max(1, most - 1 - tail)]}…{text[-tail:]}"


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """The bar of a bin."""

    x: float
    y: float
    width: float
    height: float
    count: int
    share: float
    label: str


@dataclass(frozen=True, slots=True)
class HistogramRow:
    """An agent's bars; none if there is nothing to count."""

    agent: str
    foot_y: int
    total: int
    bars: tuple[HistogramBar, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins along x; a line for each agent."""

    height: int
    labels: tuple[tuple[float, str], ...]
    """The middle of each bin, and its label."""
    lines: tuple[HistogramRow, ...]


def fps_histogram(records: Sequence[Record], agents: Sequence[str]) -> Histogram:
    """Returns the histogram of the rates, in frames per second, of zooms that delivered frames."""
    low, high = FPS_EDGES[0], FPS_EDGES[-1]
    inner = (f"{a:g}-{b:g}" for a, b in pairwise(FPS_EDGES))
    counts = {agent: Counter[int]() for agent in agents}
    for record in records:
        if record.agent in counts:
            counts[record.agent].update(bisect_right(FPS_EDGES, z.fps) for z in zooms_of(record))
    return _histogram(counts, [f"<{low:g}", *inner, f"≥{high:g}"])


def zooms_histogram(records: Sequence[Record], agents: Sequence[str]) -> Histogram:
    """Returns the histogram of the zooms that delivered frames, an episode."""
    counts = {agent: Counter[int]() for agent in agents}
    for record in records:
        if record.agent in counts:
            counts[record.agent][min(len(zooms_of(record)), MOST_ZOOMS)] += 1
    most = max(max(own, default=0) for own in counts.values())
    labels = [f"{k}{'+' * (k == MOST_ZOOMS)}" for k in range(most + 1)]
    return _histogram(counts, labels)


def _histogram(counts: Mapping[str, Mapping[int, int]], labels: Sequence[str]) -> Histogram:
    step = (WIDTH - HISTOGRAM_LEFT - RIGHT) / len(labels)
    lines = []
    for number, (agent, own) in enumerate(counts.items(), start=1):
        foot_y, total = HISTOGRAM_TOP + number * ROW_HEIGHT, sum(own.values())
        bars = (
            _bar(HISTOGRAM_LEFT + k * step, foot_y, step, own[k], total, labels[k])
            for k in sorted(own)
        )
        lines.append(HistogramRow(agent, foot_y, total, tuple(bars)))
    middles = (round(HISTOGRAM_LEFT + (k + 0.5) * step, 1) for k in range(len(labels)))
    height = HISTOGRAM_TOP + len(lines) * ROW_HEIGHT + HISTOGRAM_BOTTOM
    return Histogram(height, tuple(zip(middles, labels, strict=True)), tuple(lines))


def _bar(left: float, foot_y: int, step: float, count: int, total: int, label: str) -> HistogramBar:
    height = round(max(1.5, MOST_BAR_HEIGHT * count / total), 1)
    box = (round(left + BAR_GAP / 2, 1), round(foot_y - height, 1), round(step - BAR_GAP, 1))
    return HistogramBar(*box, height, count, count / total, label)
