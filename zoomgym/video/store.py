"""Keeps the frames that this process has decoded and scaled."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.video.identity import FileKey
from zoomgym.video.limits import Limits
from zoomgym.video.memo import Memo, after_fork

MAX_BYTES = 512 * 1024**2


class ClipKey(NamedTuple):
    """The frames of one call."""

    file: FileKey
    pts: tuple[int, ...]
    """The highest pts of each frame, in ticks."""
    size: tuple[int, int]
    """(H, W)"""
    is_played: bool = False
    """Whether they come from playing the file, whose packets cannot be trusted."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """The frames that answered one call."""

    pictures: NDArray[np.uint8]
    """(N, H, W, 3) RGB, read-only: it is shared."""
    num_damaged: int = 0
    """Frames that do not decode, and that the nearest earlier one replaces."""


STORE: Memo[tuple[ClipKey, Limits], Clip] = Memo(MAX_BYTES, lambda clip: clip.pictures.nbytes)
"""The clips of this process. Threads that wait for one share its error, so the key has limits."""
after_fork(STORE.reset_in_child)
