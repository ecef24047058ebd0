"""A scene as a video without a codec: the pictures that the encoder would have been given."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from zoomgym.tasks.synthetic.layout import FPS, SCENE_SIZE
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.tasks.synthetic.write import TICK_S, TICKS_PER_FRAME
from zoomgym.video import tick_at


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
        return SCENE_SIZE

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames on screen at times_s as (N, H, W, 3) uint8 RGB, drawn at size (H, W).

        Raises:
            VideoError: a time is negative or not finite.
        """
        return self._scene.draw(_indexes(tuple(times_s), self._scene.num_frames), size)

    def close(self) -> None:
        """Does nothing: a scene holds nothing."""


@lru_cache(maxsize=64)
def _indexes(times_s: tuple[float, ...], num_frames: int) -> NDArray[np.int64]:
    """Returns which of num_frames frames are on screen at times_s: (N,), read-only."""
    ticks = (tick_at(time_s, TICK_S) for time_s in times_s)
    indexes = np.array([min(tick // TICKS_PER_FRAME, num_frames - 1) for tick in ticks], np.int64)
    indexes.flags.writeable = False
    return indexes
