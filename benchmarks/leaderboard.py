"""From records to leaderboard rows: which records count, their order, means and intervals."""

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from rich.console import Console

from zoomgym.datasets.official import Comparison, Graded, compare
from zoomgym.errors import RecordError
from zoomgym.records import Record, read_records

__all__ = [
    "ALL",
    "METRICS",
    "Estimate",
    "Metric",
    "OfficialRow",
    "Row",
    "chance",
    "leaderboard",
    "officials",
]

ALL = "all"
"""The category of the row that pools every task."""
NUM_RESAMPLES, NUM_BATCHES = 10_000, 100


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with its interval, of 95% unless told."""

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
    needs_grade: bool = False
    """It says nothing of an episode whose answer nobody could grade."""


METRICS = (
    Metric(
        "accuracy", "", lambda record: record.reward_parts.accuracy, is_rate=True, needs_grade=True
    ),
    Metric("reward", "", lambda record: record.reward, needs_grade=True),
    Metric("format", "", lambda record: record.reward_parts.format, is_rate=True),
    Metric("tool", "", lambda record: record.reward_parts.tool, is_rate=True, needs_grade=True),
    Metric("grounding", "", lambda record: record.reward_parts.grounding, needs_grade=True),
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
    num_ungraded: int
    """Episodes whose answer nobody could grade. They are in no mean that needs a grade."""
    estimates: dict[str, Estimate]
    """By the name of the metric; where nothing is graded, without those that need it."""


@dataclass(frozen=True, slots=True)
class OfficialRow:
    """One agent on a public benchmark, scored as the benchmark does."""

    agent: str
    task_set: str
    num_ungraded: int
    comparison: Comparison


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
    return sorted(rows, key=lambda row: (*_place(pooled[row.agent]), row.agent))


def officials(records: Sequence[Record]) -> list[OfficialRow]:
    """Returns a row for every agent on every public benchmark, by benchmark, then as they come.

    Args:
        records: every episode that counts.
    """
    by_place: dict[tuple[str, str, str], list[Record]] = {}
    for record in records:  # by their hash too: splits, or the same tasks with subtitles
        place = (record.task_set, record.task_set_hash, record.agent)
        by_place.setdefault(place, []).append(record)
    rows = []
    for (task_set, _, agent), own in sorted(by_place.items(), key=lambda item: item[0][:2]):
        graded = [
            Graded(record.task, record.answer, bool(record.reward_parts.accuracy))
            for record in own
            if record.is_graded
        ]
        if comparison := compare(task_set, graded):
            rows.append(OfficialRow(agent, task_set, len(own) - len(graded), comparison))
    return rows


def chance(records: Sequence[Record]) -> float:
    """Returns the accuracy of guessing on what is graded: the mean of one over the options."""
    options = [record.task.options for record in records if record.is_graded]
    return math.fsum(1 / len(some) for some in options if some) / max(1, len(options))


def _row(agent: str, category: str, records: Sequence[Record]) -> Row:
    """Returns one row over records, of which there is at least one."""
    graded = [record for record in records if record.is_graded]
    estimates = {}
    for metric in METRICS:
        if values := [metric.of(r) for r in (graded if metric.needs_grade else records)]:
            estimates[metric.name] = (wilson if metric.is_rate else bootstrap)(values)
    return Row(agent, category, len(records), len(records) - len(graded), estimates)


def _place(estimates: Mapping[str, Estimate]) -> tuple[float, ...]:
    """Returns what an agent is ordered by: accuracy, then reward; last if nothing is graded."""
    if "accuracy" not in estimates:
        return (math.inf,)
    return (-estimates["accuracy"].mean, -estimates["reward"].mean)


def wilson(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Returns the mean of zeros and ones with the Wilson score interval.

    Source: E. B. Wilson, 1927. Unlike a bootstrap it is honest about 12 of 12.
    """
    count, mean = len(values), math.fsum(values) / len(values)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z**2 / count
    centre = (mean + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(mean * (1 - mean) / count + spread / (4 * count))
    low = centre - half if mean > 0 else 0.0  # exactly, where rounding leaves 3e-17
    return Estimate(mean, low, centre + half if mean < 1 else 1.0)


def bootstrap(values: Sequence[float]) -> Estimate:
    """Returns the mean with a percentile bootstrap interval over episodes, always the same one."""
    sample = np.array(values)
    rng = np.random.default_rng(0)
    means = [
        sample[rng.integers(len(sample), size=(NUM_RESAMPLES // NUM_BATCHES, len(sample)))].mean(1)
        for _ in range(NUM_BATCHES)  # all at once would take a gigabyte for 10,000 episodes
    ]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return Estimate(float(sample.mean()), float(low), float(high))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Shows the records of one or more files as tables."""
    from benchmarks.table import show_table  # which imports this module

    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaderboard", description=__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="files of records, JSON Lines")
    args = parser.parse_args(argv)
    try:
        records = [record for path in args.records for record in read_records(path)]
    except RecordError as error:
        parser.error(str(error))
    if not records:
        parser.error("needed at least one record, got none")
    console = Console(width=None if sys.stdout.isatty() else 132)
    show_table(console, leaderboard(records), records)
    return 0


if __name__ == "__main__":
    sys.exit(main())
