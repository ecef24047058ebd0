"""Metrics of episodes: means with intervals, paired differences, and where zooms fell."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

from agents.synthetic.evidence import missing_parts
from benchmarks.evaluation.comparable import EpisodeKey
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.statistics import Estimate, bootstrap, rate
from zoomgym.grading import answer_iou
from zoomgym.records import Record, is_synthetic
from zoomgym.rules import Episode, FrameCall, Segment, ZoomCall, is_gated_right, overlap
from zoomgym.tasks import TOOL_FAMILIES, Comparison, Graded, compare

ALL = "all"
"""Category of the row that pools every task."""


@dataclass(frozen=True, slots=True)
class Metric:
    """Something that is measured for every episode."""

    name: str
    unit: str
    of: Callable[[Record], float | None]
    """None where it does not apply."""
    is_rate: bool = False
    """Each value is 0 or 1."""


def _if_graded(record: Record, value: float) -> float | None:
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
    """Episodes whose answer could not be graded. Means that need a grade skip them."""
    estimates: dict[str, Estimate]
    """Means by the name of their metric, where there is one."""


@dataclass(frozen=True, slots=True)
class OfficialScore:
    """One agent on a public benchmark, scored as the benchmark does."""

    agent: str
    task_set: str
    num_ungraded: int
    comparison: Comparison


def leaderboard(records: Sequence[Record]) -> list[Score]:
    """Returns the rows of all agents, the most accurate first, each agent's pooled row first.

    Records are in the order of `in_order`.
    """
    rows = []
    for agent, own in grouped(records, lambda record: record.agent).items():
        rows.append(_row(agent, ALL, own))
        by_category = grouped(own, lambda record: record.task.category)
        rows += [_row(agent, category, some) for category, some in sorted(by_category.items())]
    pooled = {row.agent: row.estimates for row in rows if row.category == ALL}
    return sorted(rows, key=lambda row: (*_place(pooled[row.agent]), row.agent))


def officials(records: Sequence[Record]) -> list[OfficialScore]:
    """Returns a row for every agent on every public benchmark, by benchmark, then as they come."""
    # By their hash too: splits, or the same tasks with subtitles.
    by_place = grouped(records, lambda one: (one.task_set, one.task_set_hash, one.agent))
    rows = []
    for (task_set, _, agent), own in sorted(by_place.items(), key=lambda item: item[0][:2]):
        graded = [
            Graded(one.task, one.answer, bool(one.reward_parts.accuracy), one.episode.named)
            for one in own
            if one.is_graded
        ]
        if comparison := compare(task_set, graded):
            rows.append(OfficialScore(agent, task_set, len(own) - len(graded), comparison))
    return rows


def chance(records: Sequence[Record]) -> float:
    """Returns the accuracy of guessing on graded tasks: the mean of one over the options."""
    options = [record.task.options for record in records if record.is_graded]
    return math.fsum(1 / len(some) for some in options if some) / max(1, len(options))


def estimate(metric: Metric, records: Sequence[Record]) -> Estimate | None:
    """Returns the mean of a metric with its interval, or None if it applies to no record."""
    values, videos = [], []
    for record in records:
        if (value := metric.of(record)) is not None:
            values.append(value)
            videos.append(video_of(record))
    if not values:
        return None
    return (rate if metric.is_rate else bootstrap)(values, videos)


def video_of(record: Record) -> Hashable:
    """Returns the video of an episode: other sets may use its name."""
    return record.task_set, record.task.video


def _row(agent: str, category: str, records: Sequence[Record]) -> Score:
    found = {metric.name: estimate(metric, records) for metric in METRICS}
    estimates = {name: known for name, known in found.items() if known is not None}
    num_ungraded = sum(not record.is_graded for record in records)
    return Score(agent, category, len(records), num_ungraded, estimates)


def _place(estimates: Mapping[str, Estimate]) -> tuple[float, ...]:
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
    """Returns a row for every agent and span of durations, of graded records."""
    graded = [record for record in records if record.is_graded]
    by_place = grouped(graded, lambda record: (record.agent, span_of(record)))
    return [
        Score(agent, span, len(own), 0, {ACCURACY.name: accuracy})
        for (agent, span), own in by_place.items()
        if (accuracy := estimate(ACCURACY, own))
    ]


def chance_by_duration(records: Sequence[Record]) -> dict[str, float]:
    """Returns the accuracy of guessing by span of durations, the shortest first."""
    by_span = grouped([record for record in records if record.is_graded], span_of)
    return {name: chance(by_span[name]) for name, _ in SPANS if name in by_span}


def span_of(record: Record) -> str:
    """Returns the name of the span that a record's video is in."""
    return next(name for name, most_s in SPANS if record.duration_s <= most_s)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two agents on the same tasks."""

    agent: str
    against: str
    difference: Estimate
    """Accuracy of the first minus that of the second, over paired tasks."""
    num_better: int
    """Tasks on which the first is right more often."""
    num_worse: int


def pairs(records: Sequence[Record], agents: Sequence[str]) -> list[Pair]:
    """Returns every pair of agents with graded tasks in common, in the order of agents.

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
    """Returns the mean accuracy of an agent on each graded task, by task and video."""
    own = [record for record in records if record.agent == agent and record.is_graded]
    by_task = grouped(own, lambda record: (EpisodeKey.of(record).task, video_of(record)))
    return {
        task: math.fsum(record.reward_parts.accuracy for record in some) / len(some)
        for task, some in by_task.items()
    }


def zooms_of(record: Record) -> list[ZoomCall]:
    """Returns the zooms that delivered frames, in order."""
    return [zoom for turn in record.turns for zoom in turn.all_zooms]


def shown_in(record: Record) -> list[FrameCall]:
    """Returns the calls that delivered frames, in order."""
    return [turn.shown for turn in record.turns if turn.shown]


def num_calls(record: Record, tool: str = "") -> int:
    """Returns how many calls of an episode were executed, of a tool or, without one, of all."""
    return sum(turn.num_calls for turn in record.turns if tool in ("", turn.tool))


def missed(record: Record, calls: Sequence[FrameCall]) -> list[Segment]:
    """Returns the parts of the evidence that neither the overview nor these calls show."""
    times_s = [*record.overview.times_s]
    times_s += [time_s for call in calls for time_s in call.times_s]
    return missing_parts(record.task.question, record.task.evidence, times_s)


def covers(zoom: ZoomCall, part: Segment) -> bool:
    """Returns whether a zoom that does not show a part covers at least half of it.

    (It starts before the part: a zoom shows the frame at its start.)
    """
    return zoom.start_s < part.start_s and zoom.end_s >= (part.start_s + part.end_s) / 2


def frames_show_evidence(record: Record) -> bool:
    """Returns whether the task has evidence, and frames are what shows it.

    In the synthetic families for other tools, it is the time at which a tool tells the answer.
    """
    is_for_tools = is_synthetic(record.task_set) and record.task.category in TOOL_FAMILIES
    return bool(record.task.evidence) and not is_for_tools


def _of_hits(tell: Callable[[list[bool]], bool | None], record: Record) -> float | None:
    """Returns what the hits say: for each zoom, whether a frame fell on the evidence.

    That is None without evidence that frames show, and without zooms.
    """
    evidence = record.task.evidence if frames_show_evidence(record) else ()
    hits = [
        any(segment.holds(time_s) for segment in evidence for time_s in zoom.times_s)
        for zoom in zooms_of(record)
    ]
    told = tell(hits) if evidence and hits else None
    return None if told is None else float(told)


def _saw_all(record: Record) -> float | None:
    """Returns 1 if overview and zooms showed all the evidence, at the rate the question needs."""
    return _of_hits(lambda hits: not missed(record, shown_in(record)), record)


GROUNDING = (
    Metric("on evidence", "", partial(_of_hits, any), True),
    Metric("first zoom right", "", partial(_of_hits, lambda hits: hits[0]), True),
    Metric("recovered", "", partial(_of_hits, lambda hits: None if hits[0] else any(hits)), True),
    Metric("saw all", "", _saw_all, True),
)
"""Metrics of episodes with evidence and a zoom; `recovered`: only if the first zoom was wrong."""


def _if_evident(tell: Callable[[Episode], float | None], record: Record) -> float | None:
    """Returns what is told of a graded episode whose evidence frames show; None of any other."""
    return tell(record.episode) if record.is_graded and frames_show_evidence(record) else None


def _iou(episode: Episode) -> float | None:
    return overlap(episode.named, episode.task.evidence) if episode.named else None


EVIDENCE = (
    Metric("accuracy", "", partial(_if_evident, lambda one: float(one.is_right)), True),
    Metric("gated", "", partial(_if_evident, lambda one: float(is_gated_right(one))), True),
)
"""Metrics of graded episodes with evidence: `gated` is right with half of the evidence seen."""
NAMED = (
    Metric("names evidence", "", partial(_if_evident, lambda one: float(bool(one.named))), True),
    Metric("IoU", "", partial(_if_evident, _iou)),
)
"""What agents say of where the evidence is, and how well that overlaps it."""


def _answer_iou(record: Record) -> float | None:
    """Returns how far an answer overlaps the true segment; None if the task asks for none."""
    return None if record.task.options else answer_iou(record.answer, record.task.answer)


def _reaches(least: float, record: Record) -> float | None:
    overlapped = _answer_iou(record)
    return None if overlapped is None else float(overlapped >= least)


SEGMENTS = (
    Metric("mean IoU", "", _answer_iou),
    *(Metric(f"IoU@{least}", "", partial(_reaches, least), True) for least in (0.3, 0.5, 0.7)),
)
"""Metrics of tasks whose answer is a segment; an answer that is none overlaps by 0."""
