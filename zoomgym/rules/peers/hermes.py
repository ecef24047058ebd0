"""Grammars of peers that call a tool in JSON between tags: LongVT, ParaVT, EVA, TimeSearch-R.

Source: EvolvingLMMs-Lab/LongVT, examples/eval/single_inference.py (commit 56ee7aa);
EvolvingLMMs-Lab/ParaVT, paravt/eval/driver.py (cf55249);
wangruohui/EfficientVideoAgent, eval-eva.py (218fc1c); Time-Search/TimeSearch-R,
time_r1/utils/video_tools.py and time_r1/environment/video_env.py (c894b51).
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from zoomgym.errors import CallError, ReplyError
from zoomgym.rules.actions import Action, Answer, ZoomCall
from zoomgym.rules.reading import Grammar, Reading, excerpt, load_object, no_words, number_in
from zoomgym.rules.relative import RelativeCall, SpreadCall
from zoomgym.rules.tag_grammar import read_tagged

CALL = "tool_call"
TAGS = (CALL, "answer")
PARALLEL = 5
"""Calls in a reply of ParaVT; it leaves more out."""
SEEKS_AT_MOST = 8
"""Frames of a call of TimeSearch-R, and what it asks for if it does not say."""


def function_tool(name: str, about: str, **parameters: str) -> str:
    """Returns the schema of a tool as one line of JSON; parameters are their types."""
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    function = {
        "name": name,
        "description": about,
        "parameters": {"type": "object", "properties": properties},
    }
    return json.dumps({"type": "function", "function": function})


def teach_call(schema: str, example: str) -> str:
    """Returns the lesson of a grammar that calls one tool between tags."""
    return (
        f"# Tools\n\n<tools>\n{schema}\n</tools>\n\n"
        "Call the tool with one JSON object between tags:\n"
        f"<{CALL}>\n{example}\n</{CALL}>\n\n"
        f"Reply with <think>..</think> and then one <{CALL}>..</{CALL}> or <answer>B</answer>."
    )


def arguments_in(
    body: str, tool: str, example: str, keys: Sequence[str] = ("name",)
) -> dict[str, Any]:
    """Returns the arguments of the call in the body of a tag. Raises ReplyError.

    Args:
        body: between the tags.
        tool: that is called.
        example: of a call, for errors.
        keys: each may hold the name of the tool.
    """
    row = load_object(body, example)
    if not isinstance(row, dict):
        raise ReplyError(f"call needs JSON like {example}, got {excerpt(row)}")
    names = [row[key] for key in keys if key in row]
    held = [row[key] for key in ("arguments", "parameters") if key in row]
    if len(names) != 1 or len(held) != 1:
        raise ReplyError(f"call needs a name and arguments like {example}, got {excerpt(row)}")
    if names[0] != tool:
        raise ReplyError(f"unknown tool {excerpt(names[0])}: call {tool}, or answer")
    arguments = held[0]
    if isinstance(arguments, str):  # some templates write the object as a text
        arguments = load_object(arguments, example)
    if not isinstance(arguments, dict):
        raise ReplyError(f"{tool} needs an object of arguments, got {excerpt(arguments)}")
    return arguments


def time_in(row: dict[str, Any], key: str, tool: str) -> float:
    """Returns a time of a call. Raises ReplyError if there is none."""
    if key not in row:
        raise ReplyError(f"{tool} needs {key} in seconds, got none")
    return number_in(row[key], tool) + 0.0


def count_in(value: Any, tool: str) -> float:
    """Returns a whole number of frames. Raises ReplyError if it is none, CallError below 1."""
    number = number_in(value, tool)
    if not number.is_integer():
        raise CallError(f"{tool} needs a whole number of frames, got {number:g}: round it")
    return number


# LongVT ------------------------------------------------------------------------------------------

CROP_EXAMPLE = (
    '{"name": "crop_video", "arguments": {"video_path": "video.mp4", "start_time": 12.5, '
    '"end_time": 15.0}}'
)
CROP_SCHEMA = function_tool(
    "crop_video",
    "Shows the frames of a stretch of the video, at most one a second.",
    video_path="string",
    start_time="number",
    end_time="number",
)


def crop_in(body: str) -> SpreadCall:
    """Returns the stretch that a call of `crop_video` asks for. Raises ReplyError.

    The path that it names is not looked at: an episode has one video.
    """
    row = arguments_in(body, "crop_video", CROP_EXAMPLE)
    start_s, end_s = (time_in(row, key, "crop_video") for key in ("start_time", "end_time"))
    return SpreadCall(start_s, end_s, fps=1.0, is_capped=True)


def _write_crop(action: Action) -> str:
    """Writes a zoom without its rate, for which the tool has no word."""
    call = _zoom_of(action)
    row = {"video_path": "video.mp4", "start_time": call.start_s, "end_time": call.end_s}
    return json.dumps({"name": "crop_video", "arguments": row})


# EVA ---------------------------------------------------------------------------------------------

SELECT_EXAMPLE = (
    '{"tool": "frame_select", "arguments": {"start_time": 12.5, "end_time": 15.0, "nframes": 5, '
    '"resize": 1.0}}'
)
SELECT_SCHEMA = function_tool(
    "frame_select",
    "Shows nframes frames, spread over a stretch of the video.",
    start_time="number",
    end_time="number",
    nframes="integer",
    resize="number",
)


def _selection_in(body: str) -> SpreadCall:
    row = arguments_in(body, "frame_select", SELECT_EXAMPLE, ("tool", "name"))
    start_s, end_s = (time_in(row, key, "frame_select") for key in ("start_time", "end_time"))
    if "nframes" not in row:
        raise ReplyError("frame_select needs nframes, got none")
    num_frames = count_in(row["nframes"], "frame_select")
    return SpreadCall(start_s, end_s, num_frames, is_capped=True)


def _write_selection(action: Action) -> str:
    call = _zoom_of(action)
    row = {
        "start_time": call.start_s,
        "end_time": call.end_s,
        "nframes": call.num_frames,
        "resize": 1.0,
    }
    return json.dumps({"tool": "frame_select", "arguments": row})


# TimeSearch-R ------------------------------------------------------------------------------------

SEEK_EXAMPLE = (
    '{"name": "seek_video_frames", "arguments": {"query": "the red car", "start_time": 12.5, '
    '"end_time": 15.0, "num_frames": 8}}'
)
SEEK_SCHEMA = function_tool(
    "seek_video_frames",
    f"Shows num_frames frames, {SEEKS_AT_MOST} at most, spread over a stretch of the video.",
    query="string",
    start_time="number",
    end_time="number",
    num_frames="integer",
)


def _seek_in(body: str) -> SpreadCall:
    tool = "seek_video_frames"
    row = arguments_in(body, tool, SEEK_EXAMPLE)
    if row.get("start_time") is None or row.get("end_time") is None:
        raise ReplyError(
            f"{tool} needs start_time and end_time, as no text is looked for here, "
            f"got {excerpt(row)}"
        )
    start_s, end_s = (time_in(row, key, tool) for key in ("start_time", "end_time"))
    number = row.get("num_frames")
    num_frames = SEEKS_AT_MOST if number is None else min(count_in(number, tool), SEEKS_AT_MOST)
    return SpreadCall(start_s, end_s, num_frames, is_capped=True)


def _write_seek(action: Action) -> str:
    call = _zoom_of(action)
    row = {
        "query": "",
        "start_time": call.start_s,
        "end_time": call.end_s,
        "num_frames": call.num_frames,
    }
    return json.dumps({"name": "seek_video_frames", "arguments": row})


# All of them -------------------------------------------------------------------------------------


def _zoom_of(action: Action) -> ZoomCall:
    """Returns the zoom that an action is. Raises ValueError for a call of another tool."""
    if not isinstance(action, ZoomCall):
        raise no_words(action)
    return action


def _reader(
    example: str, read: Callable[[str], RelativeCall], needs_thought: bool = True, most: int = 1
) -> Callable[[str], Reading]:
    """Returns the reader of a grammar whose calls `read` returns."""
    forms = f"<{CALL}>{example}</{CALL}> or <answer>B</answer>"

    def read_reply(reply: str) -> Reading:
        tag, body, is_well_formed, further = read_tagged(reply, TAGS, forms, needs_thought, most)
        if tag == "answer":
            return Reading(Answer(body), is_well_formed)
        return Reading(read(body), is_well_formed, tuple(map(read, further)))

    return read_reply


def write_tagged(action: Action, thought: str, tag: str, write: Callable[[Action], str]) -> str:
    """Writes an action between tags, after its thought."""
    if isinstance(action, Answer):
        return f"<think>{thought}</think><answer>{action.text}</answer>"
    return f"<think>{thought}</think><{tag}>{write(action)}</{tag}>"


def _writer(write: Callable[[Action], str]) -> Callable[[Action, str], str]:
    return lambda action, thought: write_tagged(action, thought, CALL, write)


LONGVT = Grammar(
    "longvt",
    _reader(CROP_EXAMPLE, crop_in),
    _writer(_write_crop),
    teach_call(CROP_SCHEMA, CROP_EXAMPLE),
    has_thoughts=True,
    says_zooms=False,
)
PARAVT = Grammar(
    "paravt",
    _reader(CROP_EXAMPLE, crop_in, most=PARALLEL),
    _writer(_write_crop),
    f"{teach_call(CROP_SCHEMA, CROP_EXAMPLE)} You may call it up to {PARALLEL} times in a reply.",
    most_calls=PARALLEL,
    has_thoughts=True,
    says_zooms=False,
)
EVA = Grammar(
    "eva",
    _reader(SELECT_EXAMPLE, _selection_in, needs_thought=False),
    _writer(_write_selection),
    teach_call(SELECT_SCHEMA, SELECT_EXAMPLE),
    has_thoughts=True,
)
TIMESEARCH = Grammar(
    "timesearch",
    _reader(SEEK_EXAMPLE, _seek_in),
    _writer(_write_seek),
    teach_call(SEEK_SCHEMA, SEEK_EXAMPLE),
    has_thoughts=True,
    says_zooms=False,
)
