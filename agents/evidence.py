"""What it takes to have seen the evidence of a question."""

import math
from collections.abc import Iterable

from zoomgym.synthetic.layout import FPS
from zoomgym.synthetic.questions import COUNT, MOTION
from zoomgym.timeline import Segment

__all__ = ["DENSE", "is_shown", "missing_frames", "missing_parts"]

DENSE = (COUNT, MOTION)
"""Questions that only the highest rate answers: every picture of their evidence must be seen."""
EDGE = 1e-6
"""Frames that rounding may add."""


def is_shown(question: str, segment: Segment, times_s: Iterable[float]) -> bool:
    """Returns whether frames at these seconds show a segment as well as its question needs."""
    return not missing_parts(question, segment, times_s)


def missing_parts(question: str, segment: Segment, times_s: Iterable[float]) -> list[Segment]:
    """Returns the parts of a segment that frames at these seconds fail to show.

    They are its single pictures where the question needs them all; else it is the whole segment.
    """
    if question not in DENSE:
        return [] if any(map(segment.holds, times_s)) else [segment]
    missing = missing_frames(segment, times_s)
    return [
        Segment(segment.start_s + index / FPS, segment.start_s + (index + 1) / FPS)
        for index in missing
    ]


def missing_frames(segment: Segment, times_s: Iterable[float]) -> list[int]:
    """Returns which pictures of a segment of synthetic video frames at these seconds leave out."""
    seen = {math.floor((time_s - segment.start_s) * FPS + EDGE) for time_s in times_s}
    count = math.ceil((segment.end_s - segment.start_s) * FPS - EDGE)
    return [index for index in range(count) if index not in seen]
