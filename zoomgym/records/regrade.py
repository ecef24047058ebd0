"""Grades the answers of recorded episodes again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zoomgym.errors import GradingError
from zoomgym.grading import UNGRADED, Grader
from zoomgym.io import side_by_side
from zoomgym.records.record import Record, regrade


@dataclass(frozen=True, slots=True)
class Regraded:
    """A record that was graded again."""

    record: Record
    trouble: str = ""
    """Says why it is ungraded; empty if it is graded."""

    @property
    def outcome(self) -> str:
        """`right`, `wrong` or `ungraded`."""
        if not self.record.is_graded:
            return "ungraded"
        return "right" if self.record.reward_parts.accuracy else "wrong"


def regrade_all(records: Sequence[Record], grader: Grader, num_threads: int) -> Iterator[Regraded]:
    """Yields every record, in order, with its open-ended answer graded by grader, in threads.

    An answer that cannot be graded is marked so, even if it was graded before. Raises RecordError
    if a record cannot be replayed.
    """
    for one in side_by_side(lambda record: _regrade(record, grader), records, num_threads):
        if isinstance(one, BaseException):
            raise one
        yield one


def _regrade(record: Record, grader: Grader) -> Regraded:
    """Returns a record graded by grader, or marked as ungraded. Raises RecordError."""
    try:
        return Regraded(regrade(record, grader))
    except GradingError as error:
        return Regraded(regrade(record, UNGRADED), str(error))
