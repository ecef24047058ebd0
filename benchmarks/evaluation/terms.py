"""What records must have in common to stand in one table; how they differ if they do not."""

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from typing import Any

from benchmarks.evaluation.suites import SUITES, rules_of
from zoomgym.errors import RecordError
from zoomgym.io.messages import plain
from zoomgym.records import Record
from zoomgym.rules.episode import Rules
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import merge_weights

__all__ = ["check_terms", "part_of"]

Terms = Mapping[str, Any]
"""Names and values of what must not differ."""

OF_TASKS = ("split", "duration_s", "difficulty", "source", "subtitles")
"""Settings that say which tasks of a set there are, and in which shape."""
OF_FRAMES = ("max_pixels", "on_damage")
"""Settings that say how a frame is shown."""
MAX_SHOWN = 80
"""Characters of a value: a question may be long."""
MOST_AGENTS = 200
"""They make 20,000 pairs."""
MOST_CELLS = 100_000
MOST_USED = 100
REMEDY = "show them apart, or play them again alike"


def part_of(record: Record) -> Hashable:
    """Returns which part of a suite an episode belongs to: tasks of the same set and settings."""
    settings = [record.settings.get(name) for name in OF_TASKS]
    return record.suite, record.task_set, json.dumps(settings, sort_keys=True)


def check_terms(files: Mapping[str, Sequence[Record]]) -> None:
    """Refuses records that must not be mixed.

    Args:
        files: what was read, by the name of its file.

    Raises:
        RecordError: package versions, rules, weights, tasks, lengths of their videos, graders or
            an agent's code differ, or an episode stands twice; says in what, and where. Or there is
            more than tables can show.
    """
    _check_same("the same package version", files, lambda record: ("", {"version": record.version}))
    suites = {record.suite for records in files.values() for record in records}
    by_suite = {suite: _rules_of_suite(suite) for suite in suites}
    _check_same("the same rules", files, partial(_rules, by_suite))
    _check_same("the same reward weights", files, _weights)
    _check_same("the same tasks, shown alike", files, _tasks)
    _check_same("the same task and length of its video by the same id", files, _task)
    _check_same("the same grading of open-ended answers", files, _grading)
    _check_same("the same code or weights of an agent", files, _agent)
    _check_loose(files)
    _check_once(files)
    _check_size([record for records in files.values() for record in records])


def _check_same(
    what: str,
    files: Mapping[str, Sequence[Record]],
    terms_of: Callable[[Record], tuple[Hashable, Terms] | None],
) -> None:
    """Refuses records of one scope whose terms differ.

    Args:
        what: is needed.
        files: what was read, by the name of its file.
        terms_of: returns the scope of a record and its terms; None if it has none.
    """
    first: dict[Hashable, tuple[Terms, str]] = {}
    for name, records in files.items():
        for record in records:
            if (found := terms_of(record)) is None:
                continue
            scope, terms = found
            where = f"agent {record.agent} in {name}{', suite ' * bool(record.suite)}{record.suite}"
            known, known_where = first.setdefault(scope, (terms, where))
            if known != terms:
                raise RecordError(
                    f"records need {what}, got {_difference(known, terms)} ({known_where}) "
                    f"and {_difference(terms, known)} ({where}): {REMEDY}"
                )


def _difference(terms: Terms, others: Terms) -> str:
    """Returns the terms that others have not, or have otherwise."""
    return ", ".join(
        f"{name} {_shown(value)}" for name, value in terms.items() if others.get(name) != value
    )


def _shown(value: Any) -> str:
    """Returns a value for people, who may not trust it."""
    return plain((value if isinstance(value, str) else repr(value))[:MAX_SHOWN])


def _rules(by_suite: Mapping[str, set[Rules]], record: Record) -> tuple[Hashable, Terms]:
    """Returns the rules; all those that a suite is played by count as the same ones."""
    own = by_suite[record.suite]
    if len(own) > 1 and record.rules in own:
        return record.suite, {"rules": "of the suite"}
    return record.suite, asdict(record.rules)


def _rules_of_suite(name: str) -> set[Rules]:
    """Returns the rules that a suite is played by; none if it is not known here."""
    return {rules_of(part) for part in SUITES[name].parts} if name in SUITES else set()


def _weights(record: Record) -> tuple[Hashable, Terms]:
    """Returns the reward weights."""
    return record.suite, merge_weights(record.settings["reward_weights"])


def _tasks(record: Record) -> tuple[Hashable, Terms]:
    """Returns what a part of a suite asks and shows."""
    shown = {name: record.settings.get(name) for name in OF_FRAMES}
    return part_of(record), {
        f"{record.task_set} version": record.task_set_version,
        f"{record.task_set} hash": record.task_set_hash,
        **shown,
    }


def _task(record: Record) -> tuple[Hashable, Terms]:
    """Returns what a task is by its id."""
    lengths_s = {"duration_s": record.duration_s, "last_frame_s": record.last_frame_s}
    return (part_of(record), record.task.id), {**_fields(record.task), **lengths_s}


def _fields(task: VideoQuestion) -> Terms:
    """Returns what a task says."""
    return {field.name: getattr(task, field.name) for field in fields(task)}


def _grading(record: Record) -> tuple[Hashable, Terms] | None:
    """Returns who graded an open-ended answer, if somebody did."""
    if record.task.options or not record.is_graded:
        return None
    return record.suite, {"grading": record.grading}


def _agent(record: Record) -> tuple[Hashable, Terms] | None:
    """Returns what an agent is made of, if that is known."""
    if not record.agent_hash:
        return None
    return (record.suite, record.agent), {"hash": record.agent_hash}


def _check_loose(files: Mapping[str, Sequence[Record]]) -> None:
    """Refuses agents on different task sets, where no suite says that these belong together."""
    parts: dict[str, dict[Hashable, str]] = {}
    for name, records in files.items():
        for record in records:
            if not record.suite:
                where = f"{_describe(record)} (agent {record.agent} in {name})"
                parts.setdefault(record.agent, {}).setdefault(part_of(record), where)
    for own in parts.values():
        for other, others in parts.items():
            for part in [part for part in own if part not in others]:
                raise RecordError(
                    f"records of no suite need all agents on the same task sets, got {own[part]}, "
                    f"on which agent {other} has none: {REMEDY}"
                )


def _describe(record: Record) -> str:
    """Returns the task set of a record in words."""
    settings = (f"{name} {record.settings.get(name)}" for name in OF_TASKS)
    return ", ".join([f"{record.task_set} {record.task_set_hash}", *settings])


def _check_once(files: Mapping[str, Sequence[Record]]) -> None:
    """Refuses an episode that stands twice."""
    seen: dict[Hashable, str] = {}
    for name, records in files.items():
        for record in records:
            task = (part_of(record), record.rules, record.task.id)
            episode = (*task, record.agent, record.seed)
            if episode in seen:
                raise RecordError(
                    f"each episode is needed once, got agent {record.agent} on {record.task.id} "
                    f"with seed {record.seed} in {seen[episode]} and again in {name}: "
                    "give each file once, and drop one of the two"
                )
            seen[episode] = name


def _check_size(records: Sequence[Record]) -> None:
    """Refuses more agents than are compared in pairs, and other tables that nobody could read."""
    num_agents = len({record.agent for record in records})
    num_cells = num_agents * len({record.task.category for record in records})
    num_used = len({name for record in records for name in record.usage})
    for what, number, most in (
        ("agents", num_agents, MOST_AGENTS),
        ("agents times categories", num_cells, MOST_CELLS),
        ("kinds of what agents used", num_used, MOST_USED),
    ):
        if number > most:
            raise RecordError(f"records need at most {most} {what}, got {number}: show them apart")
