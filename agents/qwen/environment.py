"""Arguments of the environment that Qwen plays in, from a command line."""

import argparse
import inspect
from collections.abc import Sequence
from typing import Any

from agents import arguments
from zoomgym.envs.env import ZoomEnv

ARGUMENTS = {"grammar": "video_zoom"}
"""Default arguments of ZoomEnv."""


def read_arguments(text: str, left_out: Sequence[str] = ("render_mode",)) -> dict[str, Any]:
    """Returns the arguments of ZoomEnv in a text, merged over the defaults.

    Args:
        text: from a command line: a JSON object, or NAME=VALUE.
        left_out: names of arguments that are refused.

    Raises:
        argparse.ArgumentTypeError: text names something else.
    """
    names = [name for name in inspect.signature(ZoomEnv).parameters if name not in left_out]
    try:
        return {**ARGUMENTS, **arguments.read_arguments([text], names)}
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
