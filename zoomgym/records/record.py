"""A finished episode on disk: one JSON object a line, from which it can be replayed and re-scored.

A record holds what went in (task, rules, lengths of the video, replies, the environment's settings)
and what came out (turns, reward terms), which `replay` checks against what went in. The settings
and the task's id give the frames again.
"""

import json
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.grading import STRICT, UNGRADED, Given, Grader
from zoomgym.io import brief, open_named, open_own, reason, replaced, unreadable
from zoomgym.records.bounds import MOST_LINE_BYTES, check_row, load_row, told
from zoomgym.rules import (
    Answer,
    CropCall,
    Episode,
    FindCall,
    Found,
    FrameBudget,
    Overview,
    RewardParts,
    Rules,
    Segment,
    TranscriptCall,
    Turn,
    VideoQuestion,
    ZoomCall,
    action_in,
    advance,
    merge_weights,
    overview_times,
    score,
    start,
)

SCHEMA = 1
"""Changes when an older reader would misread a record."""
NEEDED = "an episode's record"
LATER = {"picked_s": None, "frames_scanned": 0}
"""Fields that records hold only where they are not the default: the first records lack them."""
LATER_IN_TURNS = {
    "transcript": None,
    "told": "",
    "crop": None,
    "find": None,
    "found_s": (),
    "frames_scanned": 0,
    "zooms": (),
}
BLOCK_BYTES = 1024**2
"""Bytes to read at once from the end of a file."""

NO_RECORD = (ValueError, TypeError, KeyError, AttributeError, OverflowError, ZoomGymError)
"""Errors that reading anything but a record raises."""

Parsed = TypeVar("Parsed")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Record:
    """One finished episode."""

    version: str
    """Version of the package that played it."""
    agent: str
    seed: int
    task_set: str
    task_set_version: str
    task_set_hash: str
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
    """Grader of the answer: `strict`, `math`, `judge:MODEL`, or `ungraded`."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Usage that the agent reports, such as tokens; empty if it does not count."""
    suite: str = ""
    """The suite that it was played for; empty if for none."""
    agent_hash: str = ""
    """Hash of the agent's code or weights; empty if unknown."""
    picked_s: tuple[float, ...] | None = None
    """Seconds: the times of the overview; None if the rules fix them, see `Rules`."""
    frames_scanned: int = 0
    """Frames that were looked at to pick the overview."""

    @property
    def overview(self) -> Overview:
        """The overview that was shown."""
        if self.picked_s is None:
            [num_frames] = self.rules.overview_sizes
            return Overview(overview_times(self.last_frame_s, num_frames))
        return Overview(self.picked_s, self.frames_scanned)

    @property
    def found(self) -> dict[FindCall, Found]:
        """What its searches found."""
        alike = [(turn.find, _found(turn, turn.find)) for turn in self.turns if turn.find]
        return dict(reversed(alike))  # the first of equal ones has looked at frames

    @property
    def episode(self) -> Episode:
        """The episode, as it is recorded; `replay` plays it again, and checks it."""
        overview, used = self.overview, self.frames_used
        return Episode(
            key=self.key,
            task=self.task,
            rules=self.rules,
            duration_s=self.duration_s,
            last_frame_s=self.last_frame_s,
            budget=FrameBudget(self.rules.frame_budget - used, self.rules.frames_per_zoom),
            overview_s=overview.times_s,
            frames_scanned=overview.frames_scanned,
            turns=self.turns,
            answer=self.answer,
            named=_named(self),
            is_right=bool(self.reward_parts.accuracy),
            graded_by=self.grading,
        )

    @property
    def is_graded(self) -> bool:
        """Whether `reward_parts` and `reward` say anything about the answer."""
        return self.grading != UNGRADED.name

    def to_json(self) -> str:
        """Returns the record as one line of ASCII."""
        row = {"schema": SCHEMA, **asdict(self), "rules": self.rules.by_name()}
        row["reward_parts"] = self.reward_parts.by_name()
        row["turns"] = [_later(turn, LATER_IN_TURNS) for turn in row["turns"]]
        return json.dumps(_later(row, LATER), allow_nan=False)

    def checked(self) -> Self:
        """Returns the record as its line reads. Raises RecordError if no record can say this."""
        try:
            line = self.to_json()
        except (ValueError, TypeError) as error:
            raise RecordError(f"{self.key}: needed what JSON can hold, got: {error}") from error
        return self.from_json(line)

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Returns the record in a line. Raises RecordError if it is none, or of another schema."""
        return cls.from_row(load_row(line, NEEDED))

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """Returns the record in the JSON object of a line, which it uses up. Raises RecordError."""
        try:
            schema = row.pop("schema")
            if schema != SCHEMA:
                raise RecordError(
                    f"needed schema {SCHEMA}, got {brief(schema)}: use the version it names"
                )
            row["rules"] = rules = Rules(**row["rules"])
            check_row(row, rules)
            row["task"]["evidence"] = tuple(Segment(*pair) for pair in row["task"]["evidence"])
            row["task"]["options"] = tuple(row["task"]["options"])
            row["task"]["labels"] = tuple((kind, value) for kind, value in row["task"]["labels"])
            row["task"] = VideoQuestion(**row["task"])
            row["turns"] = tuple(_turn(turn, rules) for turn in row["turns"])
            num_overview = rules.overview_sizes[0]
            if (picked_s := row.get("picked_s")) is not None:
                row["picked_s"] = tuple(map(float, picked_s))
                num_overview = len(picked_s)
            calls = [turn.shown for turn in row["turns"] if turn.shown]
            shown = num_overview + sum(call.num_frames for call in calls)
            if row["frames_used"] != shown:
                raise RecordError(f"frames_used needs {shown}, as shown, got {row['frames_used']}")
            row["reward_parts"] = RewardParts(**row["reward_parts"])
            return cls(**row)
        except RecordError:
            raise
        except NO_RECORD as error:
            raise RecordError(f"needed {NEEDED}, got one that is wrong ({told(error)})") from error


def _later(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a row without those fields that are at these defaults."""
    return {
        name: value
        for name, value in row.items()
        if name not in defaults or value != defaults[name]
    }


def _turn(row: dict[str, Any], rules: Rules) -> Turn:
    """Returns a turn as it was written. Raises RecordError if its zoom shows no or many frames."""
    zoom, transcript, crop = row["zoom"], row.get("transcript"), row.get("crop")
    find = row.get("find")
    calls = {
        "zoom": ZoomCall(**zoom) if zoom else None,
        "transcript": TranscriptCall(**transcript) if transcript else None,
        "crop": CropCall(**crop) if crop else None,
        "find": FindCall(**find) if find else None,
        "found_s": tuple(map(float, row.get("found_s", ()))),
        "zooms": tuple(ZoomCall(**one) for one in row.get("zooms", ())),
    }
    turn = Turn(**{**row, **calls})
    for num_frames in (one.num_frames for one in turn.all_zooms):
        if num_frames > rules.frames_per_zoom:
            raise RecordError(
                f"zoom needs at most {rules.frames_per_zoom} frames, got {num_frames}"
            )
        if num_frames < 1:
            raise RecordError(f"zoom needs at least 1 frame, got {num_frames}")
    return turn


def _named(record: Record) -> tuple[Segment, ...]:
    """Returns the evidence that the answer of a record names."""
    action = action_in(record.turns[-1].reply, record.rules.grammar, record.rules.tools)
    return action.evidence if record.answer is not None and isinstance(action, Answer) else ()


def append_record(path: Path, record: Record) -> None:
    """Adds a record to the end of a file."""
    append_line(path, record.to_json())


def append_line(path: Path, line: str) -> None:
    """Adds a line of ASCII to the end of a file."""
    with open_own(path, "ab") as file:
        file.write(f"{line}\n".encode("ascii"))


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Replaces the content of a file by records, as a whole or not at all."""
    with replaced(path) as file:
        file.writelines(f"{record.to_json()}\n".encode("ascii") for record in records)


def drop_cut_line(path: Path) -> None:
    """Removes what an interrupted write left at the end of a file, so that it can be added to."""
    with open_own(path, "r+b") as file:  # never empty in between: a run may be killed here too
        end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK_BYTES)
            file.seek(start)
            if (last := file.read(end - start).rfind(b"\n")) >= 0:
                end = start + last + 1
                break
            end = start
        file.truncate(end)


def read_records(path: Path) -> Iterator[Record]:
    """Yields the records of a file, without a last line that was cut off in writing.

    Raises RecordError, with file and line, if the file cannot be read or a line is no record.
    """
    return read_lines(path, Record.from_json)


def read_lines(path: Path, parse: Callable[[str], Parsed]) -> Iterator[Parsed]:
    """Yields every line of a file, parsed, without a last one that was cut off.

    Raises RecordError, with file and line, if the file cannot be read or parse raises one.
    """
    for number, line in enumerate(_whole_lines(path), start=1):
        try:
            parsed = parse(line.decode("ascii"))
        except UnicodeDecodeError as error:
            raise RecordError(f"{path}:{number}: needed a record, got {reason(error)}") from error
        except RecordError as error:
            raise RecordError(f"{path}:{number}: {error}: mend or delete the line") from error
        yield parsed


def _whole_lines(path: Path) -> Iterator[bytes]:
    """Yields the lines of a file, too long ones in part. Raises RecordError if it is unreadable."""
    try:
        with open_named(path) as file:
            while line := file.readline(MOST_LINE_BYTES + 2):
                if line.endswith(b"\n") or len(line) > MOST_LINE_BYTES:
                    yield line.removesuffix(b"\n")
                else:
                    logger.warning("%s: the last line was cut off and is passed over", path)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise RecordError(unreadable(path, "a records file", error, (".jsonl",))) from error


def replay(record: Record) -> Episode:
    """Returns the episode that its replies make by today's rules, with a judge's recorded verdict.

    Raises RecordError if turns or scores differ from the record's.
    """
    given = Given(record.grading, bool(record.reward_parts.accuracy))
    episode = _play_again(record, STRICT if record.grading == STRICT.name else given)
    outcome = (episode.turns, episode.answer, episode.end_reason, episode.frames_used)
    written = (record.turns, record.answer, record.end_reason, record.frames_used)
    scored = (episode.graded_by, *_rewarded(record, episode))
    claimed = (record.grading, record.reward_parts, record.reward)
    if not episode.is_over or (*outcome, *scored) != (*written, *claimed):
        raise RecordError(
            f"{record.key}: needed the turns and scores of version {record.version}, got others: "
            "the rules have changed, or the record was edited"
        )
    return episode


def regrade(record: Record, grader: Grader) -> Record:
    """Returns the record with its open-ended answer graded by grader, and its rewards.

    Raises RecordError if `replay` fails, and GradingError if the grader cannot tell now.
    """
    replay(record)
    episode = _play_again(record, grader)
    parts, reward = _rewarded(record, episode)
    return replace(record, grading=episode.graded_by, reward_parts=parts, reward=reward)


def _play_again(record: Record, grader: Grader) -> Episode:
    """Returns the episode that the replies of a record make. Raises GradingError."""
    lengths_s = (record.duration_s, record.last_frame_s)
    picked = None if record.picked_s is None else record.overview
    try:
        episode = start(record.task, *lengths_s, record.rules, record.key, picked)
    except ValueError as error:
        raise RecordError(f"{record.key}: {error}") from error
    for turn in record.turns:
        if episode.is_over:
            break
        episode = advance(episode, turn.reply, grader, partial(_told, turn), partial(_found, turn))
    return episode


def _told(turn: Turn, call: TranscriptCall) -> str:
    """Returns what a call was told when the turn was played; the transcript is not at hand."""
    return turn.told


def _found(turn: Turn, call: FindCall) -> Found:
    """Returns what a search found when the turn was played; nothing is searched again."""
    return Found(turn.found_s, turn.frames_scanned)


def _rewarded(record: Record, episode: Episode) -> tuple[RewardParts, float]:
    """Returns the reward terms of an episode, and their sum by the weights of its record."""
    weights = merge_weights(record.settings["reward_weights"])
    parts = score(episode, weights)
    return parts, parts.total(weights)
