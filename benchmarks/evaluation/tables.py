"""The tables of a leaderboard: the ranking, what is missing, and the details."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from rich.console import Console

from benchmarks.evaluation.comparable import EpisodeKey
from benchmarks.evaluation.failures import FAILURES, failures_of, is_told
from benchmarks.evaluation.formats import Cell, Line, Sheet, to_table
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.metrics import (
    ACCURACY,
    ALL,
    EVIDENCE,
    GROUNDING,
    METRICS,
    NAMED,
    SEGMENTS,
    SPANS,
    Metric,
    OfficialScore,
    Score,
    chance,
    estimate,
    num_calls,
    officials,
    pairs,
    span_of,
)
from benchmarks.evaluation.suites import Suite, built_in, rules_of
from benchmarks.evaluation.summary import reading
from zoomgym.io import number_of
from zoomgym.records import Record
from zoomgym.rules import TOOLS, ZOOM, Rules
from zoomgym.tasks import DIFFICULTIES

READINGS = ("strict", "official")


def show_table(
    console: Console, rows: Sequence[Score], records: Sequence[Record], suite: Suite | None = None
) -> None:
    """Prints every metric over all tasks, accuracy by category, and official scores."""
    for sheet in ranking(rows, records, suite):
        console.print(to_table(sheet))


def ranking(
    rows: Sequence[Score], records: Sequence[Record], suite: Suite | None = None
) -> list[Sheet]:
    """Returns the tables of a ranking, first the missing tasks, if any."""
    pooled = [row for row in rows if row.category == ALL]
    official = officials(records)
    missing = {one.agent: one for one in shortfalls(records, suite)}
    coverages = [missing[row.agent] for row in pooled if row.agent in missing]
    return [
        *([_coverage_sheet(coverages)] * bool(coverages)),
        replace(_overall(pooled), reading=reading(pooled, records)),
        _by_category(rows, records),
        *([_official(official)] * bool(official)),
    ]


def _overall(rows: Sequence[Score]) -> Sheet:
    counts = _count_columns(any(row.num_ungraded for row in rows))
    lines = []
    for row in rows:
        numbers: tuple[Cell, ...] = (row.num_episodes, row.num_ungraded)
        estimates = (row.estimates.get(metric.name) for metric in METRICS)
        lines.append(Line((row.agent,), (*numbers[: len(counts)], *estimates)))
    measured = tuple(f"{metric.name} {metric.unit}".strip() for metric in METRICS)
    return Sheet(
        "agents",
        "All tasks (mean, 95% interval)",
        ("agent",),
        (*counts, *measured),
        tuple(lines),
        main=("accuracy", "reward"),
        spared=("tool", "format", "grounding", "tasks"),
    )


def _count_columns(has_ungraded: bool) -> tuple[str, ...]:
    return ("tasks", "ungraded") if has_ungraded else ("tasks",)


def _by_category(rows: Sequence[Score], records: Sequence[Record]) -> Sheet:
    categories = sorted({row.category for row in rows} - {ALL})
    by_place = {(row.agent, row.category): row.estimates.get("accuracy") for row in rows}
    lines = [
        Line((agent,), tuple(by_place.get((agent, category)) for category in categories))
        for agent in dict.fromkeys(row.agent for row in rows)
    ]
    by_category = grouped(records, lambda record: record.task.category)
    lines.append(Line(("(chance)",), tuple(chance(by_category[name]) for name in categories)))
    columns = tuple(category or "(none)" for category in categories)
    title = "Accuracy by category (mean, 95% interval)"
    return Sheet("categories", title, ("agent",), columns, tuple(lines))


def _official(rows: Sequence[OfficialScore]) -> Sheet:
    counts = _count_columns(any(row.num_ungraded for row in rows))
    return Sheet(
        "benchmarks",
        "Public benchmarks, averaged as each does: our strict reading beside its own\n"
        "scorer's (official); parted: tasks that the two read differently",
        ("benchmark", "agent", "group"),
        (*counts, *READINGS, "parted"),
        tuple(line for row in rows for line in _official_lines(row, len(counts))),
        digits=3,
        spared=("parted",),
    )


def _official_lines(row: OfficialScore, num_counts: int) -> Iterator[Line]:
    score, place = row.comparison, (row.task_set, row.agent)
    counts: tuple[Cell, ...] = (score.num_tasks + row.num_ungraded, row.num_ungraded)
    yield Line(
        (*place, score.name),
        (*counts[:num_counts], score.strict, score.official, len(score.parted)),
    )
    for group in score.groups:
        counts = (group.num_tasks, None)
        yield Line(
            (*place, f"{group.kind}: {group.name}"),
            (*counts[:num_counts], group.strict, group.official, None),
        )


UNCOVERED = "Not the whole suite: the rest was not played, not shown or failed, and is in no number"


@dataclass(frozen=True, slots=True)
class Coverage:
    """Number of tasks of a suite that an agent has played."""

    agent: str
    num_played: int
    num_tasks: int
    """Tasks of the suite, by the same rules."""

    def __str__(self) -> str:
        """Returns it for people."""
        return f"{self.num_played} of {self.num_tasks} tasks"


def shortfalls(records: Sequence[Record], suite: Suite | None = None) -> list[Coverage]:
    """Returns the coverages of agents that did not play their whole suite, in their order.

    Records are of one suite (the given one, or a built-in one), by the same rules.
    """
    suite = suite or (built_in(records[0].suite) if records else None)
    if suite is None:
        return []
    parts = suite.parts
    by_same = [part for part in parts if rules_of(part) == records[0].rules]
    num_tasks = sum(part.num_tasks for part in by_same or parts)
    return [
        Coverage(agent, num_played, num_tasks)
        for agent, own in grouped(records, lambda record: record.agent).items()
        if (num_played := len({EpisodeKey.of(record).task for record in own})) < num_tasks
    ]


def _coverage_sheet(coverages: Sequence[Coverage]) -> Sheet:
    lines = [Line((one.agent, str(one)), (one.num_tasks - one.num_played,)) for one in coverages]
    return Sheet("extent", UNCOVERED, ("agent", "recorded"), ("missing",), tuple(lines))


Agents = dict[str, list[Record]]
"""The records of each agent, the best agent first."""
CELL = ("category", "difficulty", "length")
"""Labels of the cells of a suite."""
LENGTHS = [name for name, _ in SPANS]
WORDS = {
    "grammar": "grammar {}",
    "num_overview": "{} overview frames",
    "frames_per_zoom": "{} frames a zoom",
    "frame_budget": "{} frames in all",
    "overview": "overview {}",
    "preset": "preset {}",
    "tools": "tools {}",
    "finder": "finder {}",
}
"""Words for rules that differ; turns are given as zooms."""


def apart(records: Sequence[Record]) -> dict[Rules, list[Record]]:
    """Returns records by rules, in the order of the rules."""
    by_rules = grouped(records, lambda record: record.rules)
    return {rules: by_rules[rules] for rules in sorted(by_rules, key=lambda rules: rules.order)}


def names_of(every: Sequence[Rules]) -> dict[Rules, str]:
    """Returns rules with their names: how they differ, such as `at most 2 zooms`."""
    rows = [asdict(rules) for rules in every]
    differing = [name for name in rows[0] if len({row[name] for row in rows}) > 1]
    return {
        rules: ", ".join(_words(name, row[name]) for name in differing if row[name] != "")
        for rules, row in zip(every, rows, strict=True)
    }


def _words(name: str, value: Any) -> str:
    if name == "max_turns":
        return f"at most {number_of(int(value) - 1, 'zoom')}"
    if isinstance(value, tuple):
        value = (" and " if name == "tools" else " or ").join(map(str, value))
    return WORDS[name].format(value)


def details(by_agent: Agents) -> list[Sheet]:
    """Returns the tables that explain a ranking by the same rules, without empty ones."""
    places = (_by_cell, _pairs, _grounding, _evidence, _segments, _by_frames)
    makers = (*places, calls, _failures, _costs)
    return [sheet for make in makers if (sheet := make(by_agent)).lines]


def _of_metrics(name: str, title: str, metrics: Sequence[Metric], by_agent: Agents) -> Sheet:
    lines = [
        Line((agent,), (len(own), *(estimate(metric, own) for metric in metrics)))
        for agent, own in by_agent.items()
    ]
    columns = ("episodes", *(metric.name for metric in metrics))
    return Sheet(name, title, ("agent",), columns, tuple(lines), main=columns[1:2])


def _by_cell(by_agent: Agents) -> Sheet:
    """Returns the table of accuracy in the cells of a suite, a column an agent.

    Labels that all cells share are left out; so is the table if only categories differ.
    """
    by_cell: dict[tuple[str, ...], Agents] = {}
    for agent, own in by_agent.items():
        for record in own:
            by_cell.setdefault(_cell(record), {}).setdefault(agent, []).append(record)
    kinds = [kind for kind in range(len(CELL)) if len({cell[kind] for cell in by_cell}) > 1]
    lines = []
    for cell in sorted(by_cell, key=_place) if kinds and kinds != [0] else ():
        played = by_cell[cell]
        tasks = {EpisodeKey.of(record).task for own in played.values() for record in own}
        accuracies = (estimate(ACCURACY, played.get(agent, [])) for agent in by_agent)
        lines.append(Line(tuple(cell[kind] for kind in kinds), (len(tasks), *accuracies)))
    labels = tuple(CELL[kind] for kind in kinds)
    title = f"Accuracy by {', '.join(labels)} (mean, 95% interval)"
    return Sheet("cells", title, labels, ("tasks", *by_agent), tuple(lines))


def _cell(record: Record) -> tuple[str, ...]:
    difficulty = record.settings.get("difficulty", "")
    if not isinstance(difficulty, str):
        difficulty = json.dumps(difficulty, sort_keys=True)
    return record.task.category, difficulty, span_of(record)


def _place(cell: tuple[str, ...]) -> tuple[str, int, str, int]:
    category, difficulty, length = cell
    order = [*DIFFICULTIES, difficulty].index(difficulty)
    return category, order, difficulty, LENGTHS.index(length)


def _pairs(by_agent: Agents) -> Sheet:
    records = [record for own in by_agent.values() for record in own]
    lines = [
        Line(
            (pair.agent, pair.against),
            (pair.difference.count, pair.difference, pair.num_better, pair.num_worse),
        )
        for pair in pairs(records, list(by_agent))
    ]
    title = "In pairs, on the tasks that both played: difference in accuracy (95% interval)"
    columns = ("tasks", "difference", "better on", "worse on")
    return Sheet("pairs", title, ("agent", "against"), columns, tuple(lines))


def _grounding(by_agent: Agents) -> Sheet:
    title = "Where zooms fell, of episodes with evidence and a zoom"
    known = {
        agent: zoomed
        for agent, own in by_agent.items()
        if (zoomed := [record for record in own if GROUNDING[0].of(record) is not None])
    }
    return _of_metrics("grounding", title, GROUNDING, known)


def _evidence(by_agent: Agents) -> Sheet:
    title = "With half of the evidence seen (gated), of episodes with evidence"
    known = {
        agent: evident
        for agent, own in by_agent.items()
        if (evident := [record for record in own if EVIDENCE[0].of(record) is not None])
    }
    is_named = any(NAMED[1].of(record) is not None for own in known.values() for record in own)
    return _of_metrics("evidence", title, EVIDENCE + NAMED * is_named, known)


def _segments(by_agent: Agents) -> Sheet:
    title = "How far answers overlap the true segment, of tasks that ask for one"
    known = {
        agent: asked
        for agent, own in by_agent.items()
        if (asked := [record for record in own if SEGMENTS[0].of(record) is not None])
    }
    return _of_metrics("segments", title, SEGMENTS, known)


def _by_frames(by_agent: Agents) -> Sheet:
    lines = []
    for agent, own in by_agent.items():
        for step, some in sorted(grouped(own, _step).items()):
            cells = (len(some), len(some) / len(own), estimate(ACCURACY, some))
            lines.append(Line((agent, _frames(some[0].rules, *step)), cells))
    title = "Accuracy by frames used, overview and zooms"
    columns = ("episodes", "share", "accuracy")
    return Sheet("frames", title, ("agent", "frames"), columns, tuple(lines))


def _step(record: Record) -> tuple[int, int]:
    """Returns the frames of the overview, and how many full zooms those of the clips make."""
    num_overview = len(record.overview.times_s)
    of_clips = record.frames_used - num_overview
    return num_overview, math.ceil(of_clips / record.rules.frames_per_zoom)


def _frames(rules: Rules, num_overview: int, num_zooms: int) -> str:
    least = num_overview + (num_zooms - 1) * rules.frames_per_zoom + 1
    most = min(least + rules.frames_per_zoom - 1, rules.frame_budget)
    return f"{least} to {most}" if num_zooms else str(num_overview)


def calls(by_agent: Agents) -> Sheet:
    """Returns the table of calls by tool; it is empty where zoom alone is offered."""
    offered = {tool for own in by_agent.values() for one in own for tool in one.rules.tools}
    tools = [tool for tool in TOOLS if tool in offered]
    metrics = [Metric(tool, "", partial(num_calls, tool=tool)) for tool in tools]
    metrics.append(Metric("all tools", "", num_calls))
    title = "Calls that were executed in an episode, by tool (mean, 95% interval)"
    return _of_metrics("calls", title, metrics, by_agent if tools != [ZOOM] else {})


def _failures(by_agent: Agents) -> Sheet:
    found = {id(record): failures_of(record) for own in by_agent.values() for record in own}

    def has(kind: str, record: Record) -> float | None:
        return float(kind in found[id(record)]) if is_told(kind, record) else None

    kinds = [Metric(kind, "", partial(has, kind), True) for kind in FAILURES]
    without = Metric("none of them", "", lambda record: float(not found[id(record)]), True)
    title = "Failures: share of the episodes that can tell (95% interval)"
    return replace(_of_metrics("failures", title, [*kinds, without], by_agent), turned="failure")


def _costs(by_agent: Agents) -> Sheet:
    used = sorted({name for own in by_agent.values() for record in own for name in record.usage})
    seconds = [
        Metric("wall s", "", lambda record: record.agent_s + record.decode_s),
        Metric("decode s", "", lambda record: record.decode_s),
        Metric("model s", "", lambda record: record.agent_s),
    ]
    usage = [Metric(name, "", partial(_usage, name)) for name in used]
    if any(map(_scanned, (record for own in by_agent.values() for record in own))):
        usage.append(Metric("frames scanned", "", _scanned))
    title = "What an episode took (mean, 95% interval)"
    return _of_metrics("costs", title, [*seconds, *usage], by_agent)


def _scanned(record: Record) -> float:
    return float(record.episode.all_scanned)


def _usage(name: str, record: Record) -> float | None:
    return record.usage.get(name)


def by_rules(groups: Sequence[tuple[Rules, Agents]]) -> Sheet:
    """Returns the table of accuracy by what the rules of a suite allow.

    The last group orders the agents.
    """
    frames, zooms = (next(m for m in METRICS if m.name == name) for name in ("frames", "zooms"))
    lines = [
        Line(
            (agent, str(rules.max_turns - 1), str(rules.frame_budget)),
            (len(own), *(estimate(metric, own) for metric in (ACCURACY, frames, zooms))),
        )
        for agent in dict.fromkeys(agent for _, by_agent in groups[::-1] for agent in by_agent)
        for rules, by_agent in groups
        for own in [by_agent.get(agent, [])]
        if own
    ]
    title = "Accuracy by the most zooms and frames that are allowed"
    labels = ("agent", "most zooms", "most frames")
    return Sheet("rules", title, labels, ("episodes", "accuracy", "frames", "zooms"), tuple(lines))
