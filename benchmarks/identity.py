"""Which episode a record is of, and whether records are of one run."""

import json
from collections.abc import Iterable
from typing import NamedTuple

from zoomgym.errors import RecordError
from zoomgym.records import Record

__all__ = ["Identity", "difference", "identity_of", "join_records"]


class Identity(NamedTuple):
    """What makes an episode the same one in another run, but for its agent."""

    suite: str
    version: str
    seed: int
    task_set_version: str
    task_set_hash: str
    settings: str
    """Of its environment, as JSON."""
    task_id: str


def identity_of(record: Record) -> Identity:
    """Returns the identity of a record."""
    return Identity(
        suite=record.suite,
        version=record.version,
        seed=record.seed,
        task_set_version=record.task_set_version,
        task_set_hash=record.task_set_hash,
        settings=json.dumps(record.settings, sort_keys=True),
        task_id=record.task.id,
    )


def difference(stranger: Identity, own: Identity) -> str:
    """Returns the first thing in which two episodes differ; empty if they are the same."""
    for name, its, ours in zip(Identity._fields, stranger, own, strict=True):
        if its != ours:
            is_long = name == "settings"
            return "other settings" if is_long else f"{name.replace('_', ' ')} {its}, not {ours}"
    return ""


def join_records(placed: Iterable[tuple[str, Record]]) -> list[Record]:
    """Returns the records of one run, each once, in an order that does not depend on theirs.

    Args:
        placed: the records, each with the file that it stands in. One may stand there again.

    Raises:
        RecordError: they are not of one run, or an episode has two records that differ.
    """
    first_of: dict[tuple[Identity, str], tuple[str, Record]] = {}
    runs: dict[tuple[str, str], tuple[str, Identity]] = {}
    for place, record in placed:
        identity = identity_of(record)
        of_set = identity._replace(task_id="")
        of_run = of_set._replace(task_set_version="", task_set_hash="", settings="")
        for key, own in ((("", ""), of_run), ((record.task_set, identity.settings), of_set)):
            other_place, other = runs.setdefault(key, (place, own))
            if told := difference(own, other):
                raise RecordError(
                    f"{place} and {other_place} hold episodes of different runs: {told}. Join "
                    "what was played with the same suite, seed, version and tasks"
                )
        other_place, same = first_of.setdefault((identity, record.agent), (place, record))
        if same != record:
            raise RecordError(
                f"{place} and {other_place} hold different episodes of {record.agent} on "
                f"{record.task.id}: leave one of them out"
            )
    return [first_of[key][1] for key in sorted(first_of)]
