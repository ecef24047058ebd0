"""A scene as a video without a codec: the pictures that the encoder would have been given."""

from collections.abc import Sequence

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
        last = self._scene.num_frames - 1
        ticks = (tick_at(time_s, TICK_S) for time_s in times_s)
        indexes = [min(tick // TICKS_PER_FRAME, last) for tick in ticks]
        return self._scene.draw(np.array(indexes, dtype=np.int64), size)

    def close(self) -> None:
        """Does nothing: a scene holds nothing."""
