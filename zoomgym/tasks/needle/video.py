"""A video file with a scene's marks drawn into it as it is read.

It has frames of its own, 12 a second: frame k shows what the file shows at k / 12 s, under the
marks of frame k. So a mark shows as long as it says and the same frame always looks the same,
whatever the file's own frame rate. A file that ends earlier is shown again from its start.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoomgym.tasks.synthetic.drawn import DrawnVideo
from zoomgym.tasks.synthetic.layout import FPS
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.video import VideoFile


class NeedleVideo:
    """Serves a file with a scene's marks as a `Video`; the scene's background is not drawn."""

    def __init__(self, footage: VideoFile, footage_s: float, scene: Scene) -> None:
        """Takes the file, after how many seconds it starts again, and the scene."""
        self._footage, self._footage_s = footage, footage_s
        self._scene, self._marks = scene, DrawnVideo(scene)

    @property
    def duration_s(self) -> float:
        """End of the last frame."""
        return self._marks.duration_s

    @property
    def last_frame_s(self) -> float:
        """Time at which the last frame appears."""
        return self._marks.last_frame_s

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the file's upright picture with square pixels."""
        return self._footage.size

    @property
    def num_damaged(self) -> int:
        """Frames of the file returned so far that the nearest earlier one replaced."""
        return self._footage.num_damaged

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames on screen at times_s as (N, H, W, 3) uint8 RGB, of size (H, W).

        Raises:
            VideoError: a time is negative or not finite, or the file cannot be shown.
        """
        _, indexes = self._marks.shot(times_s)
        footage_s = [index / FPS % self._footage_s for index in indexes.tolist()]
        images = self._footage.frames_at(footage_s, size).copy()  # others share the original
        self._scene.draw_marks(images, indexes)
        return images

    def close(self) -> None:
        """Gives back what the file holds."""
        self._footage.close()
