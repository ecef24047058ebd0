"""Frames that this process has decoded and scaled already."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.video.identity import FileKey
from zoomgym.video.limits import Limits
from zoomgym.video.memo import Memo, after_fork

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


STORE: Memo[tuple[ClipKey, Limits], Clip] = Memo(MAX_BYTES, lambda clip: clip.pictures.nbytes)
"""The clips of this process, bounded in bytes; each is decoded once, while others wait for it.

Threads that wait share errors too, so limits are part of the key.
"""
after_fork(STORE.reset_in_child)
