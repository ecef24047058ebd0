"""Shows pictures in a terminal: as files, and inline where the terminal can."""

import base64
import io
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoomgym.agent import Frames

KITTY_CHUNK = 4096
"""Bytes of base64 in one message of kitty's graphics protocol."""
ITERM_PROGRAMS = ("iTerm.app", "WezTerm", "vscode")


def save_frames(folder: Path, name: str, frames: Frames) -> None:
    """Writes frames to folder/name as PNG files that are called by number and time."""
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for number, (time_s, image) in enumerate(zip(frames.times_s, frames.images, strict=True)):
        Image.fromarray(image).save(target / f"{number:03d}_{time_s:.2f}s.png")


def inline_picture(image: NDArray[np.uint8]) -> str:
    """Returns the text that makes this terminal show image (H, W, 3); empty where it cannot.

    Source: iTerm2's inline images protocol, and kitty's graphics protocol.
    """
    if not sys.stdout.isatty():
        return ""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    if os.environ.get("TERM_PROGRAM") in ITERM_PROGRAMS:
        return f"\033]1337;File=inline=1;width=100%:{data}\a\n"
    if "kitty" in os.environ.get("TERM", "") or "GHOSTTY_RESOURCES_DIR" in os.environ:
        return _kitty(data)
    return ""


def _kitty(data: str) -> str:
    """Returns a PNG in base64 as messages of kitty's graphics protocol."""
    chunks = [data[i : i + KITTY_CHUNK] for i in range(0, len(data), KITTY_CHUNK)]
    last = len(chunks) - 1
    messages = [
        f"\033_G{'a=T,f=100,' if i == 0 else ''}m={int(i < last)};{chunk}\033\\"
        for i, chunk in enumerate(chunks)
    ]
    return "".join(messages) + "\n"
