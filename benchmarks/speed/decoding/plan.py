"""The plan of the decoding benchmark: the calls to each file, and the form of what is measured."""

import math
import statistics
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

T = TypeVar("T")

MAX_PIXELS = 100_352
"""Pixels of a frame, as VideoZoomer shows it."""
CLIP_FRAMES, CLIP_FPS = 16, 8
IN_FRAME = 0.4
"""Times are asked for this far into a frame, so that no peer's rounding decides which it is."""
TEN_MIN, HOUR, HD = "h264_360p_10min.mp4", "h264_360p_60min_open.mp4", "h264_720p_5min.mp4"
OVERVIEW, COLD, WARM = "overview, cold", "zoom, cold", "zoom, warm"


@dataclass(frozen=True, slots=True)
class DecodingPlan:
    """The amount of work that is measured."""

    files: Mapping[str, SpeedFile]
    folder: Path
    peers: tuple[str, ...]
    peer_files: tuple[str, ...]
    """Files that all peers decode."""
    repeats: int
    num_overview: int = 64
    num_zooms: int = 8
    """Zooms of each kind, per process."""
    num_cycles: int = 2000
    """Cycles of opening, looking and closing, which memory is measured over."""

    def path(self, name: str) -> str:
        """Returns the path of a file, written first if need be."""
        return str(self.files[name].path(self.folder))

    def size(self, name: str) -> tuple[int, int]:
        """Returns the (H, W) at which the frames of a file are wanted."""
        return native_size(self.files[name].segment.size, MAX_PIXELS)


@dataclass(frozen=True, slots=True)
class Timing:
    """Times and errors of one peer on one file, for one kind of call."""

    work: str
    file: str
    peer: str
    wall_s: tuple[float, ...] = ()
    num_frames: int = 0
    """Frames that were checked."""
    num_wrong: int = 0
    error: str = ""
    cpu_s: tuple[float, ...] = ()
    """Processor time of all threads, where it was measured."""

    @property
    def median_s(self) -> float:
        """Median of the calls that went well; nan if none did."""
        return statistics.median(self.wall_s) if self.wall_s else math.nan

    @property
    def median_cpu_s(self) -> float:
        """Median of the processor time; nan if it was not measured."""
        return statistics.median(self.cpu_s) if self.cpu_s else math.nan


@dataclass(frozen=True, slots=True)
class SpeedClaim:
    """A claim: that a ratio stays on its side of a limit. Nan was not measured."""

    claim: str
    ratio: float
    limit: float
    is_floor: bool = False
    """The ratio has to be at least the limit, instead of at most."""
    cpu_ratio: float = math.nan
    """The same in processor time, which a busy machine hardly changes."""

    @property
    def verdict(self) -> str:
        """Returns whether the claim holds."""
        if math.isnan(self.ratio):
            return "not measured"
        is_met = self.ratio >= self.limit if self.is_floor else self.ratio <= self.limit
        return "met" if is_met else "NOT MET"


@dataclass(frozen=True, slots=True)
class Measurement:
    """Rows and bars of one kind of measurement."""

    rows: tuple[Timing, ...] = ()
    bars: tuple[SpeedClaim, ...] = ()
    notes: tuple[str, ...] = ()


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
