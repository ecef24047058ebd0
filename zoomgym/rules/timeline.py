"""Which times an overview and a zoom mean, in seconds from the first displayed frame."""

import math
from functools import lru_cache

import numpy as np

from zoomgym.grading import Segment

COUNT_TOLERANCE = 1e-6
"""Frames: what float arithmetic may lose. [0.2, 8.2] at 2 fps is 16 frames, not 15."""

MOST_FRAMES = 10**9
"""A count is cut here, so that absurd numbers (1e300 fps) stay ordinary integers."""


@lru_cache(maxsize=64)
def overview_times(last_frame_s: float, num_frames: int) -> tuple[float, ...]:
    """Returns the times of an overview: (num_frames,) seconds, evenly from first to last frame."""
    return tuple(np.linspace(0.0, last_frame_s, num_frames).tolist())


def count_frames(segment: Segment, fps: float) -> int:
    """Returns how many frames segment holds at fps frames per second."""
    num_frames = fps * (segment.end_s - segment.start_s) + COUNT_TOLERANCE
    return math.floor(min(num_frames, MOST_FRAMES))


def zoom_times(segment: Segment, fps: float) -> tuple[float, ...]:
    """Returns the times of a zoom, in seconds: start + k/fps for every frame it holds."""
    return tuple(segment.start_s + k / fps for k in range(count_frames(segment, fps)))
