"""Which times an overview and a zoom mean, in seconds from the first displayed frame."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

COUNT_TOLERANCE = 1e-6
"""Frames: what float arithmetic may lose. [0.2, 8.2] at 2 fps is 16 frames, not 15."""

MOST_FRAMES = 10**9
"""A count is cut here, so that absurd numbers (1e300 fps) stay ordinary integers."""


class Segment(NamedTuple):
    """A half-open stretch [start_s, end_s) of a video, in seconds."""

    start_s: float
    end_s: float

    def holds(self, time_s: float) -> bool:
        """Returns whether time_s lies in the stretch."""
        return self.start_s <= time_s < self.end_s


def overlap(ours: Iterable[Segment], theirs: Iterable[Segment]) -> float:
    """Returns intersection over union of two sets of stretches; 0.0 if both are empty.

    Stretches of one set that overlap count once.
    """
    ours, theirs = _united(ours), _united(theirs)
    shared = math.fsum(
        max(0.0, min(a.end_s, b.end_s) - max(a.start_s, b.start_s)) for a in ours for b in theirs
    )
    union = math.fsum(one.end_s - one.start_s for one in (*ours, *theirs)) - shared
    return shared / union if union > 0 else 0.0


def _united(segments: Iterable[Segment]) -> list[Segment]:
    """Returns stretches in order, those that touch or overlap as one."""
    united: list[Segment] = []
    for start_s, end_s in sorted(segments):
        if united and start_s <= united[-1].end_s:
            united[-1] = Segment(united[-1].start_s, max(united[-1].end_s, end_s))
        else:
            united.append(Segment(start_s, end_s))
    return united


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
