"""What the readers of all grammars share: JSON values, thoughts, and excerpts for errors."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from zoomgym.errors import CallError, ReplyError
from zoomgym.io import load_json
from zoomgym.rules.actions import TOOLS, ZOOM, Action, ZoomCall
from zoomgym.rules.relative import RelativeCall, Remark

EXCERPT_CHARS = 80
ZOOM_EXAMPLE = '{"segment": [12.5, 15.0], "fps": 2}'
ANSWER_EXAMPLE = '{"answer": "B"}'
THINK, END_OF_THOUGHT = "<think>", "</think>"
THINK_TAG = re.compile(r"</?think>")
BLOCKS = re.compile(r"(?:\s*+<think>(?>.*?</think>))*+\s*+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reading:
    """The action in a usable reply, and whether it is written exactly as its grammar asks."""

    action: Action | RelativeCall | Remark
    is_well_formed: bool
    further: tuple[RelativeCall, ...] = ()
    """Calls after the first, where a grammar allows several; they are executed in order."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """One way to write actions as text."""

    name: str
    read: Callable[[str], Reading]
    """Reads a reply of at most MAX_REPLY_CHARS. Raises ReplyError if it is not usable."""
    write: Callable[[Action, str], str]
    """Writes an action, with the agent's thought where the grammar has a place for one.

    Raises ValueError if the grammar has no words for it."""
    lesson: str
    """Tells a model how to reply."""
    stop: str = ""
    """Text that ends a reply, besides a model's own end; empty if there is none."""
    read_calls: Callable[[str, Sequence[str]], Reading] | None = None
    """Reads a reply where these tools are offered, and not `zoom` alone; None: it has no words."""
    teach: Callable[[Sequence[str]], str] | None = None
    """Returns the lesson where these tools are offered, and not `zoom` alone."""
    words: tuple[str, ...] = TOOLS
    """Tools that `read_calls` has words for."""
    most_calls: int = 1
    """Calls that a reply may hold."""
    has_thoughts: bool = False
    """Whether a reply has a place for thoughts, inside `<think>`."""
    says_zooms: bool = True
    """Whether it writes every zoom as it is meant, with its start, end and number of frames."""
    samples: tuple[str, ...] = ()
    """Calls to draw at random where a zoom cannot be written as it is meant."""
    native_lesson: str = ""
    """Tells a model that calls tools natively how to reply; empty if its calls are only text."""
    call_in: Callable[[str], tuple[str, str]] | None = None
    """Returns the tool and the JSON of the one call in a reply. Raises ReplyError."""


def no_words(action: Action) -> ValueError:
    """Returns the error of a writer whose grammar has no words for an action."""
    return ValueError(f"the grammar has no words for {action}: give grammar='json'")


def load_object(text: str, example: str) -> Any:
    """Returns the JSON value that text is, as a whole. Raises ReplyError."""
    try:
        return load_json(text)
    except (ValueError, RecursionError) as error:
        raise ReplyError(
            f"reply needs JSON like {example}, got {excerpt(text)} ({error})"
        ) from error


def zoom_in(row: Any) -> ZoomCall:
    """Returns the zoom call that a JSON value is. Raises ReplyError."""
    if not isinstance(row, dict) or not {"segment", "fps"} <= row.keys():
        raise ReplyError(f"zoom needs the keys of {ZOOM_EXAMPLE}, got {excerpt(row)}")
    segment, fps = row["segment"], row["fps"]
    if not isinstance(segment, list) or len(segment) != 2:
        raise ReplyError(f"zoom needs a segment [start, end] in seconds, got {excerpt(segment)}")
    start_s, end_s, fps = (number_in(value) for value in (*segment, fps))
    return ZoomCall(start_s + 0.0, end_s, fps)  # + 0.0: a start of -0.0 is 0


def number_in(value: Any, tool: str = ZOOM) -> float:
    """Returns a JSON number as float. Refuses strings and booleans."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ReplyError(f"{tool} needs JSON numbers, got {excerpt(value)}: send 12.5, not text")
    try:
        return float(value)
    except OverflowError as error:
        raise CallError(
            f"{tool} needs finite numbers, got a far larger one: send seconds"
        ) from error


def excerpt(value: Any) -> str:
    """Returns value as short quoted ASCII on one line; a list, which may be deep, as its length."""
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = value if isinstance(value, str) else str(value)
    cut = text if len(text) <= EXCERPT_CHARS else text[: EXCERPT_CHARS - 2] + ".."
    return ascii(cut) if isinstance(value, str) else cut


def without_blocks(text: str) -> list[str]:
    """Returns the pieces of text outside its <think> blocks; one more than there are blocks.

    A block that stays open hides the rest of the text: the agent never stopped thinking.
    """
    before, *blocks = text.split(THINK)
    return [before, *(block.partition(END_OF_THOUGHT)[2] for block in blocks)]


def without_first_thoughts(text: str) -> str:
    """Returns text without the thoughts it begins with; the first may lack its opening tag."""
    tag = THINK_TAG.search(text)
    start = tag.end() if tag and tag[0] == END_OF_THOUGHT else 0
    return BLOCKS.sub("", text[start:], count=1)
