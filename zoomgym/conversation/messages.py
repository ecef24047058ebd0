"""Turns an observation into chat messages, for any model. Their pictures are encoded elsewhere.

The messages of a turn begin with those of the turn before, so that a model reads only what is new.
For a model with *native* tools, a call is a `tool_calls` of its message, which a message of the
role `tool` answers; the frames follow in one of the user, as a tool's holds no pictures.

Source: frames are labeled, and come back inside `<tool_response>`, as VideoZoomer's checkpoints
were trained on (zsgvivo/VideoZoomer, commit 5638153, vllm_async_engine.py:408); labels count from
0 in every message. Departure: the system text follows the rules of the episode, and the response
the environment's feedback. A preset lays messages out as its peer does, see `MessageLayout`.
"""

from collections.abc import Sequence
from typing import Literal, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from zoomgym.agent import Frames, Observation
from zoomgym.conversation.tools import name_of
from zoomgym.io import encodable
from zoomgym.rules import (
    LAST_TURN,
    UNIFORM,
    ZOOM,
    MessageLayout,
    Rules,
    Segment,
    Turn,
    call_in,
    layout_of,
    lesson,
    with_options,
)

CHOSEN = {
    UNIFORM: "evenly spread over the whole video",
    "random": "at random times of the whole video",
    "change": "more of them where the picture changes",
}
"""What a model is told about the frames of an overview, by the name of their picker."""


class TextPart(TypedDict):
    """A piece of text in a message."""

    type: Literal["text"]
    text: str


class ImagePart(TypedDict):
    """A picture in a message."""

    type: Literal["image"]
    image: NDArray[np.uint8]
    """(H, W, 3) RGB."""


class ToolFunction(TypedDict):
    """The tool that a model calls."""

    name: str
    arguments: str
    """A JSON object."""


class ToolCall(TypedDict):
    """A native call of a tool, as OpenAI's API has it."""

    id: str
    type: Literal["function"]
    function: ToolFunction


class Message(TypedDict):
    """One message of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: list[TextPart | ImagePart]
    tool_calls: NotRequired[list[ToolCall]]
    """Of an assistant that has called a tool natively."""
    tool_call_id: NotRequired[str]
    """Of a tool: the call that it answers."""


def to_messages(observation: Observation, *, is_native: bool = False) -> list[Message]:
    """Returns everything that was said and shown in an episode so far.

    The last message is the user's, or a tool's, or, when the episode is over, the last reply.

    Args:
        observation: of the episode.
        is_native: whether the model calls tools natively (see `tool_schemas`).

    Raises:
        ValueError: the messages would hold other frames than were paid for, or the grammar is a
            peer's, which has no place for native calls.
    """
    messages = _opening(observation, is_native)
    for index in range(len(observation.turns)):
        messages += _exchange(observation, index, is_native)
    num_owed = observation.rules.frame_budget - observation.frames_left
    if (num_held := len(images_of(messages))) != num_owed:
        raise ValueError(
            f"{observation.episode_key}: needed messages with all {num_owed} frames that were paid "
            f"for, got {num_held}: give the observation as the environment made it"
        )
    return messages


def new_messages(observation: Observation, *, is_native: bool = False) -> list[Message]:
    """Returns the last messages of an episode: the last reply and its response, or the opening.

    Takes and raises what `to_messages` does.
    """
    if not observation.turns:
        return to_messages(observation, is_native=is_native)
    return _exchange(observation, len(observation.turns) - 1, is_native)


def images_of(messages: Sequence[Message]) -> list[NDArray[np.uint8]]:
    """Returns the pictures in messages, each (H, W, 3) uint8 RGB, in order."""
    parts = [part for message in messages for part in message["content"]]
    return [part["image"] for part in parts if part["type"] == "image"]


def text_of(message: Message) -> str:
    """Returns the text of a message, without its pictures."""
    return "".join(part["text"] for part in message["content"] if part["type"] == "text")


def _opening(observation: Observation, is_native: bool) -> list[Message]:
    """Returns the rules, and the overview with the question."""
    rules, overview = observation.rules, observation.overview
    if layout := layout_of(rules.preset):
        if is_native:
            raise ValueError(
                f"native tool calls need rules without a preset, got {rules.preset}: its model "
                "writes its calls as it was trained to"
            )
        return _laid_out(observation, layout)
    taught = lesson(rules.grammar, rules.tools, is_native=is_native)
    system = (
        f"You answer a question about a video. {_told_overview(rules, overview)} "
        f"You have {rules.max_turns} turns, one reply each; the last one must be your answer.\n"
        f"{taught}"
    )
    asked = [
        f"The video lasts {observation.duration_s:.2f} s.",
        with_options(observation.question, observation.options),
    ]
    if rules.max_turns == 1:
        asked.append(LAST_TURN)  # the feedback says it too, until the episode is over
    return [
        {"role": "system", "content": [_text(system)]},
        {
            "role": "user",
            "content": [*_labeled(overview, _labels(overview)), _text("\n".join(asked))],
        },
    ]


def _laid_out(observation: Observation, layout: MessageLayout) -> list[Message]:
    """Returns the opening as a preset lays it out."""
    rules, overview, duration_s = observation.rules, observation.overview, observation.duration_s
    whole = Segment(0.0, duration_s)
    fields = layout.of_stretch(whole, overview.times_s, duration_s) | {
        "lesson": lesson(rules.grammar, rules.tools),
        "turns": rules.max_turns,
        "frames": rules.frames_per_zoom,
        "question": with_options(observation.question, observation.options),
    }
    before, after = layout.before.format(**fields), layout.after.format(**fields)
    if rules.max_turns == 1 and layout.last:
        after += f"\n{layout.last}"
    shown = _labeled(overview, layout.labels(whole, overview.times_s, duration_s))
    asked: list[TextPart | ImagePart] = [_text(before), *shown, _text(after)]
    system = layout.system.format(**fields)
    return [
        {"role": "system", "content": [_text(system)]},
        {"role": "user", "content": [part for part in asked if part.get("text") != ""]},
    ]


def _told_overview(rules: Rules, overview: Frames) -> str:
    """Returns what a model is told about the overview, and how it may see more."""
    rate = "a higher rate" if overview.times_s else "a rate of your choice"
    zoom = (
        f"zoom: you may ask for the frames of a stretch at {rate}, at most "
        f"{rules.frames_per_zoom} frames a zoom."
    )
    can_zoom = ZOOM in rules.tools
    if not overview.times_s:
        label = f" To see some, each after a label with its time in seconds, {zoom}"
        return f"You are shown none of its frames{f' at first.{label}' if can_zoom else '.'}"
    chosen = CHOSEN.get(rules.overview, "chosen from the whole video")
    shown = (
        f"You are shown an overview: {len(overview.times_s)} frames, {chosen}, each after a label "
        "with its time in seconds."
    )
    return f"{shown} Where that is too coarse, {zoom}" if can_zoom else shown


def _exchange(observation: Observation, index: int, is_native: bool) -> list[Message]:
    """Returns the reply of a turn and what came back, which is nothing at the end of an episode."""
    turn = observation.turns[index]
    reply: Message = {"role": "assistant", "content": [_text(turn.reply)]}
    if index == len(observation.turns) - 1 and observation.turns_left == 0:
        return [reply]
    shown: list[TextPart | ImagePart] = []
    num_before = sum(before.shown is not None for before in observation.turns[:index])
    clip = observation.clips[num_before] if turn.shown else None
    if layout := layout_of(observation.rules.preset):
        return [reply, *_responses(observation, index, clip, layout)]
    if is_native and (call := call_in(turn.reply, observation.rules.grammar)):
        return _native(turn, index, call, clip)
    if clip:
        shown = [*_labeled(clip, _labels(clip)), _text("\n")]
    said = [_text(f"<tool_response>\n{turn.feedback}\n"), *shown, _text("</tool_response>")]
    return [reply, {"role": "user", "content": said}]


def _native(turn: Turn, index: int, call: tuple[str, str], clip: Frames | None) -> list[Message]:
    """Returns a native call, its response, and the frames that it showed."""
    tool, arguments = call
    words = turn.reply.rpartition(f"<{name_of(tool)}>")[0]
    number = f"call{index:05d}"  # nine letters and digits, as the strictest servers want
    function: ToolFunction = {"name": name_of(tool), "arguments": encodable(arguments)}
    messages: list[Message] = [
        {
            "role": "assistant",
            "content": [_text(words)] if words else [],
            "tool_calls": [{"id": number, "type": "function", "function": function}],
        },
        {"role": "tool", "content": [_text(turn.feedback)], "tool_call_id": number},
    ]
    if clip:
        messages.append({"role": "user", "content": _labeled(clip, _labels(clip))})
    return messages


def _responses(
    observation: Observation, index: int, clip: Frames | None, layout: MessageLayout
) -> list[Message]:
    """Returns what came back from a turn as a preset lays it out: a message for each call."""
    turn, duration_s = observation.turns[index], observation.duration_s
    texts = [turn.feedback]
    if turn.zooms:
        texts = layout.parts(
            zooms=turn.zooms,
            error=turn.error,
            said="",
            question=with_options(observation.question, observation.options),
            duration_s=duration_s,
            turn=index + 2,
            is_last=index + 2 == observation.rules.max_turns,
        )
    messages, first = list[Message](), 0
    for call in turn.zooms or ([turn.shown] if turn.shown else []):
        assert clip, "it was shown"
        end = first + call.num_frames
        part = Frames(clip.times_s[first:end], clip.images[first:end])
        labels = layout.labels(call.segment, part.times_s, duration_s)
        messages.append(_wrapped(layout, texts.pop(0), _labeled(part, labels)))
        first = end
    return [*messages, *([_wrapped(layout, "\n".join(texts), [])] if texts else [])]


def _wrapped(layout: MessageLayout, text: str, frames: Sequence[TextPart | ImagePart]) -> Message:
    """Returns a message of the user with the text and the frames of a call, without empty texts."""
    body = [_text(text), *frames] if layout.is_text_first else [*frames, _text(text)]
    around = [_text(layout.opens), *body, _text(layout.closes)]
    return {"role": "user", "content": [part for part in around if part.get("text") != ""]}


def _labels(frames: Frames) -> list[str]:
    """Returns the labels of frames: their numbers and times."""
    return [f"<frame{index}_time{time_s:.2f}s>" for index, time_s in enumerate(frames.times_s)]


def _labeled(frames: Frames, labels: Sequence[str]) -> list[TextPart | ImagePart]:
    """Returns frames, each after its label; an empty one is left out."""
    parts: list[TextPart | ImagePart] = []
    for label, image in zip(labels, frames.images, strict=True):
        if label:
            parts.append(_text(label))
        parts.append({"type": "image", "image": image})
    return parts


def _text(text: str) -> TextPart:
    return {"type": "text", "text": encodable(text)}
