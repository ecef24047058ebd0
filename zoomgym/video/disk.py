"""A folder of decoded frames that several processes share and that never outgrows its bound."""

import hashlib
import io
import math
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from zoomgym.io.files import PART, open_own, replaced
from zoomgym.io.locks import locked
from zoomgym.video.scale import SCALING

__all__ = ["FrameFolder"]

VERSION = 2  # of what the entries hold; another decoder or scaler makes another entry
MADE_BY = f"{VERSION} {av.ffmpeg_version_info} {int(SCALING)}"
NUM_CHECK_BYTES = 4
ARRAY, HASH = ".npy", ".sha256"
ENTRY = re.compile(rf"[0-9a-f]{{64}}({ARRAY}|{HASH})")
"""Names of entries. Nothing else in the folder is counted or removed, but parts of entries."""


class FrameFolder:
    """Arrays of frames by name, and hashes: `.npy` files, each with a checksum behind it."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Makes the folder if there is none."""
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def read(self, name: str, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        """Returns the (N, H, W, 3) uint8 array of name, read-only; None if it is absent or wrong.

        The header is compared, not read: there is but one for an array of this shape.
        """
        return self._read(self._path(name), shape)

    def write(self, name: str, array: NDArray[np.uint8]) -> None:
        """Keeps array under name. Where that cannot be done, nothing is kept and nobody is told.

        All or nothing: the file gets its name when it is whole.
        """
        self._write(self._path(name), array)

    def hash_of(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Returns the SHA-256 that is kept under name, made now if there is none."""
        path = self._path(name, HASH)
        kept = self._read(path, (hashlib.sha256().digest_size,))
        if kept is None:
            kept = np.frombuffer(make(), np.uint8)
            self._write(path, kept)
        return kept.tobytes()

    def _read(self, path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8] | None:
        """Returns the array in path; None if it is absent or wrong."""
        head, num_values = _header(shape), math.prod(shape)
        num_bytes = len(head) + num_values + NUM_CHECK_BYTES
        try:
            with open_own(path, "rb") as file:
                data = file.read(num_bytes + 1)
            os.utime(path)  # used now: it goes last
        except OSError:
            return None
        body, check = data[:-NUM_CHECK_BYTES], data[-NUM_CHECK_BYTES:]
        if len(data) != num_bytes or not data.startswith(head) or _checksum(body) != check:
            return None
        return np.frombuffer(body, np.uint8, num_values, len(head)).reshape(shape)

    def _write(self, path: Path, array: NDArray[np.uint8]) -> None:
        """Writes array to path, if there is room for it."""
        body = _header(array.shape) + array.tobytes()
        data = body + _checksum(body)
        try:
            with self._locked():
                if self._make_room(len(data), path):
                    with replaced(path) as file:
                        file.write(data)
        except OSError:  # a full or read-only disk: a cache is never needed
            return

    def _locked(self) -> AbstractContextManager[bool]:
        """Lets one writer of all processes in at a time."""
        return locked(self._folder / "lock")

    def _path(self, name: str, suffix: str = ARRAY) -> Path:
        """Returns where the array of name stands, or its hash."""
        digest = hashlib.sha256(f"{MADE_BY} {name}".encode(errors="surrogateescape")).hexdigest()
        return self._folder / f"{digest}{suffix}"

    def _make_room(self, num_bytes: int, path: Path) -> bool:
        """Removes what was used longest ago until num_bytes more fit. Needs the lock."""
        for part in self._folder.glob(f"{PART}*"):  # of a killed writer: the lock is ours
            if part.suffix in (ARRAY, HASH):
                part.unlink(missing_ok=True)
        if num_bytes > self._max_bytes:
            return False
        path.unlink(missing_ok=True)
        entries = sorted(self._entries(), key=lambda pair: pair[0].st_mtime_ns)
        num_over = sum(found.st_size for found, _ in entries) + num_bytes - self._max_bytes
        for found, entry in entries:
            if num_over <= 0:
                break
            entry.unlink(missing_ok=True)
            num_over -= found.st_size
        return True

    def _entries(self) -> Iterator[tuple[os.stat_result, Path]]:
        """Yields the entries, each with what is known of its file."""
        for path in self._folder.iterdir():
            if ENTRY.fullmatch(path.name):
                found = path.lstat()
                if not stat.S_ISDIR(found.st_mode):
                    yield found, path


def _header(shape: tuple[int, ...]) -> bytes:
    """Returns how a `.npy` file of a uint8 array begins."""
    head = io.BytesIO()
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(head, about)
    return head.getvalue()


def _checksum(body: bytes) -> bytes:
    """Returns 4 bytes that a damaged body does not have."""
    return zlib.crc32(body).to_bytes(NUM_CHECK_BYTES, "big")
