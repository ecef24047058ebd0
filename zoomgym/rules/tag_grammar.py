"""The grammar `video_zoom`: thoughts and one action, between tags."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from zoomgym.errors import ReplyError
from zoomgym.rules.actions import ZOOM, Action, Answer
from zoomgym.rules.json_grammar import write_json
from zoomgym.rules.reading import (
    END_OF_THOUGHT,
    THINK,
    ZOOM_EXAMPLE,
    Reading,
    excerpt,
    load_object,
    without_blocks,
    zoom_in,
)

TAGS = ("video_zoom", "answer")
VIDEO_ZOOM_LESSON = (
    "Think first, inside <think></think>. Then reply with exactly one of two tags and nothing "
    "after it: a zoom call, which shows you the frames of [start, end) in seconds at fps frames "
    "per second,\n"
    f"<think>..</think><video_zoom>{ZOOM_EXAMPLE}</video_zoom>\n"
    "or your answer,\n"
    "<think>..</think><answer>B</answer>"
)

VIDEO_ZOOM_NATIVE_LESSON = (
    "Think first, inside <think></think>. Then either call exactly one of your tools, or give your "
    "answer and nothing after it,\n"
    "<think>..</think><answer>B</answer>"
)


class Tagged(NamedTuple):
    """The one action in a reply that writes its action between tags."""

    tag: str
    body: str
    is_well_formed: bool
    further: tuple[str, ...] = ()
    """Bodies of the calls after the first."""


def read_video_zoom(reply: str) -> Reading:
    """Reads a reply of the grammar `video_zoom`. Raises ReplyError."""
    forms = f"<video_zoom>{ZOOM_EXAMPLE}</video_zoom> or <answer>B</answer>"
    tag, body, is_well_formed, _ = read_tagged(reply, TAGS, forms)
    if tag == "answer":
        return Reading(Answer(body), is_well_formed)
    return Reading(zoom_in(load_object(body, ZOOM_EXAMPLE)), is_well_formed)


def video_zoom_call_in(reply: str) -> tuple[str, str]:
    """Returns `zoom` and the object of the one call in a reply. Raises ReplyError."""
    tag, body, _, _ = read_tagged(reply, TAGS, f"<video_zoom>{ZOOM_EXAMPLE}</video_zoom>")
    if tag != TAGS[0]:
        raise ReplyError(f"reply needs one call, got {excerpt(reply.strip())}")
    load_object(body, ZOOM_EXAMPLE)
    return ZOOM, body


def read_tagged(
    reply: str, tags: Sequence[str], forms: str, needs_thought: bool = True, most: int = 1
) -> Tagged:
    """Reads a reply that is a thought and then one action between tags. Raises ReplyError.

    Args:
        reply: of an agent.
        tags: of actions.
        forms: what an action needs to look like, for errors.
        needs_thought: whether only a reply that begins with its thought is well-formed. If not, any
            words may be before the action.
        most: calls that a reply may hold, all of the first tag. More are left out.
    """
    text = reply.strip()
    is_well_formed = _has_one_thought(text) or not needs_thought
    spoken = "\n".join(without_blocks(text))  # a line break, so that no two halves form a tag
    opened = _opened(spoken, tags)
    if END_OF_THOUGHT in (_after(spoken, *opened[0]) if len(opened) == 1 else spoken):
        is_well_formed = False
        spoken = spoken.rpartition(END_OF_THOUGHT)[2]
        opened = _opened(spoken, tags)
    are_calls = most > 1 and opened and all(tag == tags[0] for tag, _ in opened)
    if len(opened) != 1 and not are_calls:
        raise ReplyError(
            f"reply needs exactly one {forms} outside <think>, found {len(opened)} in "
            f"{excerpt(text)}"
        )
    is_well_formed &= len(opened) <= most
    tag, bodies, ends = opened[0][0], list[str](), [at for _, at in opened[1:]]
    for (_, at), end in zip(opened[:most], [*ends, len(spoken)], strict=False):
        piece = spoken[at + len(f"<{tag}>") : end]
        body, closing, after = piece.partition(f"</{tag}>")
        if not closing and tag == "answer":
            raise ReplyError(f"answer needs its closing tag </answer>, got {excerpt(spoken[at:])}")
        bodies.append(body.strip())
        is_well_formed &= bool(closing) and not (after.strip() if end < len(spoken) else after)
    first = opened[0][1]
    is_well_formed &= not needs_thought or not spoken[:first].strip()
    return Tagged(tag, bodies[0], is_well_formed, tuple(bodies[1:]))


def _has_one_thought(text: str) -> bool:
    """Returns whether text begins with its one <think> block, which is closed."""
    before, *blocks = text.split(THINK)
    are_closed = [END_OF_THOUGHT in block for block in blocks]
    return not before and are_closed[-1:] == [True] and sum(are_closed) == 1


def _opened(spoken: str, tags: Sequence[str]) -> list[tuple[str, int]]:
    """Returns every opening tag of an action, and where it is."""
    return [(tag, match.start()) for tag in tags for match in re.finditer(f"<{tag}>", spoken)]


def _after(spoken: str, tag: str, at: int) -> str:
    """Returns what follows the action that opens at `at`; all of it if the action stays open."""
    body, closing, after = spoken[at:].partition(f"</{tag}>")
    return after if closing else body


def write_video_zoom(action: Action, thought: str) -> str:
    """Writes an action in the grammar `video_zoom`."""
    if isinstance(action, Answer):
        spoken = f"<answer>{action.text}</answer>"
    else:
        spoken = f"<video_zoom>{write_json(action, '')}</video_zoom>"
    return f"<think>{thought}</think>{spoken}"
