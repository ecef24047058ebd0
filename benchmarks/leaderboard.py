"""From records to leaderboard rows: which records count, their order, means and intervals."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from zoomgym.records import Record

__all__ = ["ALL", "METRICS", "Estimate", "Metric", "Row", "chance", "leaderboard"]

ALL = "all"
"""The category of the row that pools every task."""
Z_95 = 1.959963984540054
NUM_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its 95% interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured for every episode."""

    name: str
    unit: str
    of: Callable[[Record], float]
    is_rate: bool = False
    """Each value is 0 or 1."""


METRICS = (
    Metric("accuracy", "", lambda record: record.reward_parts.accuracy, is_rate=True),
    Metric("reward", "", lambda record: record.reward),
    Metric("format", "", lambda record: record.reward_parts.format, is_rate=True),
    Metric("tool", "", lambda record: record.reward_parts.tool, is_rate=True),
    Metric("grounding", "", lambda record: record.reward_parts.grounding),
    Metric("zooms", "a task", lambda record: record.reward_parts.zoom_cost),
    Metric("frames", "a task", lambda record: float(record.frames_used)),
    Metric("seconds", "a task", lambda record: record.agent_s + record.decode_s),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One agent on the tasks of one category, or on all of them."""

    agent: str
    category: str
    num_episodes: int
    estimates: dict[str, Estimate]
    """By the name of the metric."""


def leaderboard(records: Sequence[Record]) -> list[Row]:
    """Returns the rows of all agents, the most accurate first; of each agent first the pooled row.

    Args:
        records: every episode that counts.
    """
    categories = sorted({record.task.category for record in records})
    rows = []
    for agent in dict.fromkeys(record.agent for record in records):
        own = [record for record in records if record.agent == agent]
        rows.append(_row(agent, ALL, own))
        for category in categories:
            if of_category := [record for record in own if record.task.category == category]:
                rows.append(_row(agent, category, of_category))
    pooled = {row.agent: row.estimates for row in rows if row.category == ALL}
    return sorted(
        rows,
        key=lambda row: (
            -pooled[row.agent]["accuracy"].mean,
            -pooled[row.agent]["reward"].mean,
            row.agent,
        ),
    )


def chance(records: Sequence[Record]) -> float:
    """Returns the accuracy of guessing: the mean of one over the number of options."""
    shares = [1 / len(record.task.options) if record.task.options else 0.0 for record in records]
    return math.fsum(shares) / len(shares)


def _row(agent: str, category: str, records: Sequence[Record]) -> Row:
    """Returns one row over records, of which there is at least one."""
    estimates = {
        metric.name: (wilson if metric.is_rate else bootstrap)([metric.of(r) for r in records])
        for metric in METRICS
    }
    return Row(agent, category, len(records), estimates)


def wilson(values: Sequence[float]) -> Estimate:
    """Returns the mean of zeros and ones with the Wilson score interval.

    Source: E. B. Wilson, 1927. Unlike a bootstrap it is honest about 12 of 12.
    """
    count, mean = len(values), math.fsum(values) / len(values)
    spread = Z_95**2 / count
    centre = (mean + spread / 2) / (1 + spread)
    half = Z_95 / (1 + spread) * math.sqrt(mean * (1 - mean) / count + spread / (4 * count))
    low = centre - half if mean > 0 else 0.0  # exactly, where rounding leaves 3e-17
    return Estimate(mean, low, centre + half if mean < 1 else 1.0)


def bootstrap(values: Sequence[float]) -> Estimate:
    """Returns the mean with a percentile bootstrap interval over episodes, always the same one."""
    sample = np.array(values)
    picks = np.random.default_rng(0).integers(len(sample), size=(NUM_RESAMPLES, len(sample)))
    low, high = np.percentile(sample[picks].mean(axis=1), [2.5, 97.5])
    return Estimate(float(sample.mean()), float(low), float(high))
