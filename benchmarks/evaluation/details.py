"""Tables that explain a ranking: who beats whom, where agents look, what fails, what it takes."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, astuple, replace
from functools import partial

from benchmarks.evaluation.durations import SPANS, span_of
from benchmarks.evaluation.failures import FAILURES, failures_of, is_told
from benchmarks.evaluation.formats import Line, Sheet
from benchmarks.evaluation.grounding import GROUNDING
from benchmarks.evaluation.metrics import ACCURACY, METRICS, Metric, estimate
from benchmarks.evaluation.pairs import pairs
from benchmarks.evaluation.terms import part_of
from zoomgym.io.messages import number_of
from zoomgym.records import Record
from zoomgym.rules.episode import Rules
from zoomgym.tasks.synthetic import DIFFICULTIES

__all__ = ["Agents", "apart", "by_rules", "details", "names_of"]

Agents = dict[str, list[Record]]
"""The records of each agent, the best agent first."""
CELL = ("category", "difficulty", "length")
"""What tells the cells of a suite apart."""
LENGTHS = [name for name, _ in SPANS]
WORDS = {
    "grammar": "grammar {}",
    "num_overview": "{} overview frames",
    "frames_per_zoom": "{} frames a zoom",
    "frame_budget": "{} frames in all",
}
"""How what differs between rules is said; turns are told as zooms."""


def apart(records: Sequence[Record]) -> dict[Rules, list[Record]]:
    """Returns records by the rules they were played by, in the order of these."""
    every = sorted({record.rules for record in records}, key=astuple)
    return {rules: [record for record in records if record.rules == rules] for rules in every}


def names_of(every: Sequence[Rules]) -> dict[Rules, str]:
    """Returns rules with their names: what they don't have in common, such as `at most 2 zooms`."""
    rows = [asdict(rules) for rules in every]
    differing = [name for name in rows[0] if len({row[name] for row in rows}) > 1]
    return {
        rules: ", ".join(_words(name, row[name]) for name in differing)
        for rules, row in zip(every, rows, strict=True)
    }


def _words(name: str, value: str | int) -> str:
    """Returns what a rule says."""
    if name != "max_turns":
        return WORDS[name].format(value)
    return f"at most {number_of(int(value) - 1, 'zoom')}"


def details(by_agent: Agents) -> list[Sheet]:
    """Returns the tables that explain a ranking, without those in which nothing stands.

    Args:
        by_agent: the records of each agent, in the order of the ranking; all of one suite, played
            by the same rules.
    """
    makers = (_by_cell, _pairs, _grounding, _by_frames, _failures, _costs)
    return [sheet for make in makers if (sheet := make(by_agent)).lines]


def _of_metrics(name: str, title: str, metrics: Sequence[Metric], by_agent: Agents) -> Sheet:
    """Returns a table of metrics, a line an agent."""
    lines = [
        Line((agent,), (len(own), *(estimate(metric, own) for metric in metrics)))
        for agent, own in by_agent.items()
    ]
    columns = ("episodes", *(metric.name for metric in metrics))
    return Sheet(name, title, ("agent",), columns, tuple(lines), main=columns[1:2])


def _by_cell(by_agent: Agents) -> Sheet:
    """Returns the table of accuracy in the cells of a suite, a column an agent.

    What all cells have in common is left out; if they differ in the category alone, all of it is.
    """
    by_cell: dict[tuple[str, ...], Agents] = {}
    for agent, own in by_agent.items():
        for record in own:
            by_cell.setdefault(_cell(record), {}).setdefault(agent, []).append(record)
    kinds = [kind for kind in range(len(CELL)) if len({cell[kind] for cell in by_cell}) > 1]
    lines = []
    for cell in sorted(by_cell, key=_place) if kinds and kinds != [0] else ():
        played = by_cell[cell]
        tasks = {(part_of(record), record.task.id) for own in played.values() for record in own}
        accuracies = (estimate(ACCURACY, played.get(agent, [])) for agent in by_agent)
        lines.append(Line(tuple(cell[kind] for kind in kinds), (len(tasks), *accuracies)))
    labels = tuple(CELL[kind] for kind in kinds)
    title = f"Accuracy by {', '.join(labels)} (mean, 95% interval)"
    return Sheet("cells", title, labels, ("tasks", *by_agent), tuple(lines))


def _cell(record: Record) -> tuple[str, ...]:
    """Returns the category, difficulty and length of the task of a record."""
    difficulty = record.settings.get("difficulty", "")
    if not isinstance(difficulty, str):
        difficulty = json.dumps(difficulty, sort_keys=True)
    return record.task.category, difficulty, span_of(record)


def _place(cell: tuple[str, ...]) -> tuple[str, int, str, int]:
    """Returns what cells are ordered by: the easier and the shorter ones first."""
    category, difficulty, length = cell
    order = [*DIFFICULTIES, difficulty].index(difficulty)
    return category, order, difficulty, LENGTHS.index(length)


def _pairs(by_agent: Agents) -> Sheet:
    """Returns the table of agents in pairs."""
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
    """Returns the table of where zooms fell."""
    title = "Where zooms fell, of episodes with evidence and a zoom"
    zoomed = {
        agent: [record for record in own if GROUNDING[0].of(record) is not None]
        for agent, own in by_agent.items()
    }
    known = {agent: own for agent, own in zoomed.items() if own}
    return _of_metrics("grounding", title, GROUNDING, known)


def _by_frames(by_agent: Agents) -> Sheet:
    """Returns the table of accuracy by the number of frames that were shown."""
    lines = []
    for agent, own in by_agent.items():
        by_step: dict[int, list[Record]] = {}
        for record in own:
            by_step.setdefault(_step(record), []).append(record)
        for step, some in sorted(by_step.items()):
            cells = (len(some), len(some) / len(own), estimate(ACCURACY, some))
            lines.append(Line((agent, _frames(some[0].rules, step)), cells))
    title = "Accuracy by frames used, overview and zooms"
    columns = ("episodes", "share", "accuracy")
    return Sheet("frames", title, ("agent", "frames"), columns, tuple(lines))


def _step(record: Record) -> int:
    """Returns how many full zooms would show as many frames as an episode used, rounded up."""
    of_clips = record.frames_used - record.rules.num_overview
    return math.ceil(of_clips / record.rules.frames_per_zoom)


def _frames(rules: Rules, step: int) -> str:
    """Returns the numbers of frames that are counted together."""
    least = rules.num_overview + (step - 1) * rules.frames_per_zoom + 1
    most = min(least + rules.frames_per_zoom - 1, rules.frame_budget)
    return f"{least} to {most}" if step else str(rules.num_overview)


def _failures(by_agent: Agents) -> Sheet:
    """Returns the table of how often each kind of failure is found."""
    found = {id(record): failures_of(record) for own in by_agent.values() for record in own}

    def has(kind: str, record: Record) -> float | None:
        return float(kind in found[id(record)]) if is_told(kind, record) else None

    kinds = [Metric(kind, "", partial(has, kind), True) for kind in FAILURES]
    without = Metric("none of them", "", lambda record: float(not found[id(record)]), True)
    title = "Failures: share of the episodes that can tell (95% interval)"
    sheet = _of_metrics("failures", title, [*kinds, without], by_agent)
    return replace(sheet, turned="failure")


def _costs(by_agent: Agents) -> Sheet:
    """Returns the table of seconds, and of what agents say that they used."""
    used = sorted({name for own in by_agent.values() for record in own for name in record.usage})
    seconds = [
        Metric("wall s", "", lambda record: record.agent_s + record.decode_s),
        Metric("decode s", "", lambda record: record.decode_s),
        Metric("model s", "", lambda record: record.agent_s),
    ]
    usage = [Metric(name, "", partial(_usage, name)) for name in used]
    title = "What an episode took (mean, 95% interval)"
    return _of_metrics("costs", title, [*seconds, *usage], by_agent)


def _usage(name: str, record: Record) -> float | None:
    """Returns how much of something an episode used, if its agent counted that."""
    return record.usage.get(name)


def by_rules(groups: Sequence[tuple[Rules, Agents]]) -> Sheet:
    """Returns the table of accuracy by what the rules of a suite allow.

    Args:
        groups: the records of a suite, by the rules they were played by. The last of them order
            the agents.
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
