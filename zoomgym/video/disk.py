"""A folder of decoded frames that several processes share and that never outgrows its bound."""

import hashlib
import io
import os
import zlib
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from zoomgym.locks import locked
from zoomgym.video.scale import SCALING

__all__ = ["FrameFolder"]

VERSION = 2  # of what the entries hold; another decoder or scaler makes another entry
MADE_BY = f"{VERSION} {av.ffmpeg_version_info} {int(SCALING)}"
NUM_CHECK_BYTES = 4


class FrameFolder:
    """Arrays of frames by name: `.npy` files, each with a checksum behind it."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Makes the folder if there is none."""
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        """Returns the (N, H, W, 3) uint8 array of name; None if it is absent, or corrupt."""
        path = self._path(name)
        try:
            data = path.read_bytes()
            os.utime(path)  # used now: it goes last
        except OSError:
            return None
        body, check = data[:-NUM_CHECK_BYTES], data[-NUM_CHECK_BYTES:]
        if _checksum(body) != check:
            return None
        try:
            array = np.load(io.BytesIO(body), allow_pickle=False)
        except (ValueError, EOFError):
            return None
        is_right = array.shape == shape and array.dtype == np.uint8
        return array if is_right else None

    def write(self, name: str, array: NDArray[np.uint8]) -> None:
        """Keeps array under name. Where that cannot be done, nothing is kept and nobody is told.

        All or nothing: the file gets its name when it is whole.
        """
        held = io.BytesIO()
        np.save(held, array, allow_pickle=False)
        body = held.getvalue()
        data = body + _checksum(body)
        try:
            with self._locked():
                if self._make_room(len(data), self._path(name)):
                    part = self._path(name).with_suffix(".part")
                    part.write_bytes(data)
                    part.replace(self._path(name))
        except OSError:  # a full or read-only disk: a cache is never needed
            return

    def _locked(self) -> AbstractContextManager[bool]:
        """Lets one writer of all processes in at a time."""
        return locked(self._folder / "lock")

    def _path(self, name: str) -> Path:
        """Returns where the array of name stands."""
        digest = hashlib.sha256(f"{MADE_BY} {name}".encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"{digest}.npy"

    def _make_room(self, num_bytes: int, path: Path) -> bool:
        """Removes what was used longest ago until num_bytes more fit. Needs the lock."""
        for part in self._folder.glob("*.part"):  # of a writer that was killed: the lock is ours
            part.unlink(missing_ok=True)
        if num_bytes > self._max_bytes:
            return False
        path.unlink(missing_ok=True)
        entries = [(entry.stat(), entry) for entry in self._folder.glob("*.npy")]
        entries.sort(key=lambda pair: pair[0].st_mtime_ns)
        num_over = sum(found.st_size for found, _ in entries) + num_bytes - self._max_bytes
        for found, entry in entries:
            if num_over <= 0:
                break
            entry.unlink(missing_ok=True)
            num_over -= found.st_size
        return True


def _checksum(body: bytes) -> bytes:
    """Returns 4 bytes that a damaged body does not have."""
    return zlib.crc32(body).to_bytes(NUM_CHECK_BYTES, "big")
