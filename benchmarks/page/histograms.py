"""How agents zoom, as histograms: a row an agent, each with the shares of its own."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.evaluation.metrics import zooms_of
from zoomgym.records import Record

__all__ = ["Histogram", "fps_histogram", "zooms_histogram"]

WIDTH = 540
LEFT, RIGHT, TOP, BOTTOM = 150, 12, 6, 26
MAX_LABEL = 16
"""Characters of an agent's name."""
ROW_HEIGHT, MOST_BAR_HEIGHT = 48, 28
BAR_GAP = 6
FPS_EDGES = (0.5, 1, 2, 4, 8, 16)
"""Each bin reaches from one edge up to, but without, the next."""
MOST_ZOOMS = 8
"""More are counted as so many or more."""


@dataclass(frozen=True, slots=True)
class Bar:
    """The share of a bin."""

    x: float
    y: float
    width: float
    height: float
    count: int
    share: float
    label: str


@dataclass(frozen=True, slots=True)
class Line:
    """An agent's bars; none if there was nothing to count."""

    agent: str
    foot_y: int
    total: int
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins along x, in lines one below the other the agents."""

    height: int
    labels: tuple[tuple[float, str], ...]
    """The middle of each bin, and what it holds."""
    lines: tuple[Line, ...]


def fps_histogram(records: Sequence[Record], agents: Sequence[str]) -> Histogram:
    """Returns the rates of all zooms that showed frames, in frames per second."""
    low, high = FPS_EDGES[0], FPS_EDGES[-1]
    inner = (f"{a:g}-{b:g}" for a, b in pairwise(FPS_EDGES))
    counts = {
        agent: Counter(
            bisect_right(FPS_EDGES, zoom.fps)
            for record in records
            if record.agent == agent
            for zoom in zooms_of(record)
        )
        for agent in agents
    }
    return _histogram(counts, [f"<{low:g}", *inner, f"≥{high:g}"])


def zooms_histogram(records: Sequence[Record], agents: Sequence[str]) -> Histogram:
    """Returns the numbers of zooms that showed frames, of all episodes."""
    numbers = {
        agent: [
            min(len(zooms_of(record)), MOST_ZOOMS) for record in records if record.agent == agent
        ]
        for agent in agents
    }
    most = max(max(own, default=0) for own in numbers.values())
    labels = [f"{k}{'+' * (k == MOST_ZOOMS)}" for k in range(most + 1)]
    return _histogram({agent: Counter(own) for agent, own in numbers.items()}, labels)


def _histogram(counts: Mapping[str, Mapping[int, int]], labels: Sequence[str]) -> Histogram:
    """Returns the histogram of counts by agent and number of the bin."""
    step = (WIDTH - LEFT - RIGHT) / len(labels)
    lines = []
    for number, (agent, own) in enumerate(counts.items(), start=1):
        foot_y, total = TOP + number * ROW_HEIGHT, sum(own.values())
        bars = (_bar(LEFT + k * step, foot_y, step, own[k], total, labels[k]) for k in sorted(own))
        lines.append(Line(agent, foot_y, total, tuple(bars)))
    middles = (round(LEFT + (k + 0.5) * step, 1) for k in range(len(labels)))
    height = TOP + len(lines) * ROW_HEIGHT + BOTTOM
    return Histogram(height, tuple(zip(middles, labels, strict=True)), tuple(lines))


def _bar(left: float, foot_y: int, step: float, count: int, total: int, label: str) -> Bar:
    """Returns the bar of count among total, in the slot that begins at left."""
    height = round(max(1.5, MOST_BAR_HEIGHT * count / total), 1)
    box = (round(left + BAR_GAP / 2, 1), round(foot_y - height, 1), round(step - BAR_GAP, 1))
    return Bar(*box, height, count, count / total, label)
