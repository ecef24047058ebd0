"""Frames that this process has decoded and scaled already."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.video.identity import FileKey
from zoomgym.video.limits import Limits
from zoomgym.video.memo import Memo, after_fork

__all__ = ["STORE", "Clip", "ClipKey", "FrameStore"]

MAX_BYTES = 512 * 1024**2


class ClipKey(NamedTuple):
    """Which frames. A whole call: decoding up to its last frame costs what the others cost."""

    file: FileKey
    pts: tuple[int, ...]
    """The highest pts of each frame, in ticks."""
    size: tuple[int, int]
    """(H, W)"""
    is_played: bool = False
    """The frames are those of playing the file, as its packets are not to be trusted."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The frames that answered one call."""

    pictures: NDArray[np.uint8]
    """(N, H, W, 3) RGB, read-only: it is shared."""
    num_damaged: int = 0
    """Frames that could not be decoded, with the nearest earlier one in their place."""


class FrameStore:
    """Clips by key, bounded in bytes; used longest ago, gone first; each decoded once."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        """Starts empty."""
        self._memo: Memo[tuple[ClipKey, Limits], Clip] = Memo(
            max_bytes, lambda clip: clip.pictures.nbytes
        )

    @property
    def num_bytes(self) -> int:
        """Bytes of the frames at hand."""
        return self._memo.weight

    def get(self, key: ClipKey, limits: Limits, decode: Callable[[], Clip]) -> Clip:
        """Returns the clip of key. Threads that ask while it is being decoded wait for it.

        They share errors too: so each has to have the limits of the one that decodes.
        """
        return self._memo.get((key, limits), lambda: _read_only(decode()))

    def resize(self, max_bytes: int) -> None:
        """Sets the bound in bytes. 0 keeps nothing, and threads still share a decode."""
        self._memo.resize(max_bytes)

    def clear(self) -> None:
        """Forgets all frames."""
        self._memo.clear()

    def reset_in_child(self) -> None:
        """Gives up, in a forked child, waiting for threads that only its parent has."""
        self._memo.reset_in_child()


def _read_only(clip: Clip) -> Clip:
    """Returns the clip, whose pictures nobody may change from now on."""
    clip.pictures.flags.writeable = False
    return clip


STORE = FrameStore()
"""The store of this process."""
after_fork(STORE.reset_in_child)
