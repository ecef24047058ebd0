"""A scene as a video without a codec: the pictures that the encoder would have been given."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zoomgym.tasks.synthetic.layout import FPS
from zoomgym.tasks.synthetic.scene import Scene, Shot, draw_all
from zoomgym.tasks.synthetic.write import TICK_S, TICKS_PER_FRAME
from zoomgym.video import Memo, after_fork, tick_at

DRAWN: Memo[tuple[Scene, bytes, tuple[int, int]], NDArray[np.uint8]] = Memo(
    0, lambda images: images.nbytes
)
"""Frames that this process has drawn: none, unless `set_drawn_memory` makes room for some."""
after_fork(DRAWN.reset_in_child)


class DrawnVideo:
    """Serves a scene as a `Video`, drawing each frame at the size that is asked for."""

    num_damaged = 0
    """Nothing is decoded, so nothing can be damaged."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    @property
    def duration_s(self) -> float:
        """End of the last frame."""
        return self._scene.num_frames / FPS

    @property
    def last_frame_s(self) -> float:
        """Time at which the last frame appears."""
        return (self._scene.num_frames - 1) / FPS

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture that is written to a file."""
        return self._scene.size

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames on screen at times_s as (N, H, W, 3) uint8 RGB, drawn at size (H, W).

        They are read-only if they are kept, see `set_drawn_memory`.

        Raises:
            VideoError: a time is negative or not finite.
        """
        scene, indexes = self.shot(times_s)
        if not DRAWN.max_weight:
            return scene.draw(indexes, size)
        key = (scene, indexes.tobytes(), (int(size[0]), int(size[1])))
        return DRAWN.get_charged(key, lambda: _read_only(scene.draw(indexes, key[2])))

    def shot(self, times_s: Sequence[float]) -> Shot:
        """Returns which frames are on screen at times_s. Raises VideoError, as `frames_at`."""
        return Shot(self._scene, _indexes(tuple(times_s), self._scene.num_frames))

    def close(self) -> None:
        """Does nothing: a scene holds nothing."""


def frames_together(
    wanted: Sequence[tuple[DrawnVideo, Sequence[float]]], size: tuple[int, int]
) -> list[NDArray[np.uint8]]:
    """Returns what `frames_at(times_s, size)` of each video returns, drawn at once if it can be."""
    if len(wanted) == 1 or DRAWN.max_weight:
        return [video.frames_at(times_s, size) for video, times_s in wanted]
    shots = [video.shot(times_s) for video, times_s in wanted]
    images = draw_all(shots, size)
    ends = np.cumsum([len(indexes) for _, indexes in shots]).tolist()
    return [
        images[end - len(indexes) : end].copy()  # a part would keep all of them in memory
        for end, (_, indexes) in zip(ends, shots, strict=True)
    ]


def set_drawn_memory(max_bytes: int) -> None:
    """Keeps so many bytes of drawn frames, for episodes that see the same ones; 0 keeps none.

    That is the default: training draws another scene for each episode.
    """
    DRAWN.resize(max_bytes)


def _read_only(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    images.flags.writeable = False
    return images


@lru_cache(maxsize=64)
def _indexes(times_s: tuple[float, ...], num_frames: int) -> NDArray[np.int64]:
    """Returns which of num_frames frames are on screen at times_s: (N,), read-only."""
    ticks = (tick_at(time_s, TICK_S) for time_s in times_s)
    indexes = np.array([min(tick // TICKS_PER_FRAME, num_frames - 1) for tick in ticks], np.int64)
    indexes.flags.writeable = False
    return indexes
