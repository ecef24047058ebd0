"""Comparable records: the episode that each is of, and the settings that all must share."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any, Self

from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.suites import built_in, is_paired, rules_of
from zoomgym.errors import RecordError, TaskError
from zoomgym.io import plain
from zoomgym.records import Record, is_synthetic, made_again
from zoomgym.rules import Rules, VideoQuestion, merge_weights

Terms = Mapping[str, Any]

OF_TASKS = ("split", "duration_s", "difficulty", "source", "subtitles")
"""Settings that choose the tasks of a set and their form."""
OF_FRAMES = ("max_pixels", "on_damage")
"""Settings that change how a frame looks."""
MAX_SHOWN = 80
"""Characters shown of a value: a question may be long."""
MOST_AGENTS = 200
"""Agents that tables compare in pairs, at most: 20,000 pairs."""
MOST_CELLS = 100_000
MOST_USED = 100
REMEDY = "show them apart, or play them again alike"


@dataclass(frozen=True, slots=True, order=True)
class EpisodeKey:
    """Identifies an episode: the same in every run, for every agent."""

    suite: str
    version: str
    seed: int
    task_set: str
    task_set_version: str
    task_set_hash: str
    settings: str
    """Arguments of its environment in JSON, without the location of its tasks."""
    task_id: str
    task_settings: str
    """The arguments that choose the tasks of a set, in JSON."""

    @classmethod
    def make(
        cls,
        suite: str,
        version: str,
        seed: int,
        tasks: tuple[str, str, str],
        settings: Mapping[str, Any],
        task_id: str,
    ) -> Self:
        """Returns a key, given the name, version and hash of its task set."""
        elsewhere = {name: value for name, value in settings.items() if name != "tasks"}
        own = [settings.get(name) for name in OF_TASKS]
        as_text = (json.dumps(some, sort_keys=True) for some in (elsewhere, own))
        return cls(suite, version, seed, *tasks, next(as_text), task_id, next(as_text))

    @classmethod
    def of(cls, record: Record) -> Self:
        """Returns the key of a record."""
        tasks = record.task_set, record.task_set_version, record.task_set_hash
        return cls.make(
            record.suite, record.version, record.seed, tasks, record.settings, record.task.id
        )

    @property
    def part(self) -> Hashable:
        """Part of the suite: tasks of one set, in any version, by any rules."""
        return self.suite, self.task_set, self.task_settings

    @property
    def task(self) -> Hashable:
        """Task of the part, by which agents are compared."""
        return self.part, self.task_id

    @property
    def opened_set(self) -> Hashable:
        """Task set as it was opened: the same content and settings."""
        return self.task_set, self.task_set_version, self.task_set_hash, self.settings

    @property
    def opened_task(self) -> Hashable:
        """Task of the set as it was opened."""
        return self.opened_set, self.task_id

    def difference(self, other: Self, names: Sequence[str] = ()) -> str:
        """Returns the first field (of names, or of all) in which this differs from another."""
        for name in names or (one.name for one in fields(self)):
            its, ours = getattr(self, name), getattr(other, name)
            if its != ours and name == "settings":
                return _first_setting(json.loads(its), json.loads(ours))
            if its != ours:
                return f"{name.replace('_', ' ')} {its}, not {ours}"
        return ""


def _first_setting(its: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Returns the first setting in which two episodes differ."""
    if its.keys() == ours.keys():
        for name in ours:
            left, right = json.dumps(its[name]), json.dumps(ours[name])
            if left != right:
                return f"{name} {left[:MAX_SHOWN]}, not {right[:MAX_SHOWN]}"
    return "other settings"


def in_order(records: Iterable[Record]) -> list[Record]:
    """Returns records in the order in which they are counted, however they come.

    A bootstrap draws by position, so the intervals depend on the order.
    """
    by_place = grouped(records, lambda one: (one.suite, one.task.id, one.agent, one.seed))
    return [
        record
        for _, own in sorted(by_place.items(), key=lambda item: item[0])
        for record in (sorted(own, key=Record.to_json) if len(own) > 1 else own)
    ]


def check_terms(files: Mapping[str, Sequence[Record]]) -> None:
    """Refuses records, by the names of their files, that do not compare.

    Raises:
        RecordError: package versions, rules, weights, tasks, lengths of their videos, graders or
            an agent's code differ, an episode occurs twice, or tables would be too large.
    """
    suites = {record.suite for records in files.values() for record in records}
    by_suite = {
        suite: {rules_of(part) for part in known.parts} if (known := built_in(suite)) else set()
        for suite in suites
    }
    for what, terms_of in (
        ("the same package version", lambda record: ("", {"version": record.version})),
        ("the same rules", partial(_rules, by_suite)),
        ("the same rules", partial(_turns, by_suite)),
        (
            "the same reward weights",
            lambda record: (
                (record.suite, record.rules.preset),
                merge_weights(record.settings["reward_weights"]),
            ),
        ),
        ("the same tasks, shown alike", _tasks),
        ("the same task and length of its video by the same id", _task),
        ("the same grading of open-ended answers", _grading),
        (
            "the same code or weights of an agent",
            lambda one: (
                ((one.suite, one.agent), {"hash": one.agent_hash}) if one.agent_hash else None
            ),
        ),
    ):
        _check_same(what, files, terms_of)
    _check_loose(files)
    _check_once(files)
    _check_size([record for records in files.values() for record in records])


def _check_same(
    what: str,
    files: Mapping[str, Sequence[Record]],
    terms_of: Callable[[Record], tuple[Hashable, Terms] | None],
) -> None:
    """Refuses records of one scope whose terms differ.

    `terms_of` returns the scope of a record and its terms, or None if it has none.
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
    """Returns the terms that others lack or have differently."""
    return ", ".join(
        f"{name} {_shown(value)}" for name, value in terms.items() if others.get(name) != value
    )


def _shown(value: Any) -> str:
    """Returns a value, cleaned and cut for a message."""
    return plain((value if isinstance(value, str) else repr(value))[:MAX_SHOWN])


def _rules(by_suite: Mapping[str, set[Rules]], record: Record) -> tuple[Hashable, Terms]:
    """Returns the rules; all rules of a suite count as the same, and each preset has its own.

    The turns of a paired suite of your own are left to `_turns`.
    """
    own, scope = by_suite[record.suite], (record.suite, record.rules.preset)
    if len(own) > 1 and record.rules in own:
        return scope, {"rules": "of the suite"}
    terms = asdict(record.rules)
    if is_paired(record.suite) and not own:
        del terms["max_turns"]
    return scope, terms


def _turns(by_suite: Mapping[str, set[Rules]], record: Record) -> tuple[Hashable, Terms] | None:
    """Returns the most turns with tools in a paired suite of your own."""
    most = record.rules.max_turns
    if not is_paired(record.suite) or by_suite[record.suite] or most == 1:
        return None
    return (record.suite, record.rules.preset), {"max_turns": most}


def _tasks(record: Record) -> tuple[Hashable, Terms]:
    """Returns the content of a part of a suite, and how it is shown."""
    shown = {name: record.settings.get(name) for name in OF_FRAMES}
    return EpisodeKey.of(record).part, {
        f"{record.task_set} version": record.task_set_version,
        f"{record.task_set} hash": record.task_set_hash,
        **shown,
    }


def _task(record: Record) -> tuple[Hashable, Terms]:
    lengths_s = {"duration_s": record.duration_s, "last_frame_s": record.last_frame_s}
    own = {field.name: getattr(record.task, field.name) for field in fields(VideoQuestion)}
    return EpisodeKey.of(record).task, {**own, **lengths_s}


def _grading(record: Record) -> tuple[Hashable, Terms] | None:
    if record.task.options or not record.is_graded:
        return None
    return record.suite, {"grading": record.grading}


def _check_loose(files: Mapping[str, Sequence[Record]]) -> None:
    """Refuses agents on different task sets, if no suite joins these."""
    parts: dict[str, dict[Hashable, str]] = {}
    for name, records in files.items():
        for record in records:
            if not record.suite:
                where = f"{_describe(record)} (agent {record.agent} in {name})"
                part = EpisodeKey.of(record).part
                parts.setdefault(record.agent, {}).setdefault(part, where)
    for own in parts.values():
        for other, others in parts.items():
            for part in [part for part in own if part not in others]:
                raise RecordError(
                    f"records of no suite need all agents on the same task sets, got {own[part]}, "
                    f"on which agent {other} has none: {REMEDY}"
                )


def _describe(record: Record) -> str:
    settings = (f"{name} {record.settings.get(name)}" for name in OF_TASKS)
    return ", ".join([f"{record.task_set} {record.task_set_hash}", *settings])


def _check_once(files: Mapping[str, Sequence[Record]]) -> None:
    seen: dict[Hashable, str] = {}
    for name, records in files.items():
        for record in records:
            episode = (EpisodeKey.of(record).task, record.rules, record.agent, record.seed)
            if episode in seen:
                raise RecordError(
                    f"each episode is needed once, got agent {record.agent} on {record.task.id} "
                    f"with seed {record.seed} in {seen[episode]} and again in {name}: "
                    "give each file once, and drop one of the two"
                )
            seen[episode] = name


def _check_size(records: Sequence[Record]) -> None:
    """Refuses records that would fill tables that nobody can read."""
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


def join_records(files: Mapping[str, Sequence[Record]]) -> list[Record]:
    """Returns the records of one run, each once, in the order of `in_order`.

    They come by the names of their files, and may occur in several. Raises RecordError if they are
    of another suite or seed, or `check_terms` refuses them.
    """
    first_of: dict[tuple[EpisodeKey, str], Record] = {}
    once: dict[str, list[Record]] = {name: [] for name in files}
    run: tuple[str, EpisodeKey] | None = None
    for name, records in files.items():
        for record in records:
            key = EpisodeKey.of(record)
            run_name, of_run = run = run or (name, key)
            if told := key.difference(of_run, ("suite", "seed")):
                raise RecordError(
                    f"{name} and {run_name} hold episodes of different runs: {told}. Join what was "
                    "played on the same suite with the same seed"
                )
            first = first_of.setdefault((key, record.agent), record)
            if record is first or record != first:  # one that differs is refused by check_terms
                once[name].append(record)
    check_terms(once)
    return in_order(first_of.values())


Made = dict[tuple[str, str], tuple[Any, ...]]
"""Synthetic tasks by settings and task id: see `_made`."""


def check_synthetic(records: Iterable[Record], made: Made | None = None) -> None:
    """Refuses records whose synthetic task is not what their settings make today.

    Other tasks are trusted: their files may be anywhere. `made` caches tasks between calls. Raises
    RecordError.
    """
    made = {} if made is None else made
    for record in records:
        if not (is_synthetic(record.settings["tasks"]) or is_synthetic(record.task_set)):
            continue
        where = f"agent {record.agent} on {record.task.id}"
        place = json.dumps(record.settings, sort_keys=True), record.task.id
        try:
            if place not in made:
                made[place] = _made(record)
        except TaskError as error:
            raise RecordError(
                f"{where}: needed settings that make its synthetic task again, got: {error}"
            ) from error
        tasks = record.task_set_version, record.task_set, record.task_set_hash
        if (*tasks, record.task, record.duration_s, record.last_frame_s) != made[place]:
            raise RecordError(
                f"{where}: needed the synthetic task that its settings make, got another: this "
                f"version ({made[place][0]}) makes others, or the record was edited"
            )


def _made(record: Record) -> tuple[Any, ...]:
    """Returns the set that settings make, its task and its length. Raises TaskError."""
    tasks = made_again(record, source="scene")  # as long as the file, which need not be written
    task = tasks.by_id(record.task.id)
    with closing(tasks.open_video(task)) as video:
        return (
            *(tasks.version, tasks.name, tasks.content_hash, task),
            *(video.duration_s, video.last_frame_s),
        )
