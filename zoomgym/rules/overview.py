"""Which times an overview means, by what was seen in a scan of the video.

Pictures stay outside: here are times, how much neighboring pictures differ, and scores.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.rules.timeline import overview_times

UNIFORM = "uniform"
"""Name of the overview that is spread evenly."""
SCANS = 4
"""Frames that are scanned for each one that is shown."""
LEAST_SCANNED, MOST_SCANNED = 64, 1024
FLOOR = 0.5
"""Share of an overview that is spread evenly, whatever changes."""
FAINT = 1e-9
"""Smallest change, of the largest: the rest is spread by it where nothing else differs."""
SLACK = 1e-6
"""Frames: what adding floats may lose."""


class Overview(NamedTuple):
    """The frames that an episode begins with."""

    times_s: tuple[float, ...]
    """Seconds, ascending."""
    frames_scanned: int = 0
    """Frames that were looked at to pick them."""


def check_times(
    times_s: Sequence[float], sizes: Sequence[int], duration_s: float, last_frame_s: float
) -> None:
    """Refuses times that are no overview of a video. Raises ValueError.

    Args:
        times_s: seconds; an overview has them in ascending order, repeats allowed.
        sizes: how many there may be.
        duration_s: seconds of the video.
        last_frame_s: time of its last frame.
    """
    if len(times_s) not in sizes:
        raise ValueError(
            f"an overview needs {' or '.join(map(str, sizes))} times, got {len(times_s)}"
        )
    for time_s in times_s:
        if not (0 <= time_s < duration_s or time_s == last_frame_s):
            raise ValueError(
                f"an overview needs times in seconds from 0 to {last_frame_s:g}, that of the last "
                f"frame, got {time_s:g}"
            )
    if list(times_s) != sorted(times_s):
        raise ValueError("an overview needs times in ascending order, got others: sort them")


def random_times(
    duration_s: float, last_frame_s: float, num_frames: int, np_random: np.random.Generator
) -> tuple[float, ...]:
    """Returns random times in ascending order, at least half as far apart as evenly spread ones.

    If that fits, they are as far apart as the last frame lasts. So they show different frames if
    the video has a constant rate and enough of them, or any rate and no frame as long as half an
    even step.
    """
    if num_frames == 0:
        return ()
    apart_s, frame_s = duration_s / num_frames / 2, duration_s - last_frame_s
    if frame_s * num_frames <= duration_s * (1 + SLACK):
        apart_s = max(apart_s, frame_s)
    room_s = max(0.0, duration_s - apart_s * (num_frames - 1))
    offsets_s = np.sort(np_random.uniform(0, room_s, num_frames))
    times_s = offsets_s + apart_s * np.arange(num_frames)
    return tuple(np.minimum(times_s, last_frame_s).tolist())


def scan_times(last_frame_s: float, num_frames: int) -> tuple[float, ...]:
    """Returns the times of a scan from which num_frames are picked: even, and the same or finer.

    They are `SCANS` times as dense as an even overview, `LEAST_SCANNED` at least and
    `MOST_SCANNED` at most, with the times of the even overview among them. There are none if there
    is nothing to pick: no frame is wanted, or too many for others to fit between them.
    """
    if num_frames == 0:
        return ()
    if num_frames == 1:
        return overview_times(last_frame_s, LEAST_SCANNED)
    num_gaps = num_frames - 1
    steps = max(SCANS, -(-LEAST_SCANNED // num_gaps))
    steps = min(steps, (MOST_SCANNED - 1) // num_gaps)
    return overview_times(last_frame_s, steps * num_gaps + 1) if steps > 1 else ()


def times_by_change(
    scanned_s: Sequence[float], levels: NDArray[np.float64], num_frames: int
) -> tuple[float, ...]:
    """Returns times of a scan, so that about as much changes between any two neighbors.

    Only change above the median counts: what moves all the time tells no time from another. The
    first and the last frame are always picked, and no frame twice. Half of an overview is spread
    evenly, so that neighbors are at most twice as far apart as in an even overview. If no gap of
    the scan stands out, the overview is even.

    Args:
        scanned_s: of `scan_times`.
        levels: (N - 1,) how much each of its N frames differs from the next, 0 or more.
        num_frames: two or more.
    """
    num_gaps, shown_gaps = len(levels), num_frames - 1
    least = FLOOR * shown_gaps / num_gaps
    above = np.maximum(levels - np.median(levels), 0)
    shares = least + _shared_out(above, shown_gaps - least * num_gaps, 1 - least)
    passed = np.concatenate([[0.0], shares.cumsum()])
    places = np.searchsorted(passed, np.arange(num_frames) - SLACK)
    return tuple(scanned_s[place] for place in places.tolist())


def _shared_out(levels: NDArray[np.float64], total: float, most: float) -> NDArray[np.float64]:
    """Returns total, shared out in proportion to levels, but for each at most `most`."""
    weights = levels / (levels.max() or 1.0) + FAINT
    is_full = np.zeros(len(weights), np.bool_)
    while True:
        rest = total - most * int(is_full.sum())
        shares = weights * (rest / weights[~is_full].sum())
        over = ~is_full & (shares > most)
        if not over.any():
            return np.where(is_full, most, shares)
        is_full |= over


def times_by_score(
    scanned_s: Sequence[float], scores: NDArray[np.float64], num_frames: int
) -> tuple[float, ...]:
    """Returns the times of the frames of a scan with the highest scores, in ascending order.

    They are spread: none is nearer to one with a higher score than half the distance of an even
    overview (rounded down to frames of the scan). Of equal scores, those of the even overview come
    first, and then earlier ones.

    Args:
        scanned_s: of `scan_times`.
        scores: (N,) of its N frames, finite.
        num_frames: one or more.
    """
    places = np.arange(len(scanned_s))
    steps = (len(scanned_s) - 1) // max(1, num_frames - 1)
    apart = max(1, steps // 2)
    is_near = np.zeros(len(places), np.bool_)
    picked: list[int] = []
    for place in np.lexsort((places, places % steps != 0, -scores)).tolist():
        if len(picked) < num_frames and not is_near[place]:
            picked.append(place)
            is_near[max(0, place - apart + 1) : place + apart] = True
    return tuple(scanned_s[place] for place in sorted(picked))
