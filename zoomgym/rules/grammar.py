"""How actions are written as text: two grammars, each with its reader, its writer and its lesson.

Those of peers, which presets name, are beside them (see `peers`).

A reply is *well-formed* if it is written exactly as its grammar says, and *usable* if its one
action is clear. A usable reply is executed; only a well-formed one earns the format reward.
Replies are hostile: readers take linear time and raise only ReplyError.

Thoughts are skipped: `<think>` blocks, and text up to a `</think>` without its opening tag, which a
chat template may have written into the prompt.

Source: `video_zoom` is VideoZoomer's (arXiv 2512.22315, section 3.1); open points are decided here.
"""

from collections.abc import Sequence

from zoomgym.errors import ReplyError
from zoomgym.rules.actions import ONLY_ZOOM, Action
from zoomgym.rules.json_grammar import (
    JSON_LESSON,
    JSON_NATIVE_LESSON,
    json_call_in,
    read_json,
    read_json_calls,
    teach_json,
    write_json,
)
from zoomgym.rules.peers import PEER_GRAMMARS
from zoomgym.rules.reading import Grammar, Reading
from zoomgym.rules.relative import RelativeCall, Remark
from zoomgym.rules.tag_grammar import (
    VIDEO_ZOOM_LESSON,
    VIDEO_ZOOM_NATIVE_LESSON,
    read_video_zoom,
    video_zoom_call_in,
    write_video_zoom,
)

MAX_REPLY_CHARS = 65_536


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
        return grammar_of(grammar).read(reply)
    read_calls = grammar_of(grammar).read_calls
    assert read_calls, f"{grammar} has no words for {tools}"  # `Rules` has refused it
    return read_calls(reply, tools)


def action_in(
    reply: str, grammar: str, tools: Sequence[str] = ONLY_ZOOM
) -> Action | RelativeCall | Remark | None:
    """Returns the action in a reply; None if the reply is not usable."""
    try:
        return read_reply(reply, grammar, tools).action
    except ReplyError:
        return None


def call_in(reply: str, grammar: str) -> tuple[str, str] | None:
    """Returns the tool and the JSON of the one call in a reply, which may ask for what is refused.

    Returns None if the reply is no call, or the grammar is a peer's, whose calls are text.
    """
    read = grammar_of(grammar).call_in
    try:
        return read(reply) if read and len(reply) <= MAX_REPLY_CHARS else None
    except ReplyError:
        return None


def lesson(grammar: str, tools: Sequence[str] = ONLY_ZOOM, *, is_native: bool = False) -> str:
    """Returns what tells a model how to reply, where these tools are offered.

    A model that calls tools natively is told of their arguments elsewhere. Raises ValueError if the
    grammar, which is a peer's, has no place for native calls.
    """
    if is_native:
        if native := grammar_of(grammar).native_lesson:
            return native
        raise ValueError(
            f"native tool calls need a grammar of {list(GRAMMARS)}, got {grammar}: the model "
            "writes its calls as it was trained to"
        )
    teach = grammar_of(grammar).teach
    return teach(tools) if teach and tools != ONLY_ZOOM else grammar_of(grammar).lesson


def write_reply(action: Action, grammar: str, thought: str = "") -> str:
    """Returns the well-formed reply that says action.

    Raises ValueError if the grammar, which is a peer's, has no words for it.
    """
    return grammar_of(grammar).write(action, thought)


def is_grammar(name: object) -> bool:
    """Returns whether a grammar has this name, one of ours or a peer's."""
    return isinstance(name, str) and (name in GRAMMARS or name in PEER_GRAMMARS)


def grammar_of(name: str) -> Grammar:
    """Returns the grammar of this name, one of ours or a peer's."""
    return GRAMMARS.get(name) or PEER_GRAMMARS[name]


GRAMMARS = {
    "json": Grammar(
        "json",
        read_json,
        write_json,
        JSON_LESSON,
        read_calls=read_json_calls,
        teach=teach_json,
        native_lesson=JSON_NATIVE_LESSON,
        call_in=json_call_in,
    ),
    "video_zoom": Grammar(
        "video_zoom",
        read_video_zoom,
        write_video_zoom,
        VIDEO_ZOOM_LESSON,
        stop="</video_zoom>",
        has_thoughts=True,
        native_lesson=VIDEO_ZOOM_NATIVE_LESSON,
        call_in=video_zoom_call_in,
    ),
}
