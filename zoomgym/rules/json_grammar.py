"""The grammar `json`: a reply is one JSON object, whose keys tell what it is."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zoomgym.errors import ReplyError
from zoomgym.grading import Segment
from zoomgym.rules.actions import (
    CROP,
    FIND,
    TRANSCRIPT,
    ZOOM,
    Action,
    Answer,
    CropCall,
    FindCall,
    TranscriptCall,
)
from zoomgym.rules.reading import (
    ANSWER_EXAMPLE,
    END_OF_THOUGHT,
    THINK_TAG,
    ZOOM_EXAMPLE,
    Reading,
    excerpt,
    load_object,
    number_in,
    without_blocks,
    without_first_thoughts,
    zoom_in,
)

CROP_EXAMPLE = '{"crop": [0.1, 0.2, 0.5, 0.6], "at": 12.5}'
TRANSCRIPT_EXAMPLE = '{"transcript": [10, 60]}'
FIND_EXAMPLE = '{"find": "a red car", "segment": [0, 600]}'
MOST_EVIDENCE = 64
"""Most stretches that an answer may name."""
JSON_LESSON = (
    "Reply with exactly one JSON object and nothing else: either a zoom call, which shows you the "
    "frames of [start, end) in seconds at fps frames per second,\n"
    f"{ZOOM_EXAMPLE}\n"
    "or your answer,\n"
    f"{ANSWER_EXAMPLE}"
)
JSON_NATIVE_LESSON = (
    "In each turn, either call exactly one of your tools, or reply with your answer as exactly one "
    f"JSON object and nothing else,\n{ANSWER_EXAMPLE}"
)
JSON_EXAMPLES = f"{ZOOM_EXAMPLE} or {ANSWER_EXAMPLE}"
TOKEN = re.compile(r'"(?:[^"\\]+|\\.?)*+"?|[{}]', re.DOTALL)
"""A brace, or a whole string (an open one runs to the end of the text, so that time is linear)."""


def read_json(reply: str) -> Reading:
    """Reads a reply of the grammar `json`. Raises ReplyError."""
    row, is_well_formed = read_object(reply, JSON_EXAMPLES)
    if ("segment" in row) == ("answer" in row):
        raise ReplyError(
            f"reply needs either a zoom or an answer, {JSON_EXAMPLES}, got {excerpt(reply.strip())}"
        )
    return Reading(_answer(row) if "answer" in row else zoom_in(row), is_well_formed)


def read_json_calls(reply: str, tools: Sequence[str]) -> Reading:
    """Reads a reply of the grammar `json` where these tools are offered. Raises ReplyError."""
    examples = " or ".join([*(JSON_CALLS[tool].example for tool in tools), ANSWER_EXAMPLE])
    row, is_well_formed = read_object(reply, examples)
    named = _tools_in(row)
    if len(named) + ("answer" in row) != 1:
        raise ReplyError(
            f"reply needs either one call or an answer, {examples}, got {excerpt(reply.strip())}"
        )
    return Reading(JSON_CALLS[named[0]].read(row) if named else _answer(row), is_well_formed)


def json_call_in(reply: str) -> tuple[str, str]:
    """Returns the tool and the object of the one call in a reply. Raises ReplyError."""
    row, _ = read_object(reply, JSON_EXAMPLES)
    named = _tools_in(row)
    if len(named) != 1 or "answer" in row:
        raise ReplyError(f"reply needs one call, got {excerpt(reply.strip())}")
    return named[0], json.dumps(row, ensure_ascii=False)


def _tools_in(row: dict[str, Any]) -> list[str]:
    """Returns the tools that the keys of an object name; the segment of a search is no zoom."""
    named = [tool for tool, call in JSON_CALLS.items() if call.key in row]
    return [FIND] if named == [ZOOM, FIND] and "fps" not in row else named


def read_object(reply: str, examples: str) -> tuple[dict[str, Any], bool]:
    """Returns the one JSON object in a reply, and whether it stands alone. Raises ReplyError."""
    text = reply.strip()
    pieces = _spoken(text)
    objects = [piece[slice(*span)] for piece in pieces for span in _find_objects(piece)]
    if len(objects) != 1:
        where = " outside thoughts" if pieces != [text] else ""
        raise ReplyError(
            f"reply needs exactly one JSON object, {examples}, "
            f"found {len(objects)}{where} in {excerpt(text)}"
        )
    [body] = objects
    row = load_object(body, examples)
    *before, last = map(str.strip, pieces)
    return row, last == body and not any(before)


def _spoken(text: str) -> list[str]:
    """Returns the pieces of text outside thoughts. Tags inside a JSON string don't count."""
    for rest in (text, without_first_thoughts(text)):
        if not _has_thoughts(rest):
            return [rest]
    pieces = without_blocks(text)
    last = max((i for i, piece in enumerate(pieces) if END_OF_THOUGHT in piece), default=0)
    return [pieces[last].rpartition(END_OF_THOUGHT)[2], *pieces[last + 1 :]]


def _has_thoughts(text: str) -> bool:
    """Returns whether a tag of a thought is outside the strings of JSON objects in text."""
    if not THINK_TAG.search(text):
        return False
    start = 0
    for first, end in _find_objects(text):
        if THINK_TAG.search(text, start, first):
            return True
        if THINK_TAG.search(text, first, end) and not _is_json(text[first:end]):
            return True
        start = end
    return bool(THINK_TAG.search(text, start))


def _is_json(text: str) -> bool:
    try:
        load_object(text, "")
    except ReplyError:
        return False
    return True


def _find_objects(text: str) -> list[tuple[int, int]]:
    """Returns where every outermost {..} with a quote in it begins and ends; others are prose.

    One that stays open runs to the end. Quotes count only inside braces.
    """
    objects = []
    start = text.find("{")
    while start >= 0:
        end = _end_of_object(text, start)
        if '"' in text[start:end]:
            objects.append((start, end))
        start = text.find("{", end)
    return objects


def _end_of_object(text: str, start: int) -> int:
    """Returns where the braces that open at start are closed, or the end of text."""
    depth = 0
    for token in TOKEN.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(text)


def _crop(row: dict[str, Any]) -> CropCall:
    """Returns the call for a part of a frame in a JSON object. Raises ReplyError."""
    box = row["crop"]
    if not isinstance(box, list) or len(box) != 4 or "at" not in row:
        raise ReplyError(
            f"crop needs [left, top, right, bottom] and at, like {CROP_EXAMPLE}, "
            f"got {excerpt(box)}{'' if 'at' in row else ' without at'}"
        )
    left, top, right, bottom, at_s = (number_in(value, CROP) for value in (*box, row["at"]))
    return CropCall(left + 0.0, top + 0.0, right, bottom, at_s + 0.0)


def _transcript(row: dict[str, Any]) -> TranscriptCall:
    """Returns the call for a transcript in a JSON object. Raises ReplyError."""
    return TranscriptCall(*_stretch(row["transcript"], TRANSCRIPT, TRANSCRIPT_EXAMPLE))


def _find(row: dict[str, Any]) -> FindCall:
    """Returns the call for a search in a JSON object. Raises ReplyError."""
    if not isinstance(text := row["find"], str):
        raise ReplyError(f"find needs a text, like {FIND_EXAMPLE}, got {excerpt(text)}")
    if "segment" not in row:
        raise ReplyError(f"find needs the keys of {FIND_EXAMPLE}, got no segment")
    return FindCall(text.strip(), *_stretch(row["segment"], FIND, FIND_EXAMPLE))


def _stretch(segment: Any, tool: str, example: str) -> tuple[float, float]:
    """Returns the start and the end in a JSON value. Raises ReplyError."""
    if not isinstance(segment, list) or len(segment) != 2:
        raise ReplyError(
            f"{tool} needs [start, end] in seconds, like {example}, got {excerpt(segment)}"
        )
    start_s, end_s = (number_in(value, tool) for value in segment)
    return start_s + 0.0, end_s


def _answer(row: dict[str, Any]) -> Answer:
    """Returns the answer in a JSON object. Raises ReplyError unless it is a text."""
    value = row["answer"]
    if not isinstance(value, str):
        raise ReplyError(f"answer needs a text like {ANSWER_EXAMPLE}, got {excerpt(value)}")
    return Answer(value.strip(), _evidence(row.get("evidence")))


def _evidence(value: Any) -> tuple[Segment, ...]:
    """Returns the stretches in a JSON value; none if it is anything but a short list of them.

    Evidence is optional, so what is wrong with it costs the answer nothing.
    """
    if not isinstance(value, list) or len(value) > MOST_EVIDENCE:
        return ()
    try:
        return tuple(zoom_in({"segment": pair, "fps": 1}).segment for pair in value)
    except ReplyError:
        return ()


@dataclass(frozen=True, slots=True)
class JsonCall:
    """How the grammar `json` writes the calls of a tool."""

    key: str
    """The key of the object that tells the tool."""
    read: Callable[[dict[str, Any]], Action]
    """Returns the call in an object. Raises ReplyError."""
    example: str
    shows: str
    """Tells a model what the tool does."""


JSON_CALLS = {
    ZOOM: JsonCall(
        "segment",
        zoom_in,
        ZOOM_EXAMPLE,
        "a zoom call, which shows you the frames of [start, end) in seconds at fps frames per "
        "second",
    ),
    CROP: JsonCall(
        "crop",
        _crop,
        CROP_EXAMPLE,
        "a crop call, which shows you a part of the frame at a time in more detail, with its left, "
        "top, right and bottom edges as shares of the picture from 0 to 1",
    ),
    TRANSCRIPT: JsonCall(
        "transcript",
        _transcript,
        TRANSCRIPT_EXAMPLE,
        "a transcript call, which tells you what is said in [start, end) in seconds",
    ),
    FIND: JsonCall(
        "find",
        _find,
        FIND_EXAMPLE,
        "a find call, which tells you the times in [start, end) in seconds at which the video "
        "looks most like a text, the best match first",
    ),
}


def teach_json(tools: Sequence[str]) -> str:
    """Returns the lesson of the grammar `json` where these tools are offered."""
    calls = [f"{JSON_CALLS[tool].shows},\n{JSON_CALLS[tool].example}\n" for tool in tools]
    said = "or ".join([*calls, f"your answer,\n{ANSWER_EXAMPLE}"])
    return f"Reply with exactly one JSON object and nothing else: either {said}"


def write_json(action: Action, thought: str) -> str:
    """Writes an action in the grammar `json`, which has no place for a thought."""
    if isinstance(action, Answer):
        evidence = {"evidence": [list(one) for one in action.evidence]} if action.evidence else {}
        return json.dumps({"answer": action.text, **evidence})
    if isinstance(action, CropCall):
        return json.dumps({"crop": [*action.box], "at": action.at_s})
    if isinstance(action, FindCall):
        return json.dumps({"find": action.text, "segment": [action.start_s, action.end_s]})
    if isinstance(action, TranscriptCall):
        return json.dumps({"transcript": [action.start_s, action.end_s]})
    return json.dumps({"segment": [action.start_s, action.end_s], "fps": action.fps})
