"""A trajectory to learn from: what makes it worth learning, and its file.

Each line of the file is a JSON object, `{"first_turn": 0, "record": {..}}`, whose record is written
as in a file of records.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from agents.synthetic.evidence import is_shown
from zoomgym.conversation import Message, to_messages
from zoomgym.envs import ZoomEnv
from zoomgym.errors import RecordError
from zoomgym.records import Record, env_to_watch, load_row, read_lines, replay
from zoomgym.rollout import watch_again
from zoomgym.rules import Episode

NEEDED = '{"first_turn": .., "record": ..}'


@dataclass(frozen=True, slots=True)
class Demonstration:
    """An episode whose replies are to be learned from one turn on."""

    record: Record
    first_turn: int = 0
    """First turn to learn. Replies before it are another agent's mistakes: read, not learned."""

    def __post_init__(self) -> None:
        """Raises RecordError if there is no such turn."""
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
        """Returns the demonstration in a line. Raises RecordError if it holds none."""
        row = load_row(line, NEEDED)
        if not isinstance(row.get("record"), dict) or "first_turn" not in row:
            raise RecordError(f"needed {NEEDED}, got other keys or values")
        return cls(Record.from_row(row["record"]), row["first_turn"])


def read_demonstrations(path: Path) -> Iterator[Demonstration]:
    """Yields the demonstrations of a file, and skips a last line that was cut off.

    Raises RecordError, with file and line, if the file cannot be read or a line is something else.
    """
    return read_lines(path, Demonstration.from_json)


@dataclass(frozen=True, slots=True)
class Watcher:
    """Plays demonstrations again for their frames, which files do not hold."""

    tasks: str | None = None
    """Name of the task set whose files may be opened; None opens none."""
    cache_dir: Path | None = None
    _envs: dict[str, ZoomEnv] = field(default_factory=dict, init=False)

    def messages(self, demonstration: Demonstration) -> list[Message]:
        """Returns the conversation of an episode. Raises RecordError, TaskError, VideoError."""
        record = demonstration.record
        key = json.dumps(record.settings, sort_keys=True)
        if key not in self._envs:
            self._envs[key] = env_to_watch(record, self.tasks, cache_dir=self.cache_dir)
        return to_messages(watch_again(self._envs[key], record))


def verify(record: Record, first_turn: int = 0) -> str:
    """Returns why a trajectory is not worth learning; empty if it is.

    Replies before first_turn may be malformed: they are the mistakes that it corrects.
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
    """Returns whether all known evidence was shown; if not, the answer was luck."""
    seen_s = (*episode.overview_s, *episode.clip_s)
    task = episode.task
    return all(is_shown(task.question, segment, seen_s) for segment in task.evidence)
