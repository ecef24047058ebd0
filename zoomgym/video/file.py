"""A video file: when it starts and ends, and the frames on screen at given times."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zoomgym.errors import VideoError
from zoomgym.io import brief, is_whole_number
from zoomgym.video.clip import decode_clip
from zoomgym.video.container import naming
from zoomgym.video.facts import Facts, measure
from zoomgym.video.identity import FileKey, identify
from zoomgym.video.limits import Limits
from zoomgym.video.memo import Memo, after_fork
from zoomgym.video.packets import Doubt
from zoomgym.video.pool import POOL
from zoomgym.video.store import STORE, Clip, ClipKey

ON_DAMAGE = ("nearest", "raise")
"""How to treat frames that do not decode: show the nearest earlier one, or raise VideoError."""

MAX_THREADS = 1024
FACTS: Memo[tuple[FileKey, Limits], Facts] = Memo(64 * 1024**2, lambda facts: facts.num_bytes)
"""Facts of the files that this process has opened."""
after_fork(FACTS.reset_in_child)


class VideoFile:
    """A video file, decoded frame by frame exactly: see the `Video` protocol.

    Threads may share it. All VideoFiles of a process share open files and frames (see `pool` and
    `store`), so that a second one of the same file is nearly free. A replaced file is read again.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        num_threads: int = 1,
        on_damage: str = "nearest",
        limits: Limits = Limits(),
    ) -> None:
        """Remembers path; nothing is opened or checked yet.

        Args:
            path: a local file.
            num_threads: of one call. Use one where many episodes are decoded side by side, and as
                many as there are cores where one episode is waited for.
            on_damage: how to treat frames that do not decode. `nearest` shows the nearest earlier
                one and counts it in `num_damaged`; `raise` raises VideoError.
            limits: how much work the file may cause.
        """
        if on_damage not in ON_DAMAGE:
            raise ValueError(f"on_damage needs one of {ON_DAMAGE}, got {on_damage!r}")
        if not is_whole_number(num_threads, 1, MAX_THREADS):
            raise ValueError(
                f"num_threads needs at least 1, got {brief(num_threads)}: give a whole number up "
                f"to {MAX_THREADS}"
            )
        self.path = Path(path)
        self.num_damaged = 0
        """Frames returned so far that the nearest earlier one replaced."""
        self._num_threads = num_threads
        self._on_damage = on_damage
        self._limits = limits
        self._opened: FileKey | None = None

    @property
    def duration_s(self) -> float:
        """End of the last frame, seconds from the first frame."""
        facts = self._facts(identify(self.path))
        return facts.seconds(facts.end_pts)

    @property
    def last_frame_s(self) -> float:
        """Time at which the last frame appears, seconds from the first frame."""
        facts = self._facts(identify(self.path))
        return facts.seconds(facts.last_pts)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the upright picture with square pixels."""
        return self._facts(identify(self.path)).size

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames on screen at times_s, each scaled to size (H, W): see `tick_at`.

        Args:
            times_s: (N,) seconds from the first frame, in any order, repeats allowed. Past the
                end the last frame stays on screen.
            size: (H, W) of the returned frames.

        Returns:
            (N, H, W, 3) uint8 RGB, read-only: the same call returns the same array.

        Raises:
            VideoError: a time is negative or not finite, nothing decodes there, or that takes too
                long; or frames are damaged and `on_damage` is `raise`.
        """
        key = identify(self.path)
        try:
            clip = self._clip(key, self._facts(key), times_s, size)
        except Doubt:
            facts = FACTS.put((key, self._limits), lambda: _measured(key, self._limits, True))
            clip = self._clip(key, facts, times_s, size)
        if clip.num_damaged and self._on_damage == "raise":
            raise VideoError(
                f"{self.path}: needed {len(clip.pictures)} whole frames, {clip.num_damaged} do not "
                'decode: repair the file, or take the nearest ones with on_damage="nearest"'
            )
        self.num_damaged += clip.num_damaged
        return clip.pictures

    def close(self) -> None:
        """Does nothing: the pool closes files that are not used, and `close_files` closes all."""

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes it."""
        self.close()

    def __repr__(self) -> str:
        """Returns the call that makes it."""
        return f"VideoFile({str(self.path)!r})"

    def _clip(
        self, key: FileKey, facts: Facts, times_s: Sequence[float], size: tuple[int, int]
    ) -> Clip:
        """Returns the frames at times_s, from the store or decoded."""
        try:
            pts = tuple(facts.limit(float(time_s)) for time_s in times_s)
        except VideoError as error:
            raise VideoError(f"{self.path}: {error}") from error
        clip_key = ClipKey(key, pts, (int(size[0]), int(size[1])), facts.playback is not None)
        return STORE.get_charged(
            (clip_key, self._limits),
            lambda: decode_clip(clip_key, facts, self._limits, self._num_threads),
        )

    def _facts(self, key: FileKey) -> Facts:
        """Returns the facts of the file, opening it if they are not known."""
        is_new, self._opened = key != self._opened, key
        get = FACTS.get_charged if is_new else FACTS.get
        return get((key, self._limits), lambda: _measured(key, self._limits))


def _measured(key: FileKey, limits: Limits, is_doubted: bool = False) -> Facts:
    """Returns the facts of a file. Raises VideoError if it cannot be shown within the limits."""
    with POOL.lent(key, limits) as session, naming(key.path, "decode it"):
        facts = measure(session.opened, session.decoder, is_doubted)
    duration_s = facts.seconds(facts.end_pts)
    if duration_s > limits.duration_s:
        raise VideoError(
            f"{key.path}: needed at most {limits.duration_s:g} s of video, got {duration_s:g} s: "
            "cut it, or allow more in limits (duration_s)"
        )
    height, width = facts.size
    if max(height, width) > limits.aspect * min(height, width):
        raise VideoError(
            f"{key.path}: needed pictures of at most {limits.aspect:g}:1, got {width} x {height}: "
            "crop them, or allow more in limits (aspect)"
        )
    return facts
