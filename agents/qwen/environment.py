"""Arguments of the environment that Qwen plays in, from a command line."""

import argparse
import inspect
from collections.abc import Sequence
from typing import Any

from agents import arguments
from zoomgym.envs import ZoomEnv

ARGUMENTS = {"grammar": "video_zoom"}
"""Default arguments of ZoomEnv, without a preset, which has a grammar of its own."""


def read_arguments(text: str, left_out: Sequence[str] = ("render_mode",)) -> dict[str, Any]:
    """Returns the arguments of ZoomEnv in a JSON object or NAME=VALUE, merged over the defaults.

    Raises ArgumentTypeError if the text names anything else, or an argument that is left out.
    """
    names = [name for name in inspect.signature(ZoomEnv).parameters if name not in left_out]
    try:
        given = arguments.read_arguments([text], names)
        return {**({} if "preset" in given else ARGUMENTS), **given}
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
