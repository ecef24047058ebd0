"""Searches for a text: when a search looks, and which moments match best by its scores."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoomgym.rules.actions import FindCall

MOST_FOUND = 8
"""Most moments that a search tells."""
MOST_SEARCHED, SEARCHED_FPS = 256, 4
"""Most frames that a search looks at: in all, and in a second."""
APART = 32
"""Matches are at least this part of the stretch apart: an event scores unevenly, and is told once.
"""


class Found(NamedTuple):
    """What a search tells."""

    times_s: tuple[float, ...] = ()
    """Seconds: the moments that match best, the best first."""
    frames_scanned: int = 0
    """Frames that were looked at to find them."""


Find: TypeAlias = Callable[[FindCall], Found]
"""Returns what a call finds."""


def find_nothing(call: FindCall) -> Found:
    """Finds nothing: nobody searches."""
    return Found()


def search_times(call: FindCall) -> tuple[float, ...]:
    """Returns the times of the frames that a search looks at: evenly spread, from the start on."""
    length_s = call.end_s - call.start_s
    num_frames = max(1, min(MOST_SEARCHED, math.floor(SEARCHED_FPS * length_s)))
    return tuple(call.start_s + k * length_s / num_frames for k in range(num_frames))


def best_matches(
    call: FindCall, times_s: Sequence[float], scores: NDArray[np.float64]
) -> tuple[float, ...]:
    """Returns the times of the highest peaks of scores, at most MOST_FOUND, the highest first.

    A peak is a frame that scores higher than the frames beside it, or the middle one of several
    that score alike. Of equal peaks, the earlier one comes first. Peaks near a higher one don't
    count, see `APART`.

    Args:
        call: for the search.
        times_s: of N frames, ascending, see `search_times`.
        scores: (N,) of the frames; minus infinity where nothing matches.
    """
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    ends = np.append(starts[1:], len(scores))
    levels = scores[starts]
    beside = np.concatenate([[-np.inf], levels, [-np.inf]])
    is_peak = (levels > beside[:-2]) & (levels > beside[2:])
    places = ((starts + ends - 1) // 2)[is_peak]
    matches: list[float] = []
    apart_s = (call.end_s - call.start_s) / APART
    for place in places[np.argsort(-levels[is_peak], kind="stable")].tolist():
        time_s = times_s[place]
        if len(matches) < MOST_FOUND and all(abs(time_s - one) >= apart_s for one in matches):
            matches.append(time_s)
    return tuple(matches)
