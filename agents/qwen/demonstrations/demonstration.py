"""A trajectory to learn from: what makes it worth learning, and the file it is kept in.

A file has one JSON object a line:

{"first_turn": 0, "record": {..}}, where the record is written as in a file of records.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from agents.synthetic.evidence import is_shown
from zoomgym.errors import RecordError
from zoomgym.records import Record, append_line, load_row, read_lines, replay
from zoomgym.rules import Episode

NEEDED = '{"first_turn": .., "record": ..}'


@dataclass(frozen=True, slots=True)
class Demonstration:
    """An episode whose replies are to be learned, from one of them on.

    Raises:
        RecordError: there is no such turn.
    """

    record: Record
    first_turn: int = 0
    """First turn to learn: the replies before it are another's mistakes, read but not learned."""

    def __post_init__(self) -> None:
        """Refuses a turn that does not exist."""
        if type(self.first_turn) is not int or not 0 <= self.first_turn < len(self.record.turns):
            raise RecordError(
                f"first_turn needs a whole number from 0 to below {len(self.record.turns)}, the "
                f"turns of the record, got {self.first_turn!r}"
            )

    def to_json(self) -> str:
        """Returns the demonstration as one line of ASCII."""
        return f'{{"first_turn": {self.first_turn}, "record": {self.record.to_json()}}}'

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Returns the demonstration in a line.

        Raises:
            RecordError: the line is no demonstration.
        """
        row = load_row(line, NEEDED)
        if not isinstance(row.get("record"), dict) or "first_turn" not in row:
            raise RecordError(f"needed {NEEDED}, got other keys or values")
        return cls(Record.from_row(row["record"]), row["first_turn"])


def append_demonstration(path: Path, demonstration: Demonstration) -> None:
    """Adds a demonstration to the end of a file."""
    append_line(path, demonstration.to_json())


def read_demonstrations(path: Path) -> Iterator[Demonstration]:
    """Yields the demonstrations of a file. A last line that was cut off is skipped.

    Raises:
        RecordError: the file cannot be read, or a line is no demonstration; names file and line.
    """
    return read_lines(path, Demonstration.from_json)


def verify(record: Record, first_turn: int = 0) -> str:
    """Returns why a trajectory is not worth learning; empty if it is.

    How the replies before first_turn are written does not matter: they may be the mistakes that it
    corrects.
    """
    if record.answer is None:
        return "never answered"
    if not record.is_graded:
        return "ungraded"
    if record.reward_parts.accuracy != 1:
        return "wrong answer"
    if any(turn.error or not turn.is_well_formed for turn in record.turns[first_turn:]):
        return "not well-formed or refused"
    if record.frames_used > record.rules.frame_budget:
        return "over budget"
    try:
        episode = replay(record)
    except RecordError:
        return "does not replay"
    return "" if _has_seen_evidence(episode) else "evidence not seen"


def _has_seen_evidence(episode: Episode) -> bool:
    """Returns whether all of the evidence, if any is known, was shown: else the answer was luck."""
    seen_s = (*episode.overview_s, *episode.clip_s)
    task = episode.task
    return all(is_shown(task.question, segment, seen_s) for segment in task.evidence)
