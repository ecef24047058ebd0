"""Metrics of episodes: means with intervals, differences of two agents, what zooms showed."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from agents.synthetic.evidence import missing_parts
from benchmarks.evaluation.comparable import EpisodeKey
from benchmarks.evaluation.statistics import Estimate, bootstrap, rate
from zoomgym.records import Record
from zoomgym.rules import Segment, ZoomCall, overview_times
from zoomgym.tasks import Comparison, Graded, compare

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
class Score:
    """One agent on the tasks of one category, or on all of them."""

    agent: str
    category: str
    num_episodes: int
    num_ungraded: int
    """Episodes whose answer nobody could grade. They are in no mean that needs a grade."""
    estimates: dict[str, Estimate]
    """Means by the name of their metric, without those that no episode has."""


@dataclass(frozen=True, slots=True)
class OfficialScore:
    """One agent on a public benchmark, scored as the benchmark does."""

    agent: str
    task_set: str
    num_ungraded: int
    comparison: Comparison


def leaderboard(records: Sequence[Record]) -> list[Score]:
    """Returns the rows of all agents, the most accurate first; of each agent first the pooled row.

    Records are in the order of `in_order`.
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


def officials(records: Sequence[Record]) -> list[OfficialScore]:
    """Returns a row for every agent on every public benchmark, by benchmark, then as they come."""
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
            rows.append(OfficialScore(agent, task_set, len(own) - len(graded), comparison))
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
            videos.append(_video_of(record))
    if not values:
        return None
    return (rate if metric.is_rate else bootstrap)(values, videos)


def _video_of(record: Record) -> Hashable:
    """Returns which video an episode is about: sets may have others by the same name."""
    return record.task_set, record.task.video


def _row(agent: str, category: str, records: Sequence[Record]) -> Score:
    """Returns one row over records, of which there is at least one."""
    found = {metric.name: estimate(metric, records) for metric in METRICS}
    estimates = {name: known for name, known in found.items() if known is not None}
    num_ungraded = sum(not record.is_graded for record in records)
    return Score(agent, category, len(records), num_ungraded, estimates)


def _place(estimates: Mapping[str, Estimate]) -> tuple[float, ...]:
    """Returns what an agent is ordered by: accuracy, then reward; last if nothing is graded."""
    if "accuracy" not in estimates:
        return (math.inf,)
    return (-estimates["accuracy"].mean, -estimates["reward"].mean)


SPANS = (
    ("up to 2 min", 120.0),
    ("2-15 min", 900.0),
    ("15-60 min", 3600.0),
    ("over 60 min", float("inf")),
)
"""Names and longest durations in seconds. Source: Video-MME calls its videos short (below 2 min),
medium (4 to 15) and long (30 to 60)."""


def duration_rows(records: Sequence[Record]) -> list[Score]:
    """Returns a row for every agent and span of durations, its category; of graded records."""
    by_place: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.is_graded:
            by_place.setdefault((record.agent, span_of(record)), []).append(record)
    return [
        Score(agent, span, len(own), 0, {ACCURACY.name: accuracy})
        for (agent, span), own in by_place.items()
        if (accuracy := estimate(ACCURACY, own))
    ]


def chance_by_duration(records: Sequence[Record]) -> dict[str, float]:
    """Returns the accuracy of guessing by span of durations, the shortest first."""
    by_span: dict[str, list[Record]] = {name: [] for name, _ in SPANS}
    for record in records:
        if record.is_graded:
            by_span[span_of(record)].append(record)
    return {name: chance(own) for name, own in by_span.items() if own}


def span_of(record: Record) -> str:
    """Returns the name of the span in which a record's video lies."""
    return next(name for name, most_s in SPANS if record.duration_s <= most_s)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two agents on the same tasks."""

    agent: str
    against: str
    difference: Estimate
    """Accuracy of the first one minus that of the second, with an interval over paired tasks."""
    num_better: int
    """Tasks on which the first one is right and the other is not, or is so more often."""
    num_worse: int


def pairs(records: Sequence[Record], agents: Sequence[str]) -> list[Pair]:
    """Returns every pair of agents that have graded tasks in common, in the order of agents.

    Several episodes of an agent on one task count as their mean.
    """
    by_agent = {agent: _accuracies(records, agent) for agent in agents}
    found = []
    for agent, against in combinations(agents, 2):
        ours, theirs = by_agent[agent], by_agent[against]
        shared = [task for task in ours if task in theirs]
        differences = [ours[task] - theirs[task] for task in shared]
        if differences:
            estimate = bootstrap(differences, [video for _, video in shared], (-1.0, 1.0))
            num_better = sum(value > 0 for value in differences)
            num_worse = sum(value < 0 for value in differences)
            found.append(Pair(agent, against, estimate, num_better, num_worse))
    return found


def _accuracies(records: Sequence[Record], agent: str) -> dict[tuple[Hashable, Hashable], float]:
    """Returns the mean accuracy of an agent on each task, with its video, that was graded."""
    by_task: dict[tuple[Hashable, Hashable], list[float]] = {}
    for record in records:
        if record.agent == agent and record.is_graded:
            task = EpisodeKey.of(record).task, _video_of(record)
            by_task.setdefault(task, []).append(record.reward_parts.accuracy)
    return {task: math.fsum(values) / len(values) for task, values in by_task.items()}


def zooms_of(record: Record) -> list[ZoomCall]:
    """Returns the zooms that delivered frames, in order."""
    return [turn.zoom for turn in record.turns if turn.zoom]


def missed(record: Record, zooms: Sequence[ZoomCall]) -> list[Segment]:
    """Returns the parts of the evidence that neither the overview nor these zooms show.

    Without evidence, nothing is missed.
    """
    times_s = [*overview_times(record.last_frame_s, record.rules.num_overview)]
    times_s += [time_s for zoom in zooms for time_s in zoom.times_s]
    return missing_parts(record.task.question, record.task.evidence, times_s)


def covers(zoom: ZoomCall, part: Segment) -> bool:
    """Returns whether a zoom that does not show a part stretches over at least half of it.

    (It starts before the part: a zoom shows the frame at its start.)
    """
    return zoom.start_s < part.start_s and zoom.end_s >= (part.start_s + part.end_s) / 2


def _hits(record: Record) -> list[bool]:
    """Returns for each zoom whether a frame of it fell on the evidence; none without evidence."""
    return [_falls_on(record, zoom) for zoom in zooms_of(record)] if record.task.evidence else []


def _falls_on(record: Record, zoom: ZoomCall) -> bool:
    """Returns whether a frame of a zoom lies in a segment of the evidence."""
    return any(segment.holds(time_s) for segment in record.task.evidence for time_s in zoom.times_s)


def _on_evidence(record: Record) -> float | None:
    """Returns 1 if a frame of any zoom fell on the evidence."""
    hits = _hits(record)
    return float(any(hits)) if hits else None


def _first_right(record: Record) -> float | None:
    """Returns 1 if a frame of the first zoom fell on the evidence."""
    hits = _hits(record)
    return float(hits[0]) if hits else None


def _recovered(record: Record) -> float | None:
    """Returns 1 if, after a first zoom that was wrong, a frame of a later one fell on it."""
    hits = _hits(record)
    return float(any(hits)) if hits and not hits[0] else None


def _saw_all(record: Record) -> float | None:
    """Returns 1 if overview and zooms showed all the evidence, as well as the question needs it."""
    return float(not missed(record, zooms_of(record))) if _hits(record) else None


GROUNDING = (
    Metric("on evidence", "", _on_evidence, True),
    Metric("first zoom right", "", _first_right, True),
    Metric("recovered", "", _recovered, True),
    Metric("saw all", "", _saw_all, True),
)
"""Metrics of episodes with evidence and a zoom; `recovered`: those whose first zoom was wrong."""
