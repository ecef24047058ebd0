"""The tools of an episode, as an OpenAI-compatible endpoint offers them to its model.

The arguments of a call are the JSON object that the grammar `json` has for it.
"""

from collections.abc import Sequence
from typing import Any

from zoomgym.rules import CROP, FIND, TRANSCRIPT, ZOOM

ZOOM_NAME = "video_zoom"
"""Name of the zoom, and of the grammar that has tags."""


def _numbers(count: int, description: str) -> dict[str, Any]:
    """Returns a parameter that takes a list of so many numbers."""
    return {
        "type": "array",
        "items": {"type": "number"},
        "minItems": count,
        "maxItems": count,
        "description": description,
    }


SEGMENT = _numbers(2, "[start, end) in seconds")
BOX = _numbers(4, "left, top, right and bottom edge, as shares of the picture from 0 to 1")


def _tool(name: str, shows: str, **parameters: Any) -> dict[str, Any]:
    """Returns a tool that needs these parameters."""
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": shows,
            "parameters": {
                "type": "object",
                "properties": parameters,
                "required": list(parameters),
            },
        },
    }


TOOLS = {
    ZOOM: _tool(
        ZOOM_NAME,
        "Shows you the frames of [start, end) of the video at fps frames per second.",
        segment=SEGMENT,
        fps={"type": "number", "description": "frames per second"},
    ),
    CROP: _tool(
        CROP,
        "Shows you a part of one frame of the video in more detail.",
        crop=BOX,
        at={"type": "number", "description": "seconds"},
    ),
    TRANSCRIPT: _tool(
        TRANSCRIPT,
        "Tells you what is said in [start, end) of the video.",
        transcript=SEGMENT,
    ),
    FIND: _tool(
        FIND,
        "Tells you the times in [start, end) at which the video looks most like a text, the best "
        "match first.",
        find={"type": "string", "description": "what to look for, in words"},
        segment=SEGMENT,
    ),
}


def tool_schemas(tools: Sequence[str]) -> list[dict[str, Any]]:
    """Returns the schemas of these tools, see `Rules.tools`, for the field `tools` of a request."""
    return [TOOLS[tool] for tool in tools]


def name_of(tool: str) -> str:
    """Returns the name by which a model calls a tool."""
    return str(TOOLS[tool]["function"]["name"])
