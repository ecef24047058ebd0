"""Frames of several videos at once."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.video.protocol import Video

__all__ = ["Request", "frames_of"]


class Request(NamedTuple):
    """One call of `Video.frames_at`."""

    video: Video
    times_s: Sequence[float]
    size: tuple[int, int]
    """(H, W)"""


def frames_of(
    requests: Sequence[Request], num_threads: int | None = None
) -> list[NDArray[np.uint8]]:
    """Returns the answer to each request, decoded on threads while the caller waits.

    Args:
        requests: of any videos that may be asked by several threads; the same one may be repeated.
        num_threads: None takes as many as there are cores.

    Raises:
        VideoError: of the first request that failed, once all have ended.
    """
    num_threads = min(num_threads or os.cpu_count() or 1, len(requests))
    if num_threads < 2:
        return [video.frames_at(times_s, size) for video, times_s, size in requests]
    with ThreadPoolExecutor(num_threads) as threads:
        answers = [
            threads.submit(video.frames_at, times_s, size) for video, times_s, size in requests
        ]
    return [answer.result() for answer in answers]
