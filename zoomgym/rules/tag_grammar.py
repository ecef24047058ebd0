"""The grammar `video_zoom`: thoughts and one action, between tags."""

import re

from zoomgym.errors import ReplyError
from zoomgym.rules.actions import Action, Answer
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


def read_video_zoom(reply: str) -> Reading:
    """Reads a reply of the grammar `video_zoom`. Raises ReplyError."""
    text = reply.strip()
    is_well_formed = _has_one_thought(text)
    spoken = "\n".join(without_blocks(text))  # a line break, so that no two halves form a tag
    opened = _opened(spoken)
    if END_OF_THOUGHT in (_after(spoken, *opened[0]) if len(opened) == 1 else spoken):
        is_well_formed = False
        spoken = spoken.rpartition(END_OF_THOUGHT)[2]
        opened = _opened(spoken)
    if len(opened) != 1:
        raise ReplyError(
            f"reply needs exactly one <video_zoom>{ZOOM_EXAMPLE}</video_zoom> or "
            f"<answer>B</answer> outside <think>, found {len(opened)} in {excerpt(text)}"
        )
    [(tag, at)] = opened
    body, closing, after = spoken[at + len(f"<{tag}>") :].partition(f"</{tag}>")
    if not closing and tag == "answer":
        raise ReplyError(f"answer needs its closing tag </answer>, got {excerpt(spoken[at:])}")
    is_well_formed &= bool(closing) and not spoken[:at].strip() and not after
    if tag == "answer":
        return Reading(Answer(body.strip()), is_well_formed)
    return Reading(zoom_in(load_object(body.strip(), ZOOM_EXAMPLE)), is_well_formed)


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


def write_video_zoom(action: Action, thought: str) -> str:
    """Writes an action in the grammar `video_zoom`."""
    if isinstance(action, Answer):
        spoken = f"<answer>{action.text}</answer>"
    else:
        spoken = f"<video_zoom>{write_json(action, '')}</video_zoom>"
    return f"<think>{thought}</think>{spoken}"
