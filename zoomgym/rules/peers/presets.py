"""Presets: how a peer's checkpoints play, as data. Arguments of ZoomEnv, and a layout.

Source: what each repository runs its own checkpoint with, at the commits that the grammars name.
Texts are ours; tags, names of tools and the order of frames and texts are the peers'. What differs
is in docs/presets.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoomgym.rules.peers.layout import MessageLayout
from zoomgym.rules.peers.spans import MTR_MOST, MTR_PER_S, THINKER_PER_S
from zoomgym.rules.peers.tree import children_at, describe_node


@dataclass(frozen=True, slots=True)
class Preset:
    """What a peer's checkpoints were trained with."""

    arguments: Mapping[str, Any]
    """Arguments of ZoomEnv."""
    layout: MessageLayout | None = None
    """How messages are laid out; None: as without a preset."""


def _rules(
    grammar: str, num_overview: int, frames_per_zoom: int, frame_budget: int, max_turns: int
) -> dict[str, Any]:
    return {
        "grammar": grammar,
        "num_overview": num_overview,
        "frames_per_zoom": frames_per_zoom,
        "frame_budget": frame_budget,
        "max_turns": max_turns,
    }


def _weights(
    accuracy: float, format_: float, tool: float = 0.0, **further: float
) -> dict[str, dict[str, float]]:
    weights = {"accuracy": accuracy, "format": format_, "tool": tool, **further}
    return {"reward_weights": weights}


PRESETS: Mapping[str, Preset] = {
    "videozoomer": Preset(_rules("video_zoom", 64, 16, 128, 5) | _weights(0.9, 0.1, 0.5)),
    "longvt": Preset(
        _rules("longvt", 128, 128, 768, 6) | _weights(1.0, 1.0, grounding=1.0),
        MessageLayout(
            after="{question}\nThink, call crop_video where you need to see more, and answer.",
            shown="Cropped {start_s:g}s-{end_s:g}s, got {num_frames} frames.",
            refused="Error: {error}",
        ),
    ),
    "paravt": Preset(
        _rules("paravt", 64, 16, 304, 4) | _weights(1.0, 0.5, 0.5),
        MessageLayout(
            after="{question}\nVideo path: video.mp4",
            shown=(
                "<tool_response>\n{num_frames} frames from {start_s:.1f}s to {end_s:.1f}s.\n"
                "</tool_response>"
            ),
            refused="<tool_response>\n[Error: {error}]\n</tool_response>",
            last="Answer now, with the letter only.",
            opens="",
            closes="",
        ),
    ),
    "eva": Preset(
        _rules("eva", 0, 64, 512, 8) | _weights(1.0, 0.0),
        MessageLayout(
            system="You answer a question about a video that you see with a tool.\n{lesson}",
            before="Video Length: {seconds} seconds. ",
            label="Frame {index} at [{clock}]: ",
            joint="\n",
            shown="\nTo see more, call the tool again.\n\nQuestion: {question}",
            opens="<tool_response>",
            closes="</tool_response>",
        ),
    ),
    "dynframe": Preset(
        _rules("dynframe", 64, 64, 128, 2) | _weights(1.0, 1.0, grounding=1.0),
        MessageLayout(label="<{time_s:.1f} seconds>", opens="", closes="", last=""),
    ),
    "video_mtr": Preset(
        _rules("video_mtr", 16, 8, 32, 3) | _weights(1.0, 0.1, grounding=0.5),
        MessageLayout(
            system="You answer a question about a video in at most {turns} turns.\n{lesson}",
            before="Turn 1\nYou see {num_frames} frames, frame_idx_list: {frames_at}\n\nFrames:\n",
            after="\n{question}\nRetrieve more frames or answer.",
            label="frame_idx:{frame}, ",
            joint="\n",
            shown=(
                "Turn {turn}\nYou see {num_frames} frames, frame_idx_list: {frames_at}\n"
                "{question}\nRetrieve more frames or answer.\n\nFrames:\n"
            ),
            refused=(
                "Your response in the previous turn is invalid: {error}\n\nTurn {turn}\n"
                "{question}\nRetrieve more frames or answer."
            ),
            last="This is the last turn: you must provide your answer now.",
            opens="",
            closes="",
            is_text_first=True,
            per_s=MTR_PER_S,
            most_steps=MTR_MOST,
        ),
    ),
    "gemini": Preset(
        _rules("gemini", 0, 64, 512, 8) | _weights(1.0, 0.0),
        MessageLayout(
            before="The video lasts {clock}.\n",
            label="[{clock}] ",
            joint="\n",
            shown="get_frames: {num_frames} frames of {start_s:g} s to {end_s:g} s.\n",
            refused="error: {error}",
            opens="",
            closes="",
            is_text_first=True,
        ),
    ),
    "framethinker": Preset(
        _rules("framethinker", 8, 8, 40, 5) | _weights(1.0, 0.0, tool_cost=0.02),
        MessageLayout(
            before="{question}\n",
            after="",
            label="frame {frame}:",
            joint="\n",
            opens="",
            closes="",
            per_s=THINKER_PER_S,
        ),
    ),
    "timesearch": Preset(
        _rules("timesearch", 64, 8, 128, 9) | _weights(0.5, 1.0),
        MessageLayout(
            after="Question: {question}\nThe video duration: {duration_s:.1f} seconds.",
            label="{time_s:.1f}s",
            shown=(
                "Here are frames, at {times}.\nIf they are enough, answer inside "
                "<answer></answer>. Otherwise call the tool again."
            ),
            refused=(
                "The previous response is invalid: {error}\nCall the tool inside "
                "<tool_call></tool_call>, or answer inside <answer></answer>."
            ),
        ),
    ),
    "omniagent": Preset(
        _rules("omniagent", 0, 60, 600, 32) | _weights(1.0, 0.1),
        MessageLayout(
            before="Video META: duration={duration_s:.2f}s, has_audio=false\n",
            shown="Frames {start_s:.2f}s-{end_s:.2f}s (num={num_frames}). Timestamps: [{times}]\n",
            refused="[ERROR] {error}",
            last="[NOTICE] FINAL STEP: answer now.",
            opens="",
            closes="",
            is_text_first=True,
        ),
    ),
    "vts": Preset(
        _rules("vts", 64, 64, 960, 15) | _weights(0.5, 0.5, evidence_iou=1.0),
        MessageLayout(
            before="Current Segment [{start_s:.1f}s-{end_s:.1f}s]:\n",
            after="\nNavigation Context:\n{place}\n\nQuestion: {question}",
            label="{time_s:.1f}s: ",
            joint="\n",
            shown=(
                "Navigation Context:\n{place}\n\nQuestion: {question}\n\n"
                "Current Segment [{start_s:.1f}s-{end_s:.1f}s]:\n"
            ),
            opens="",
            closes="",
            is_text_first=True,
            divide=children_at,
            describe=describe_node,
        ),
    ),
}
"""By their names."""


def filled_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns arguments of ZoomEnv, with those of their preset where they are not given."""
    name = given.get("preset", "")
    is_known = isinstance(name, str) and name in PRESETS
    return {**(PRESETS[name].arguments if is_known else {}), **given}


def layout_of(preset: str) -> MessageLayout | None:
    """Returns the layout of a preset; None if there is none."""
    return PRESETS[preset].layout if preset else None
