"""Arguments of the environment that Qwen plays in, from a command line."""

import argparse
import inspect
import json
from collections.abc import Sequence
from typing import Any

from zoomgym.env import ZoomEnv

__all__ = ["ARGUMENTS", "read_arguments"]

ARGUMENTS = {"grammar": "video_zoom"}
"""Arguments of ZoomEnv that stand unless others are given."""


def read_arguments(text: str, left_out: Sequence[str] = ("render_mode",)) -> dict[str, Any]:
    """Returns the arguments of ZoomEnv in a JSON object, merged over those that stand unasked.

    Args:
        text: from a command line.
        left_out: names of arguments that are not taken.

    Raises:
        argparse.ArgumentTypeError: text is no such object.
    """
    names = [name for name in inspect.signature(ZoomEnv).parameters if name not in left_out]
    try:
        given = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"needs JSON like {{}}, got {text!r} ({error})") from error
    if not isinstance(given, dict) or given.keys() - names:
        raise argparse.ArgumentTypeError(f"needs an object of {', '.join(names)}, got {text!r}")
    return {**ARGUMENTS, **given}
