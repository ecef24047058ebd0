"""How much of a suite each agent has played. What is missing was not tried yet, or it failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.evaluation.formats import Line, Sheet
from benchmarks.evaluation.suites import SUITES, Suite, rules_of
from benchmarks.evaluation.terms import part_of
from zoomgym.records import Record

__all__ = ["Extent", "extent_sheet", "shortfalls"]

TITLE = "Not the whole suite: the rest was not played, not shown or failed, and is in no number"


@dataclass(frozen=True, slots=True)
class Extent:
    """How many tasks of a suite an agent has played."""

    agent: str
    num_played: int
    num_tasks: int
    """Of the suite, by the same rules."""

    def __str__(self) -> str:
        """Returns it for people."""
        return f"{self.num_played} of {self.num_tasks} tasks"


def shortfalls(records: Sequence[Record], suite: Suite | None = None) -> list[Extent]:
    """Returns the extents of agents that have not played their whole suite, in their order.

    Args:
        records: of one suite, played by the same rules.
        suite: theirs. None is the built-in one of its name; there is no extent where there is none.
    """
    suite = suite or (SUITES.get(records[0].suite) if records else None)
    if suite is None:
        return []
    parts = suite.parts
    by_same = [part for part in parts if rules_of(part) == records[0].rules]
    num_tasks = sum(part.num_tasks for part in by_same or parts)
    played: dict[str, set[object]] = {}
    for record in records:
        played.setdefault(record.agent, set()).add((part_of(record), record.task.id))
    return [
        Extent(agent, len(tasks), num_tasks)
        for agent, tasks in played.items()
        if len(tasks) < num_tasks
    ]


def extent_sheet(extents: Sequence[Extent]) -> Sheet:
    """Returns the table of how much is missing, a line an agent."""
    lines = [Line((one.agent, str(one)), (one.num_tasks - one.num_played,)) for one in extents]
    return Sheet("extent", TITLE, ("agent", "recorded"), ("missing",), tuple(lines))
