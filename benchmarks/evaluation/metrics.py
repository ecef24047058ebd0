"""From records to leaderboard rows: which records count, their order, means and intervals."""

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.evaluation.statistics import Estimate, bootstrap, rate, wilson
from zoomgym.records import Record
from zoomgym.tasks.datasets.official import Comparison, Graded, compare

__all__ = [
    "ACCURACY",
    "ALL",
    "METRICS",
    "Estimate",
    "Metric",
    "OfficialRow",
    "Row",
    "bootstrap",
    "chance",
    "estimate",
    "in_order",
    "leaderboard",
    "officials",
    "video_of",
    "wilson",
]

ALL = "all"
"""The category of the row that pools every task."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured for every episode."""

    name: str
    unit: str
    of: Callable[[Record], float | None]
    """None of an episode of which it says nothing."""
    is_rate: bool = False
    """Each value is 0 or 1."""


def _if_graded(record: Record, value: float) -> float | None:
    """Returns what depends on an answer, or None if nobody could grade that."""
    return value if record.is_graded else None


METRICS = (
    Metric("accuracy", "", lambda record: _if_graded(record, record.reward_parts.accuracy), True),
    Metric("reward", "", lambda record: _if_graded(record, record.reward)),
    Metric("format", "", lambda record: record.reward_parts.format, True),
    Metric("tool", "", lambda record: _if_graded(record, record.reward_parts.tool), True),
    Metric("grounding", "", lambda record: _if_graded(record, record.reward_parts.grounding)),
    Metric("zooms", "a task", lambda record: record.reward_parts.zoom_cost),
    Metric("frames", "a task", lambda record: float(record.frames_used)),
    Metric("seconds", "a task", lambda record: record.agent_s + record.decode_s),
)
ACCURACY = METRICS[0]


@dataclass(frozen=True, slots=True)
class Row:
    """One agent on the tasks of one category, or on all of them."""

    agent: str
    category: str
    num_episodes: int
    num_ungraded: int
    """Episodes whose answer nobody could grade. They are in no mean that needs a grade."""
    estimates: dict[str, Estimate]
    """By the name of the metric, without those that say nothing of any of the episodes."""


@dataclass(frozen=True, slots=True)
class OfficialRow:
    """One agent on a public benchmark, scored as the benchmark does."""

    agent: str
    task_set: str
    num_ungraded: int
    comparison: Comparison


def in_order(records: Iterable[Record]) -> list[Record]:
    """Returns records in the one order in which they are counted, whatever order they come in.

    A bootstrap draws by position, so the same records give the same intervals only in one order.
    """
    by_place: dict[tuple[str, str, str, int], list[Record]] = {}
    for record in records:
        place = (record.suite, record.task.id, record.agent, record.seed)
        by_place.setdefault(place, []).append(record)
    return [
        record
        for _, own in sorted(by_place.items(), key=lambda item: item[0])
        for record in (sorted(own, key=Record.to_json) if len(own) > 1 else own)
    ]


def leaderboard(records: Sequence[Record]) -> list[Row]:
    """Returns the rows of all agents, the most accurate first; of each agent first the pooled row.

    Args:
        records: every episode that counts, see `in_order`.
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


def estimate(metric: Metric, records: Sequence[Record]) -> Estimate | None:
    """Returns the mean of a metric with its interval; None if it says nothing of any record."""
    values, videos = [], []
    for record in records:
        if (value := metric.of(record)) is not None:
            values.append(value)
            videos.append(video_of(record))
    if not values:
        return None
    return (rate if metric.is_rate else bootstrap)(values, videos)


def video_of(record: Record) -> Hashable:
    """Returns which video an episode is about: sets may have others by the same name."""
    return record.task_set, record.task.video


def _row(agent: str, category: str, records: Sequence[Record]) -> Row:
    """Returns one row over records, of which there is at least one."""
    found = {metric.name: estimate(metric, records) for metric in METRICS}
    estimates = {name: known for name, known in found.items() if known is not None}
    num_ungraded = sum(not record.is_graded for record in records)
    return Row(agent, category, len(records), num_ungraded, estimates)


def _place(estimates: Mapping[str, Estimate]) -> tuple[float, ...]:
    """Returns what an agent is ordered by: accuracy, then reward; last if nothing is graded."""
    if "accuracy" not in estimates:
        return (math.inf,)
    return (-estimates["accuracy"].mean, -estimates["reward"].mean)
