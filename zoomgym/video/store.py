"""Frames that were decoded and scaled already: kept by the process, and in a folder if wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.video.disk import FrameFolder
from zoomgym.video.identity import FileKey, content_hash, is_current
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
        """Starts empty and without a folder."""
        self._memo: Memo[tuple[ClipKey, Limits], Clip] = Memo(
            max_bytes, lambda clip: clip.pictures.nbytes
        )
        self._folder: FrameFolder | None = None

    @property
    def num_bytes(self) -> int:
        """Bytes of the frames at hand."""
        return self._memo.weight

    def get(self, key: ClipKey, limits: Limits, decode: Callable[[], Clip]) -> Clip:
        """Returns the clip of key. Threads that ask while it is being decoded wait for it.

        They share errors too: so each has to have the limits of the one that decodes.
        """
        return self._memo.get((key, limits), lambda: self._make(key, decode))

    def resize(self, max_bytes: int) -> None:
        """Sets the bound in bytes. 0 keeps nothing, and threads still share a decode."""
        self._memo.resize(max_bytes)

    def use_folder(self, folder: Path | None, max_bytes: int = 4 * 1024**3) -> None:
        """Keeps clips in a folder of at most max_bytes too, for later processes. None: no more."""
        self._folder = None if folder is None else FrameFolder(folder, max_bytes)

    def clear(self) -> None:
        """Forgets the frames in memory, not those in the folder."""
        self._memo.clear()

    def start_anew_in_child(self) -> None:
        """Gives up, in a forked child, waiting for threads that only its parent has."""
        self._memo.start_anew_in_child()

    def _make(self, key: ClipKey, decode: Callable[[], Clip]) -> Clip:
        """Returns the clip from the folder, or decodes it. Its pictures become read-only."""
        folder = self._folder
        name = "" if folder is None else _name(key, folder)
        shape = (len(key.pts), *key.size, 3)
        pictures = folder.read(name, shape) if folder is not None else None
        clip = decode() if pictures is None else Clip(pictures)
        clip.pictures.flags.writeable = False
        is_new = pictures is None and not clip.num_damaged
        if folder is not None and is_new and is_current(key.file):
            folder.write(name, clip.pictures)
        return clip


def _name(key: ClipKey, folder: FrameFolder) -> str:
    """Returns what a clip is called in a folder: alike for all copies of its file.

    A file is read once to know its content, which the folder remembers as long as the file stays.
    """
    content = folder.hash_of(repr(key.file), lambda: content_hash(key.file))
    return f"{content.hex()}{key.file.path.suffix} {key[1:]}"


STORE = FrameStore()
"""The store of this process."""
after_fork(STORE.start_anew_in_child)
