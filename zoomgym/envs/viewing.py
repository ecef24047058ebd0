"""The video of an episode, and what was shown of it: for agents, and small, for observations."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zoomgym.agent import Frames, look
from zoomgym.errors import VideoError
from zoomgym.rules import VideoQuestion
from zoomgym.tasks import DrawnVideo
from zoomgym.video import Video, cost_s, fitted_size, letterbox

MAX_DURATION_S = 864_000.0
"""Ten days: bounds of spaces must be finite."""


class Viewing:
    """The video of an episode, and the frames that were shown of it, in two sizes.

    Args:
        video: is closed by `close`, unless this is a fork.
        max_pixels: bound of a frame for agents.
        small: (H, W) of the frames for Dict observations; (0, 0): none.
        draws_small: a drawn scene draws small frames, and those for agents only if they are asked
            for. Otherwise small frames are shrunk from those for agents.
    """

    def __init__(
        self, video: Video, max_pixels: int, small: tuple[int, int], *, draws_small: bool
    ) -> None:
        self.decode_s = 0.0
        """Seconds that opening the video and getting frames took so far: see `cost_s`."""
        self.video = video
        self._max_pixels = max_pixels
        self._size = small
        self._draws_small = draws_small and isinstance(video, DrawnVideo) and small != (0, 0)
        self._is_fork = False
        self._times_s: list[tuple[float, ...]] = []
        self._frames: list[Frames] = []
        self._small: list[NDArray[np.uint8]] = []

    @property
    def num_damaged(self) -> int:
        """Frames shown so far that did not decode."""
        return self.video.num_damaged

    def lengths_s(self, task: VideoQuestion) -> tuple[float, float]:
        """Returns the length of the video and the time of its last frame. Raises VideoError."""
        with self._counted():
            if self.video.duration_s > MAX_DURATION_S:
                raise VideoError(
                    f"{task.video}: needed at most {MAX_DURATION_S:g} s of video, "
                    f"got {self.video.duration_s:g} s: cut it"
                )
            return self.video.duration_s, self.video.last_frame_s

    def show(self, times_s: tuple[float, ...]) -> None:
        """Shows the frames at times_s. Raises VideoError: then nothing is shown."""
        self._times_s.append(times_s)
        try:
            self.small() if self._draws_small else self.frames()
        except BaseException:
            self._times_s.pop()
            raise

    def frames(self) -> list[Frames]:
        """Returns the overview and the clips so far, as agents see them."""
        for times_s in self._times_s[len(self._frames) :]:
            with self._counted():
                self._frames.append(look(self.video, times_s, self._max_pixels))
        return self._frames

    def small(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Returns the overview and all clip frames in small: (N, H, W, 3) uint8 each."""
        new = self._times_s[len(self._small) :]
        if self._draws_small:
            size = fitted_size(self.video.size, self._size)
            with self._counted():
                shown = [self.video.frames_at(times_s, size) for times_s in new]
        else:
            shown = [frames.images for frames in self.frames()[len(self._small) :]]
        self._small += [
            images if images.shape[1:3] == self._size else letterbox(images, self._size)
            for images in shown
        ]
        overview, *clips = self._small
        return overview, np.concatenate([overview[:0], *clips])

    def fork(self) -> Self:
        """Returns another viewing of the same video, which shares what was shown so far."""
        self.frames()  # so that they are drawn for both
        twin = type(self)(self.video, self._max_pixels, self._size, draws_small=self._draws_small)
        twin.decode_s, twin._is_fork = self.decode_s, True
        twin._times_s, twin._frames = list(self._times_s), list(self._frames)
        twin._small = list(self._small)
        return twin

    def close(self) -> None:
        """Closes the video, unless this is a fork."""
        if not self._is_fork:
            self.video.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Counts the time that is spent inside."""
        started_s = cost_s()
        try:
            yield
        finally:
            self.decode_s += cost_s() - started_s
