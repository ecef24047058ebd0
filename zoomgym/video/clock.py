"""From seconds to ticks: the one rule of which frame is on screen at a time."""

import math
from fractions import Fraction

from zoomgym.errors import VideoError

__all__ = ["tick_at"]

TOLERANCE_S = Fraction(1, 2000)  # times are rounded, by files to their ticks and by floats


def tick_at(time_s: float, time_base: Fraction) -> int:
    """Returns the last tick at which a frame that is on screen at time_s can have started.

    A frame counts as started half a tick early, but never more than half a millisecond. Exact
    rational arithmetic: floats miss frames.

    Args:
        time_s: seconds from the first frame.
        time_base: seconds per tick.

    Raises:
        VideoError: time_s is negative or not finite.
    """
    if not (math.isfinite(time_s) and time_s >= 0):
        raise VideoError(f"needed finite times >= 0, got {time_s}: count seconds from 0")
    tolerance_s = min(TOLERANCE_S, time_base / 2)
    return math.floor((Fraction(time_s) + tolerance_s) / time_base)
