"""Grammars of peers that reply with one JSON object: OmniAgent, and Gemini's video tools.

Source: HarryHsing/OmniAgent, agent_system/environments/prompts/video_prompt.py (commit e1d04a5).
Gemini runs its tools on the server: names and arguments are those it announced (2026-09-01), the
object around them is that of a function call in its API.
"""

import json
from typing import Any

from zoomgym.errors import ReplyError
from zoomgym.rules.actions import TRANSCRIPT, ZOOM, Action, Answer, TranscriptCall, ZoomCall
from zoomgym.rules.json_grammar import read_object
from zoomgym.rules.peers.hermes import count_in, time_in
from zoomgym.rules.reading import Grammar, Reading, excerpt, load_object, no_words
from zoomgym.rules.relative import SpreadCall

# OmniAgent ---------------------------------------------------------------------------------------

OMNI_EXAMPLE = (
    '{"observation": "..", "think": "..", "confidence": 0.5, '
    '"action": {"type": "get_frames", "start": 12.5, "end": 15.0, "num": 5}}'
)
OMNI_ANSWER = (
    '{"observation": "..", "think": "..", "confidence": 0.9, '
    '"action": {"type": "answer", "content": "B"}}'
)
OMNI_KEYS = ("observation", "think", "confidence", "action")


def _read_omni(reply: str) -> Reading:
    """Reads a reply of OmniAgent: one object on one line. Raises ReplyError."""
    row, is_alone = read_object(reply, OMNI_EXAMPLE)
    is_well_formed = is_alone and "\n" not in reply.strip() and set(OMNI_KEYS) <= row.keys()
    asked = row.get("action")
    if not isinstance(asked, dict) or "type" not in asked:
        raise ReplyError(f"reply needs an action like {OMNI_EXAMPLE}, got {excerpt(asked)}")
    kind = asked["type"]
    if kind == "answer":
        content = asked.get("content")
        if not isinstance(content, str):
            raise ReplyError(f"answer needs a text as content, got {excerpt(content)}")
        return Reading(Answer(content.strip()), is_well_formed)
    if kind in ("get_audio", "get_clip"):
        raise ReplyError(f"{kind} is not available here, has_audio is false: use get_frames")
    if kind != "get_frames":
        raise ReplyError(f"action needs to be get_frames or answer, got {excerpt(kind)}")
    start_s, end_s = (time_in(asked, key, kind) for key in ("start", "end"))
    if "num" not in asked:
        raise ReplyError("get_frames needs num, a number of frames, got none")
    return Reading(SpreadCall(start_s, end_s, count_in(asked["num"], kind)), is_well_formed)


def _write_omni(action: Action, thought: str) -> str:
    if isinstance(action, Answer):
        asked: dict[str, Any] = {"type": "answer", "content": action.text}
    elif isinstance(action, ZoomCall):
        asked = {
            "type": "get_frames",
            "start": action.start_s,
            "end": action.end_s,
            "num": action.num_frames,
        }
    else:
        raise no_words(action)
    return json.dumps({"observation": "", "think": thought, "confidence": 1.0, "action": asked})


OMNIAGENT = Grammar(
    "omniagent",
    _read_omni,
    _write_omni,
    "Reply with exactly one JSON object on one line and nothing else. Its action shows you num "
    f"frames of a stretch, in seconds,\n{OMNI_EXAMPLE}\nor is your answer,\n{OMNI_ANSWER}",
)

# Gemini ------------------------------------------------------------------------------------------

GET_FRAMES = '{"name": "get_frames", "args": {"start": 12.5, "end": 15.0, "fps": 2}}'
GET_TRANSCRIPT = '{"name": "get_transcript", "args": {"start": 10, "end": 60}}'
GEMINI_ANSWER = '{"answer": "B"}'
GEMINI_FORMS = f"{GET_FRAMES} or {GEMINI_ANSWER}"


def _read_gemini(reply: str) -> Reading:
    """Reads a reply with Gemini's names of tools. Raises ReplyError."""
    row, is_well_formed = read_object(reply, GEMINI_FORMS)
    if ("name" in row) == ("answer" in row):
        raise ReplyError(f"reply needs one call or an answer, {GEMINI_FORMS}, got {excerpt(row)}")
    if "answer" in row:
        if not isinstance(row["answer"], str):
            raise ReplyError(f"answer needs a text, got {excerpt(row['answer'])}")
        return Reading(Answer(row["answer"].strip()), is_well_formed)
    tool = row["name"]
    held = [row[key] for key in ("args", "arguments") if key in row]
    args = held[0] if len(held) == 1 else None
    if isinstance(args, str):  # as an OpenAI-compatible endpoint writes them
        args = load_object(args, GET_FRAMES)
    if not isinstance(args, dict):
        raise ReplyError(f"call needs args like {GET_FRAMES}, got {excerpt(args)}")
    return Reading(_call_of(tool, args), is_well_formed)


def _call_of(tool: Any, args: dict[str, Any]) -> ZoomCall | TranscriptCall:
    if tool == "get_audio":
        raise ReplyError("get_audio is not available here: no sound is played, use get_frames")
    if tool not in ("get_frames", "get_transcript"):
        raise ReplyError(f"unknown function {excerpt(tool)}: call get_frames, or answer")
    start_s, end_s = (time_in(args, key, tool) for key in ("start", "end"))
    if tool == "get_transcript":
        return TranscriptCall(start_s, end_s)
    return ZoomCall(start_s, end_s, time_in(args, "fps", tool))


def _write_gemini(action: Action, thought: str) -> str:
    if isinstance(action, Answer):
        return json.dumps({"answer": action.text})
    if isinstance(action, TranscriptCall):
        args = {"start": action.start_s, "end": action.end_s}
        return json.dumps({"name": "get_transcript", "args": args})
    if isinstance(action, ZoomCall):
        args = {"start": action.start_s, "end": action.end_s, "fps": action.fps}
        return json.dumps({"name": "get_frames", "args": args})
    raise no_words(action)


def _teach_gemini(tools: Any = ()) -> str:
    calls = f"get_frames shows you the frames of a stretch, in seconds, at a rate,\n{GET_FRAMES}\n"
    if TRANSCRIPT in tools:
        calls += f"get_transcript tells you what is said in a stretch,\n{GET_TRANSCRIPT}\n"
    return (
        f"Reply with exactly one JSON object and nothing else: a call or your answer.\n{calls}"
        f"{GEMINI_ANSWER}"
    )


GEMINI = Grammar(
    "gemini",
    _read_gemini,
    _write_gemini,
    _teach_gemini(),
    read_calls=lambda reply, tools: _read_gemini(reply),
    teach=_teach_gemini,
    words=(ZOOM, TRANSCRIPT),
)
