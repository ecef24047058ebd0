"""The protocol of videos: a length, and the frames on screen at given times."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Video(Protocol):
    """Frames by time. Time is seconds from the first displayed frame."""

    @property
    def duration_s(self) -> float:
        """End of the last frame."""

    @property
    def last_frame_s(self) -> float:
        """Time at which the last frame appears."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture as it is meant to be seen: upright, with square pixels."""

    @property
    def num_damaged(self) -> int:
        """Frames returned so far that the nearest earlier one replaced, as they did not decode."""

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames on screen at times_s, each scaled to size (H, W).

        Args:
            times_s: (N,) seconds from the first frame, in any order, repeats allowed. Past the
                end the last frame stays on screen.
            size: (H, W) of the returned frames.

        Returns:
            (N, H, W, 3) uint8 RGB. It may be read-only and shared: copy it before changing it.

        Raises:
            VideoError: a time is negative or not finite, or nothing decodes there.
        """

    def close(self) -> None:
        """Gives back what the video holds (file handles). Safe to call twice."""
