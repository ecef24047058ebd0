"""How much the decoding benchmark measures, and what it asks of a file."""

from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benchmarks.speed.decoding.files import SpeedFile
from benchmarks.speed.decoding.peers import FrameCall
from zoomgym.video import native_size

__all__ = [
    "CLIP_FPS",
    "COLD",
    "HD",
    "HOUR",
    "IN_FRAME",
    "OVERVIEW",
    "TEN_MIN",
    "WARM",
    "DecodingPlan",
    "calls_of",
    "fresh",
]

T = TypeVar("T")

MAX_PIXELS = 100_352
"""Of a frame, as VideoZoomer shows it."""
CLIP_FRAMES, CLIP_FPS = 16, 8
IN_FRAME = 0.4
"""Times are asked for this far into a frame, so that no peer's rounding decides which it is."""
TEN_MIN, HOUR, HD = "h264_360p_10min.mp4", "h264_360p_60min_open.mp4", "h264_720p_5min.mp4"
OVERVIEW, COLD, WARM = "overview, cold", "zoom, cold", "zoom, warm"


@dataclass(frozen=True, slots=True)
class DecodingPlan:
    """How much is measured."""

    files: Mapping[str, SpeedFile]
    folder: Path
    peers: tuple[str, ...]
    peer_files: tuple[str, ...]
    """Files that all peers decode."""
    repeats: int
    num_overview: int = 64
    num_zooms: int = 8
    """Of each kind, per process."""
    num_cycles: int = 2000
    """Of opening, looking and closing, for the memory."""

    def path(self, name: str) -> str:
        """Returns the path of a file, written first if need be."""
        return str(self.files[name].path(self.folder))

    def size(self, name: str) -> tuple[int, int]:
        """Returns the (H, W) at which the frames of a file are wanted."""
        return native_size(self.files[name].segment.size, MAX_PIXELS)


def calls_of(plan: DecodingPlan, file: SpeedFile) -> list[FrameCall]:
    """Returns what is asked of a file; warm zooms are the cold ones again: nobody keeps them."""
    last = file.num_frames - 1
    spots = np.linspace(0, last, plan.num_overview).astype(int) + IN_FRAME
    clip_frames = CLIP_FRAMES * file.rate // CLIP_FPS
    rng = np.random.default_rng(0)
    starts = rng.integers(0, max(1, last - clip_frames), plan.num_zooms + 1)
    steps_s = np.arange(CLIP_FRAMES) / CLIP_FPS
    clips = [tuple(((start + IN_FRAME) / file.rate + steps_s).tolist()) for start in starts]
    return [
        FrameCall(OVERVIEW, "cold", tuple((spots / file.rate).tolist())),
        *(FrameCall(COLD, "cold", clip) for clip in clips[:-1]),
        FrameCall("", "warm", clips[-1]),  # opens the file; its time does not count
        *(FrameCall(WARM, "warm", clip) for clip in clips[:-1]),
    ]


def fresh(function: Callable[..., T], *args: Any) -> T:
    """Returns function(*args), called in a process that has decoded nothing yet."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *args).result()
