"""Which episode a record is of, and whether records are of one run."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.evaluation.metrics import in_order
from benchmarks.evaluation.terms import check_terms
from zoomgym.errors import RecordError
from zoomgym.records import Record

__all__ = ["Identity", "difference", "identity_of", "join_records", "settings_of"]


MAX_SHOWN = 80
"""Characters of a setting."""


class Identity(NamedTuple):
    """What makes an episode the same one in another run, but for its agent."""

    suite: str
    version: str
    seed: int
    task_set_version: str
    task_set_hash: str
    settings: str
    """Of its environment, as JSON: see `settings_of`."""
    task_id: str


def settings_of(settings: Mapping[str, Any], task_set: str) -> str:
    """Returns the settings of an environment as JSON, wherever the files of its task set are."""
    return json.dumps({**settings, "tasks": task_set}, sort_keys=True)


def identity_of(record: Record) -> Identity:
    """Returns the identity of a record."""
    return Identity(
        suite=record.suite,
        version=record.version,
        seed=record.seed,
        task_set_version=record.task_set_version,
        task_set_hash=record.task_set_hash,
        settings=settings_of(record.settings, record.task_set),
        task_id=record.task.id,
    )


def difference(stranger: Identity, own: Identity, names: Sequence[str] = Identity._fields) -> str:
    """Returns the first thing in which two episodes differ, of names; empty if there is none."""
    for name in names:
        its, ours = getattr(stranger, name), getattr(own, name)
        if its != ours:
            if name == "settings":
                return _first_setting(its, ours)
            return f"{name.replace('_', ' ')} {its}, not {ours}"
    return ""


def _first_setting(stranger: str, own: str) -> str:
    """Returns the first setting in which two episodes differ."""
    its, ours = json.loads(stranger), json.loads(own)
    if its.keys() == ours.keys():
        for name in ours:
            left, right = (json.dumps(settings[name]) for settings in (its, ours))
            if left != right:
                return f"{name} {left[:MAX_SHOWN]}, not {right[:MAX_SHOWN]}"
    return "other settings"


def join_records(files: Mapping[str, Sequence[Record]]) -> list[Record]:
    """Returns the records of one run, each once, in an order that does not depend on theirs.

    Args:
        files: what was read, by the name of its file. A record may stand there again.

    Raises:
        RecordError: they are of another suite or seed, or must not stand in one table: see
            `check_terms`.
    """
    first_of: dict[tuple[Identity, str], Record] = {}
    once: dict[str, list[Record]] = {name: [] for name in files}
    run: tuple[str, Identity] | None = None
    for name, records in files.items():
        for record in records:
            identity = identity_of(record)
            run_name, of_run = run = run or (name, identity)
            if told := difference(identity, of_run, ("suite", "seed")):
                raise RecordError(
                    f"{name} and {run_name} hold episodes of different runs: {told}. Join what was "
                    "played on the same suite with the same seed"
                )
            first = first_of.setdefault((identity, record.agent), record)
            if record is first or record != first:  # one that differs is refused by check_terms
                once[name].append(record)
    check_terms(once)
    return in_order(first_of.values())
