"""Reads subtitles from `.srt`, `.json` and `.jsonl` files, and writes them into a question."""

import html
import json
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.io import brief, read_named, unreadable
from zoomgym.rules import Cue

MAX_SUBTITLE_CHARS = 16_000
"""Most text of subtitles; an hour of talk has about 50,000, which are thinned out evenly."""
MAX_FILE_BYTES = 10_000_000

SRT_EXAMPLE = "00:00:01,500 --> 00:00:03,000"
SRT_TIMES = re.compile(
    r"\s*(?P<start>\d{1,9}:\d\d:\d\d[,.]\d{1,9})\s*-->\s*(?P<end>\d{1,9}:\d\d:\d\d[,.]\d{1,9})[^\n]*",
    re.ASCII,
)
TIME = re.compile(r"(\d{1,9}):(\d\d):(\d\d(?:[,.]\d{1,9})?)", re.ASCII)
TAG = re.compile(r"<[^<>]*>")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SubtitleFile:
    """Place of a video's subtitles."""

    path: str
    """Relative to the benchmark's folder."""
    offset_s: float = 0.0
    """Time in the file at which the video begins."""
    end_s: float = float("inf")
    """Length of the video, if known."""
    is_needed: bool = True
    """Whether every video has them."""


def read_cues(path: Path, offset_s: float = 0.0, end_s: float = float("inf")) -> tuple[Cue, ...]:
    """Returns the cues of a file: `.srt`, LongVideoBench's `.json`, or Video-MME-v2's `.jsonl`.

    Args:
        path: of the file; a blank one has no cues.
        offset_s: the time in the file at which the video begins, in seconds.
        end_s: the length of the video, where a cue without an end ends.

    Raises:
        TaskError: the file cannot be read, or holds something else; names it.
    """
    try:
        text = _decoded(path, read_named(path, MAX_FILE_BYTES))
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise TaskError(unreadable(path, "a file of subtitles", error)) from error
    is_json = path.suffix in (".json", ".jsonl")
    if path.suffix == ".jsonl":
        cues = _sentences(_read_words(path, text))
    else:
        cues = [*(_read_json(path, text, offset_s + end_s) if is_json else _read_srt(text))]
    if not (cues or is_json or not text.strip()):
        came = "a web page" if text.lstrip().startswith("<") else "none of them"
        raise TaskError(
            f"{path}: needed subtitles with times like {SRT_EXAMPLE}, got {came}: fetch them again"
        )
    shifted = (Cue(cue.start_s - offset_s, cue.end_s - offset_s, cue.text) for cue in cues)
    return tuple(
        Cue(max(cue.start_s, 0.0), min(cue.end_s, end_s), cue.text)
        for cue in shifted
        if cue.text and cue.end_s > 0 and cue.start_s < end_s
    )


def _decoded(path: Path, data: bytes) -> str:
    """Returns the text of a file. Raises TaskError if it is in another encoding than UTF-8."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data:
        raise TaskError(f"{path}: needed subtitles in UTF-8, got UTF-16 or no text: convert it")
    text = data.decode("utf-8-sig", errors="replace")
    if num_lost := text.count("\ufffd"):
        logger.warning("%s: %d characters are no UTF-8 and cannot be shown", path, num_lost)
    return text


def with_subtitles(question: str, cues: Sequence[Cue]) -> str:
    """Returns a question followed by what is said in the video, with times in seconds.

    The question comes first, so that it survives a cut. Subtitles over MAX_SUBTITLE_CHARS are
    thinned out evenly, so that the whole video stays covered.
    """
    lines = list(map(str, cues))
    if not lines:
        return question
    shown = _thinned(lines)
    left_out = f", {len(shown)} of {len(lines)} lines" if len(shown) < len(lines) else ""
    return f"{question}\n\nSubtitles ([start, end] in seconds{left_out}):\n" + "\n".join(shown)


def _thinned(lines: list[str]) -> list[str]:
    """Returns as many lines, evenly spread, as MAX_SUBTITLE_CHARS holds."""
    num_lines = len(lines)
    while True:
        shown = [lines[k * len(lines) // num_lines] for k in range(num_lines)]
        num_chars = sum(len(line) + 1 for line in shown)
        if num_chars <= MAX_SUBTITLE_CHARS:
            return shown
        num_lines = min(num_lines - 1, num_lines * MAX_SUBTITLE_CHARS // num_chars)


def _read_srt(text: str) -> Iterator[Cue]:
    """Yields the cues of an `.srt` file; what comes before the first times is skipped."""
    times: re.Match[str] | None = None
    said: list[str] = []
    for line in [*text.splitlines(), ""]:
        if match := SRT_TIMES.fullmatch(line):
            if times:
                yield _srt_cue(times, said[:-1])  # the last line is the number of this cue
            times, said = match, []
        elif times and line.strip():
            said.append(line)
        elif times and said:
            yield _srt_cue(times, said)
            times, said = None, []


def _srt_cue(times: re.Match[str], said: Sequence[str]) -> Cue:
    """Returns the cue of a block."""
    return Cue(_seconds(times["start"]), _seconds(times["end"]), _without_markup(" ".join(said)))


def _without_markup(text: str) -> str:
    """Returns text without mark-up and surplus blanks."""
    return " ".join(html.unescape(TAG.sub("", text)).split())


def _seconds(time: str) -> float:
    """Returns the seconds of `1:02:03,500`. Raises ValueError."""
    match = TIME.fullmatch(time.strip())
    if not match:
        raise ValueError(f"{time[:40]!r} is no time like 00:01:02.5")
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3].replace(",", "."))


def _read_json(path: Path, text: str, open_end_s: float) -> Iterator[Cue]:
    """Yields the cues of a `.json` file. Raises TaskError.

    Source: LongVideoBench. Its cues are `{"timestamp": [12.5, 14.0], "text": ..}`, where the end
    may be null, or `{"start": "00:00:12.500", "end": .., "line": ..}`.
    """
    try:
        cues = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: needed a JSON list of subtitles, got {error}") from error
    if not isinstance(cues, list):
        raise TaskError(f"{path}: needed a JSON list of subtitles, got {brief(cues)}")
    for number, cue in enumerate(cues, start=1):
        try:
            yield _json_cue(cue, open_end_s)
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
            raise TaskError(
                f"{path} row {number}: needed a text and its times, got {brief(cue)}"
            ) from error


def _json_cue(cue: Any, open_end_s: float) -> Cue:
    """Returns a cue of a `.json` file. Raises whatever reading something else raises."""
    if "timestamp" not in cue:
        return Cue(_seconds(cue["start"]), _seconds(cue["end"]), _without_markup(cue["line"]))
    start_s, end_s = cue["timestamp"]
    return Cue(
        float(start_s), open_end_s if end_s is None else float(end_s), _without_markup(cue["text"])
    )


PAUSE_S = 0.5
SHORT_PAUSE_S = 0.1
"""Pauses after which words begin a new cue; the short one after the end of a sentence."""


def _read_words(path: Path, text: str) -> Iterator[Cue]:
    """Yields the words of a `.jsonl` file, with their times. Raises TaskError.

    Source: Video-MME-v2: `{"text": "Hello", "start_time": 0.5, "end_time": 0.8}` a line.
    """
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            word = json.loads(line)
            said = _without_markup(word["text"])
            yield Cue(float(word["start_time"]), float(word["end_time"]), said)
        except (
            *(AttributeError, KeyError, OverflowError, RecursionError, TypeError, ValueError),
        ) as error:
            raise TaskError(
                f"{path}:{number}: needed a word and its times, got {brief(line)}"
            ) from error


def _sentences(words: Iterator[Cue]) -> list[Cue]:
    """Returns words as cues that end where a speaker pauses, as the authors of Video-MME-v2 do."""
    parts: list[list[Cue]] = []
    for word in words:
        if parts:
            last = parts[-1][-1]
            pause_s = SHORT_PAUSE_S if last.text.endswith((".", "!", "?")) else PAUSE_S
        if not parts or word.start_s - last.end_s > pause_s:
            parts.append([])
        parts[-1].append(word)
    return [
        Cue(part[0].start_s, part[-1].end_s, " ".join(word.text for word in part)) for part in parts
    ]
