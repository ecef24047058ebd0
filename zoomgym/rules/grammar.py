"""How actions are written as text: two grammars, each with its reader, its writer and its lesson.

A reply is *well-formed* if it is written exactly as its grammar says, and *usable* if its one
action is clear. A usable reply is executed; only a well-formed one earns the format reward.
Replies are hostile: readers take linear time and raise only ReplyError.

Thoughts are skipped: `<think>` blocks, and text up to a `</think>` without its opening tag, which a
chat template may have written into the prompt.

Source: `video_zoom` is VideoZoomer's (arXiv 2512.22315, section 3.1); open points are decided here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zoomgym.errors import ReplyError
from zoomgym.rules.actions import ONLY_ZOOM, Action
from zoomgym.rules.json_grammar import (
    JSON_LESSON,
    read_json,
    read_json_calls,
    teach_json,
    write_json,
)
from zoomgym.rules.reading import Reading
from zoomgym.rules.tag_grammar import VIDEO_ZOOM_LESSON, read_video_zoom, write_video_zoom

MAX_REPLY_CHARS = 65_536


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
    read_calls: Callable[[str, Sequence[str]], Reading] | None = None
    """Reads a reply where these tools are offered, and not `zoom` alone; None: it has no words."""
    teach: Callable[[Sequence[str]], str] | None = None
    """Returns the lesson where these tools are offered, and not `zoom` alone."""


def read_reply(reply: str, grammar: str, tools: Sequence[str] = ONLY_ZOOM) -> Reading:
    """Reads the one action in a reply, where these tools are offered.

    Raises:
        CallError: a zoom call is clear, but its numbers fit no video.
        ReplyError: the action is not clear. Nothing else is raised.
    """
    if len(reply) > MAX_REPLY_CHARS:
        raise ReplyError(
            f"reply needs at most {MAX_REPLY_CHARS} characters, got {len(reply)}: be brief"
        )
    if tools == ONLY_ZOOM:
        return GRAMMARS[grammar].read(reply)
    read_calls = GRAMMARS[grammar].read_calls
    assert read_calls, f"{grammar} has no words for {tools}"  # `Rules` has refused it
    return read_calls(reply, tools)


def action_in(reply: str, grammar: str, tools: Sequence[str] = ONLY_ZOOM) -> Action | None:
    """Returns the action in a reply; None if the reply is not usable."""
    try:
        return read_reply(reply, grammar, tools).action
    except ReplyError:
        return None


def lesson(grammar: str, tools: Sequence[str] = ONLY_ZOOM) -> str:
    """Returns what tells a model how to reply, where these tools are offered."""
    teach = GRAMMARS[grammar].teach
    return teach(tools) if teach and tools != ONLY_ZOOM else GRAMMARS[grammar].lesson


def write_reply(action: Action, grammar: str, thought: str = "") -> str:
    """Returns the well-formed reply that says action."""
    return GRAMMARS[grammar].write(action, thought)


GRAMMARS = {
    "json": Grammar(
        "json",
        read_json,
        write_json,
        JSON_LESSON,
        read_calls=read_json_calls,
        teach=teach_json,
    ),
    "video_zoom": Grammar(
        "video_zoom", read_video_zoom, write_video_zoom, VIDEO_ZOOM_LESSON, stop="</video_zoom>"
    ),
}
