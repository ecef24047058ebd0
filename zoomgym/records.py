"""A finished episode on disk: one JSON object a line, from which it can be replayed and re-scored.

A record holds what went in (task, rules, lengths of the video, replies, the environment's settings)
and what came out (turns, reward terms). `replay` needs only the first half, so the second can be
checked; with the settings and the task's id, the frames can be had again too.
"""

import json
import logging
import reprlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Self, TypeVar

from zoomgym.actions import ZoomCall
from zoomgym.episode import Episode, Rules, Turn, advance, score, start
from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.files import open_own, replaced
from zoomgym.grading import STRICT, UNGRADED, Given, Grader
from zoomgym.hints import unreadable
from zoomgym.rewards import RewardParts, merge_weights
from zoomgym.tasks import UNPRINTABLE, VideoQuestion
from zoomgym.timeline import Segment

__all__ = [
    "SCHEMA",
    "Record",
    "append_line",
    "append_record",
    "drop_cut_line",
    "read_lines",
    "read_records",
    "regrade",
    "replay",
    "write_records",
]

SCHEMA = 1
"""Changes when an older reader would misread a record."""

NAMES = (
    "version", "agent", "task_set", "task_set_version", "task_set_hash", "key", "end_reason",
    "grading",
)  # fmt: skip
OPTIONAL_NAMES = ("suite", "agent_hash")
NUMBERS = ("seed", "duration_s", "last_frame_s", "frames_used", "reward", "agent_s", "decode_s")
SETTINGS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "tasks": ((str, type(None)), "a text or null"),
    "split": ((str,), "a text"),
    "duration_s": ((int, float), "a number above 0"),
    "difficulty": ((str, dict), "a text or an object"),
    "source": ((str,), "a text"),
    "max_pixels": ((int,), "a whole number above 0"),
}
"""Settings that are used later: of which types they are, and that in words."""
SHARES = ("accuracy", "format", "tool", "grounding")
"""Reward terms from 0 to 1."""

Parsed = TypeVar("Parsed")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One finished episode."""

    version: str
    """Of the package that played it."""
    agent: str
    seed: int
    task_set: str
    task_set_version: str
    task_set_hash: str
    """Of what the tasks of the set say."""
    settings: Mapping[str, Any]
    """The arguments of ZoomEnv that make the same environment again."""
    task: VideoQuestion
    rules: Rules
    key: str
    duration_s: float
    last_frame_s: float
    turns: tuple[Turn, ...]
    answer: str | None
    end_reason: str
    frames_used: int
    reward_parts: RewardParts
    reward: float
    agent_s: float
    """Wall clock spent in the agent."""
    decode_s: float
    """Wall clock spent on opening and decoding video."""
    grading: str = STRICT.name
    """Who graded the answer: `strict`, `math`, `judge:MODEL`, or `ungraded`: nobody could."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """What the agent says that it used, such as tokens; empty if it does not count."""
    suite: str = ""
    """The suite that it was played for; empty if for none."""
    agent_hash: str = ""
    """Of the agent's code or weights; empty if unknown."""

    @property
    def is_graded(self) -> bool:
        """Whether `reward_parts` and `reward` say anything about the answer."""
        return self.grading != UNGRADED.name

    def to_json(self) -> str:
        """Returns the record as one line of ASCII."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, allow_nan=False)

    def checked(self) -> Self:
        """Returns the record as it is read from its line.

        Raises:
            RecordError: it cannot be: an agent said that it used what is no number, say.
        """
        try:
            line = self.to_json()
        except (ValueError, TypeError) as error:
            raise RecordError(f"{self.key}: needed what JSON can hold, got: {error}") from error
        return self.from_json(line)

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Returns the record in a line.

        Raises:
            RecordError: the line is no record, or of another schema.
        """
        try:
            row = json.loads(line, parse_constant=_refuse_constant)
            schema = row.pop("schema")
            if schema != SCHEMA:
                raise RecordError(f"needed schema {SCHEMA}, got {schema}: use the version it names")
            _check(row)
            row["task"]["evidence"] = tuple(Segment(*pair) for pair in row["task"]["evidence"])
            row["task"]["options"] = tuple(row["task"]["options"])
            row["task"]["labels"] = tuple((kind, value) for kind, value in row["task"]["labels"])
            row["task"] = VideoQuestion(**row["task"])
            row["rules"] = Rules(**row["rules"])
            row["turns"] = tuple(_turn(turn, row["rules"]) for turn in row["turns"])
            row["reward_parts"] = RewardParts(**row["reward_parts"])
            return cls(**row)
        except RecordError:
            raise
        except (
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            OverflowError,
            ZoomGymError,
            RecursionError,
        ) as error:
            raise RecordError(f"needed an episode's record, got {line[:60]!r} ({error})") from error


def _check(row: Mapping[str, Any]) -> None:
    """Refuses values that are of another kind than a record's; their constructors refuse the rest.

    Raises:
        RecordError: a text or a number is none.
        ValueError, TypeError, KeyError, OverflowError: something is missing, or no weight.
    """
    turns, parts, usage = row["turns"], row["reward_parts"], row.get("usage", {})
    texts = [(name, row[name]) for name in NAMES]
    texts += [(name, row.get(name, "")) for name in OPTIONAL_NAMES]
    texts += [("category", row["task"]["category"]), ("question", row["task"]["question"])]
    texts += [(name, turn[name]) for turn in turns for name in ("reply", "error", "feedback")]
    texts += [("name in usage", name) for name in usage]
    for name, text in texts:
        if not isinstance(text, str):
            raise RecordError(f"{name} needs a text, got {reprlib.repr(text)}")
        if name in (*NAMES, *OPTIONAL_NAMES, "name in usage") and UNPRINTABLE.search(text):
            raise RecordError(f"{name} needs a text on one line, got {reprlib.repr(text)}")
    numbers = [(name, row[name]) for name in NUMBERS]
    numbers += [(f"usage of {name}", number) for name, number in usage.items()]
    for name, number in [*numbers, *parts.items()]:
        if type(number) not in (int, float) or not abs(number) < 1e300:
            raise RecordError(f"{name} needs a number, got {reprlib.repr(number)}")
        if name in SHARES and not 0 <= number <= 1:
            raise RecordError(f"{name} needs a number from 0 to 1, got {number}")
    merge_weights(row["settings"]["reward_weights"])
    _check_settings(row["settings"])


def _check_settings(settings: Mapping[str, Any]) -> None:
    """Refuses settings of which one that is used later is missing or of another kind."""
    for name, (types, needed) in SETTINGS.items():
        if name not in settings:
            raise RecordError(f"settings need {name}, {needed}, got none")
        value = settings[name]
        is_number = type(value) in (int, float)
        if type(value) not in types or (is_number and not 0 < value < 1e300):
            raise RecordError(f"settings need {name}, {needed}, got {reprlib.repr(value)}")


def _refuse_constant(name: str) -> float:
    """Refuses NaN and Infinity, which no record holds."""
    raise ValueError(f"{name} is no number of a record")


def _turn(row: dict[str, Any], rules: Rules) -> Turn:
    """Returns a turn as it was written. Raises RecordError if its zoom shows more than it may."""
    turn = Turn(**{**row, "zoom": ZoomCall(**row["zoom"]) if row["zoom"] else None})
    if turn.zoom and turn.zoom.num_frames > rules.frames_per_zoom:
        raise RecordError(
            f"zoom needs at most {rules.frames_per_zoom} frames, got {turn.zoom.num_frames}"
        )
    return turn


def append_record(path: Path, record: Record) -> None:
    """Adds a record to the end of a file; what stood there stays."""
    append_line(path, record.to_json())


def append_line(path: Path, line: str) -> None:
    """Adds a line of ASCII to the end of a file."""
    with open_own(path, "ab") as file:
        file.write(f"{line}\n".encode("ascii"))


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Puts records into a file in place of what stood there, as a whole or not at all."""
    with replaced(path) as file:
        file.writelines(f"{record.to_json()}\n".encode("ascii") for record in records)


def drop_cut_line(path: Path) -> None:
    """Removes what an interrupted write left at the end of a file, so that it can be added to."""
    with open_own(path, "r+b") as file:  # never empty in between: a run may be killed here too
        file.truncate(file.read().rfind(b"\n") + 1)


def read_records(path: Path) -> Iterator[Record]:
    """Yields the records of a file. A last line that was cut off in writing is passed over.

    Raises:
        RecordError: the file cannot be read, or a line is no record; names file and line.
    """
    return read_lines(path, Record.from_json)


def read_lines(path: Path, parse: Callable[[str], Parsed]) -> Iterator[Parsed]:
    """Yields what parse makes of every line of a file, but for a last one that was cut off.

    Args:
        path: of the file.
        parse: of one line. Raises RecordError if the line is wrong.

    Raises:
        RecordError: the file cannot be read, or a line is wrong; names file and line.
    """
    try:
        lines = path.read_text(encoding="ascii").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(unreadable(path, "a records file", error, (".jsonl",))) from error
    *whole, last = lines  # a whole line ends in a line break, so the last one is empty or cut
    if last:
        logger.warning("%s: the last line was cut off and is passed over", path)
    for number, line in enumerate(whole, start=1):
        try:
            yield parse(line)
        except RecordError as error:
            raise RecordError(f"{path}:{number}: {error}: mend or delete the line") from error


def replay(record: Record) -> Episode:
    """Returns the episode that its replies make, played anew by the rules of today.

    What a judge said is taken from the record: it is not asked again.

    Raises:
        RecordError: today's rules give other turns or another score than the record holds.
    """
    given = Given(record.grading, bool(record.reward_parts.accuracy))
    episode = _play_again(record, STRICT if record.grading == STRICT.name else given)
    outcome = (episode.turns, episode.answer, episode.end_reason, episode.frames_used)
    written = (record.turns, record.answer, record.end_reason, record.frames_used)
    scored = (episode.graded_by, *_rewarded(record, episode))
    if not episode.is_over or (*outcome, *scored) != (
        *written,
        record.grading,
        record.reward_parts,
        record.reward,
    ):
        raise RecordError(
            f"{record.key}: needed the turns and scores of version {record.version}, got others: "
            "the rules have changed, or the record was edited"
        )
    return episode


def regrade(record: Record, grader: Grader) -> Record:
    """Returns the record with its answer graded by grader, and the rewards that follow from it.

    Choices are read strictly whoever grades, so their records stay as they are.

    Raises:
        RecordError: the record cannot be replayed, see `replay`.
        GradingError: the grader cannot tell now.
    """
    replay(record)
    episode = _play_again(record, grader)
    parts, reward = _rewarded(record, episode)
    return replace(record, grading=episode.graded_by, reward_parts=parts, reward=reward)


def _play_again(record: Record, grader: Grader) -> Episode:
    """Returns the episode that the replies of a record make. Raises GradingError."""
    lengths_s = (record.duration_s, record.last_frame_s)
    episode = start(record.task, *lengths_s, record.rules, record.key)
    for turn in record.turns:
        if episode.is_over:
            break
        episode = advance(episode, turn.reply, grader)
    return episode


def _rewarded(record: Record, episode: Episode) -> tuple[RewardParts, float]:
    """Returns the reward terms of an episode, and their sum by the weights of its record."""
    parts = score(episode)
    return parts, parts.total(merge_weights(record.settings["reward_weights"]))
