"""How actions are written as text: two grammars, each with its reader, its writer and its lesson.

A reply is *well-formed* if it is written exactly as its grammar says, and *usable* if its one
action is clear. A usable reply is executed; only a well-formed one earns the format reward.
Replies are hostile: readers take linear time and raise only ReplyError.

Thoughts are skipped: `<think>` blocks, and text up to a `</think>` without its opening tag, which a
chat template may have written into the prompt.

Source: `video_zoom` is VideoZoomer's (arXiv 2512.22315, section 3.1); open points are decided here.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoomgym.errors import CallError, ReplyError
from zoomgym.grading import Segment
from zoomgym.io import load_json
from zoomgym.rules.actions import Action, Answer, ZoomCall

MAX_REPLY_CHARS = 65_536
EXCERPT_CHARS = 80
ZOOM_EXAMPLE = '{"segment": [12.5, 15.0], "fps": 2}'
MOST_EVIDENCE = 64
"""Most stretches that an answer may name."""
ANSWER_EXAMPLE = '{"answer": "B"}'
TAGS = ("video_zoom", "answer")
THINK, END_OF_THOUGHT = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Reading:
    """The action in a usable reply, and whether it is written exactly as its grammar asks."""

    action: Action
    is_well_formed: bool


@dataclass(frozen=True, slots=True)
class Grammar:
    """One way to write actions as text."""

    name: str
    read: Callable[[str], Reading]
    """Reads a reply of at most MAX_REPLY_CHARS. Raises ReplyError if it is not usable."""
    write: Callable[[Action, str], str]
    """Writes an action, with the agent's thought where the grammar has a place for one."""
    lesson: str
    """Tells a model how to reply."""
    stop: str = ""
    """Text that ends a reply, besides a model's own end; empty if there is none."""


def read_reply(reply: str, grammar: str) -> Reading:
    """Reads the one action in a reply.

    Raises:
        CallError: a zoom call is clear, but its numbers fit no video.
        ReplyError: the action is not clear. Nothing else is raised.
    """
    if len(reply) > MAX_REPLY_CHARS:
        raise ReplyError(
            f"reply needs at most {MAX_REPLY_CHARS} characters, got {len(reply)}: be brief"
        )
    return GRAMMARS[grammar].read(reply)


def action_in(reply: str, grammar: str) -> Action | None:
    """Returns the action in a reply; None if the reply is not usable."""
    try:
        return read_reply(reply, grammar).action
    except ReplyError:
        return None


def write_reply(action: Action, grammar: str, thought: str = "") -> str:
    """Returns the well-formed reply that says action."""
    return GRAMMARS[grammar].write(action, thought)


# JSON: what both grammars share ------------------------------------------------------------------


def _load(text: str, example: str) -> Any:
    """Returns the JSON value that text is, as a whole. Raises ReplyError."""
    try:
        return load_json(text)
    except (ValueError, RecursionError) as error:
        raise ReplyError(
            f"reply needs JSON like {example}, got {_excerpt(text)} ({error})"
        ) from error


def _zoom(row: Any) -> ZoomCall:
    """Returns the zoom call that a JSON value is. Raises ReplyError."""
    if not isinstance(row, dict) or not {"segment", "fps"} <= row.keys():
        raise ReplyError(f"zoom needs the keys of {ZOOM_EXAMPLE}, got {_excerpt(row)}")
    segment, fps = row["segment"], row["fps"]
    if not isinstance(segment, list) or len(segment) != 2:
        raise ReplyError(f"zoom needs a segment [start, end] in seconds, got {_excerpt(segment)}")
    start_s, end_s, fps = (_number(value) for value in (*segment, fps))
    return ZoomCall(start_s + 0.0, end_s, fps)  # + 0.0: a start of -0.0 is 0


def _number(value: Any) -> float:
    """Returns a JSON number as float. Refuses strings and booleans."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReplyError(f"zoom needs JSON numbers, got {_excerpt(value)}: send 12.5, not text")
    try:
        return float(value)
    except OverflowError as error:
        raise CallError("zoom needs finite numbers, got a far larger one: send seconds") from error


def _excerpt(value: Any) -> str:
    """Returns value as short quoted ASCII on one line; a list, which may be deep, as its length."""
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= EXCERPT_CHARS else text[: EXCERPT_CHARS - 2] + ".."
    return ascii(cut) if isinstance(value, str) else cut


# thoughts ----------------------------------------------------------------------------------------

THINK_TAG = re.compile(r"</?think>")
BLOCKS = re.compile(r"(?:\s*+<think>(?>.*?</think>))*+\s*+", re.DOTALL)


def _without_blocks(text: str) -> list[str]:
    """Returns the pieces of text outside its <think> blocks; one more than there are blocks.

    A block that stays open hides the rest of the text: the agent never stopped thinking.
    """
    before, *blocks = text.split(THINK)
    return [before, *(block.partition(END_OF_THOUGHT)[2] for block in blocks)]


def _without_first_thoughts(text: str) -> str:
    """Returns text without the thoughts it begins with; the first may lack its opening tag."""
    tag = THINK_TAG.search(text)
    start = tag.end() if tag and tag[0] == END_OF_THOUGHT else 0
    return BLOCKS.sub("", text[start:], count=1)


# json --------------------------------------------------------------------------------------------

JSON_LESSON = (
    "Reply with exactly one JSON object and nothing else: either a zoom call, which shows you the "
    "frames of [start, end) in seconds at fps frames per second,\n"
    f"{ZOOM_EXAMPLE}\n"
    "or your answer,\n"
    f"{ANSWER_EXAMPLE}"
)
JSON_EXAMPLES = f"{ZOOM_EXAMPLE} or {ANSWER_EXAMPLE}"
TOKEN = re.compile(r'"(?:[^"\\]+|\\.?)*+"?|[{}]', re.DOTALL)
"""A brace, or a whole string (an open one runs to the end of the text, so that time is linear)."""


def _read_json(reply: str) -> Reading:
    """Reads a reply of the grammar `json`. Raises ReplyError."""
    text = reply.strip()
    pieces = _spoken(text)
    objects = [piece[slice(*span)] for piece in pieces for span in _find_objects(piece)]
    if len(objects) != 1:
        where = " outside thoughts" if pieces != [text] else ""
        raise ReplyError(
            f"reply needs exactly one JSON object, {JSON_EXAMPLES}, "
            f"found {len(objects)}{where} in {_excerpt(text)}"
        )
    [body] = objects
    row = _load(body, JSON_EXAMPLES)
    if ("segment" in row) == ("answer" in row):
        raise ReplyError(
            f"reply needs either a zoom or an answer, {JSON_EXAMPLES}, got {_excerpt(text)}"
        )
    *before, last = map(str.strip, pieces)
    is_well_formed = last == body and not any(before)
    return Reading(_answer(row) if "answer" in row else _zoom(row), is_well_formed)


def _spoken(text: str) -> list[str]:
    """Returns the pieces of text outside thoughts. Tags inside a JSON string don't count."""
    for rest in (text, _without_first_thoughts(text)):
        if not _has_thoughts(rest):
            return [rest]
    pieces = _without_blocks(text)
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
        _load(text, "")
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


def _answer(row: dict[str, Any]) -> Answer:
    """Returns the answer in a JSON object. Raises ReplyError unless it is a text."""
    value = row["answer"]
    if not isinstance(value, str):
        raise ReplyError(f"answer needs a text like {ANSWER_EXAMPLE}, got {_excerpt(value)}")
    return Answer(value.strip(), _evidence(row.get("evidence")))


def _evidence(value: Any) -> tuple[Segment, ...]:
    """Returns the stretches in a JSON value; none if it is anything but a short list of them.

    Evidence is optional, so what is wrong with it costs the answer nothing.
    """
    if not isinstance(value, list) or len(value) > MOST_EVIDENCE:
        return ()
    try:
        return tuple(_zoom({"segment": pair, "fps": 1}).segment for pair in value)
    except ReplyError:
        return ()


def _write_json(action: Action, thought: str) -> str:
    """Writes an action in the grammar `json`, which has no place for a thought."""
    if isinstance(action, Answer):
        evidence = {"evidence": [list(one) for one in action.evidence]} if action.evidence else {}
        return json.dumps({"answer": action.text, **evidence})
    return json.dumps({"segment": [action.start_s, action.end_s], "fps": action.fps})


# video_zoom --------------------------------------------------------------------------------------

VIDEO_ZOOM_LESSON = (
    "Think first, inside <think></think>. Then reply with exactly one of two tags and nothing "
    "after it: a zoom call, which shows you the frames of [start, end) in seconds at fps frames "
    "per second,\n"
    f"<think>..</think><video_zoom>{ZOOM_EXAMPLE}</video_zoom>\n"
    "or your answer,\n"
    "<think>..</think><answer>B</answer>"
)


def _read_video_zoom(reply: str) -> Reading:
    """Reads a reply of the grammar `video_zoom`. Raises ReplyError."""
    text = reply.strip()
    is_well_formed = _has_one_thought(text)
    spoken = "\n".join(_without_blocks(text))  # a line break, so that no two halves form a tag
    opened = _opened(spoken)
    if END_OF_THOUGHT in (_after(spoken, *opened[0]) if len(opened) == 1 else spoken):
        is_well_formed = False
        spoken = spoken.rpartition(END_OF_THOUGHT)[2]
        opened = _opened(spoken)
    if len(opened) != 1:
        raise ReplyError(
            f"reply needs exactly one <video_zoom>{ZOOM_EXAMPLE}</video_zoom> or "
            f"<answer>B</answer> outside <think>, found {len(opened)} in {_excerpt(text)}"
        )
    [(tag, at)] = opened
    body, closing, after = spoken[at + len(f"<{tag}>") :].partition(f"</{tag}>")
    if not closing and tag == "answer":
        raise ReplyError(f"answer needs its closing tag </answer>, got {_excerpt(spoken[at:])}")
    is_well_formed &= bool(closing) and not spoken[:at].strip() and not after
    action = Answer(body.strip()) if tag == "answer" else _zoom(_load(body.strip(), ZOOM_EXAMPLE))
    return Reading(action, is_well_formed)


def _has_one_thought(text: str) -> bool:
    """Returns whether text begins with its one <think> block, which is closed."""
    before, *blocks = text.split(THINK)
    are_closed = [END_OF_THOUGHT in block for block in blocks]
    return not before and are_closed[-1:] == [True] and sum(are_closed) == 1


def _opened(spoken: str) -> list[tuple[str, int]]:
    """Returns every opening tag of an action, and where it is."""
    return [(tag, match.start()) for tag in TAGS for match in re.finditer(f"<{tag}>", spoken)]


def _after(spoken: str, tag: str, at: int) -> str:
    """Returns what follows the action that opens at `at`; all of it if the action stays open."""
    body, closing, after = spoken[at:].partition(f"</{tag}>")
    return after if closing else body


def _write_video_zoom(action: Action, thought: str) -> str:
    if isinstance(action, Answer):
        spoken = f"<answer>{action.text}</answer>"
    else:
        spoken = f"<video_zoom>{_write_json(action, '')}</video_zoom>"
    return f"<think>{thought}</think>{spoken}"


GRAMMARS = {
    "json": Grammar("json", _read_json, _write_json, JSON_LESSON),
    "video_zoom": Grammar(
        "video_zoom", _read_video_zoom, _write_video_zoom, VIDEO_ZOOM_LESSON, stop="</video_zoom>"
    ),
}
