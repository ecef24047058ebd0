"""Turns seconds into ticks: the one rule of which frame is on screen at a time."""

import math
from fractions import Fraction

from zoomgym.errors import VideoError

TOLERANCE_PARTS = 2000  # of a second: times are rounded, by files to their ticks and by floats


def tick_at(time_s: float, time_base: Fraction) -> int:
    """Returns the last tick at which a frame that is on screen at time_s can have started.

    A frame counts as started half a tick early, but never more than half a millisecond. Computed
    exactly, in whole numbers: floats miss frames, and `Fraction` takes ten times as long. Raises
    VideoError if time_s, in seconds from the first frame, is negative or not finite.
    """
    if not (math.isfinite(time_s) and time_s >= 0):
        raise VideoError(f"needed finite times >= 0, got {time_s}: count seconds from 0")
    time, per = time_s.as_integer_ratio()
    seconds, ticks = time_base.numerator, time_base.denominator  # so many seconds in so many ticks
    if seconds * TOLERANCE_PARTS <= 2 * ticks:  # half a tick is at most half a millisecond
        return (2 * time * ticks + per * seconds) // (2 * per * seconds)
    return (TOLERANCE_PARTS * time + per) * ticks // (TOLERANCE_PARTS * per * seconds)
