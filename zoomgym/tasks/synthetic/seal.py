"""A seal behind a written video: it says which file it is, so that another one is found out."""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from zoomgym.io import open_own

NUM_DIGEST_BYTES = hashlib.sha256().digest_size
HEAD = (8 + NUM_DIGEST_BYTES).to_bytes(4, "big") + b"free"
"""Begins a box that every reader of mp4 passes over. Source: ISO/IEC 14496-12, 8.1.2."""
NUM_SEAL_BYTES = len(HEAD) + NUM_DIGEST_BYTES
BLOCK_BYTES = 1024**2
MOST_KNOWN = 100_000
"""Files of which it is remembered whether they are sealed."""


def seal(path: Path, name: str) -> None:
    """Puts a seal behind the video in path, which will be called name."""
    with open_own(path, "r+b") as file:
        digest = _digest(file, path.stat().st_size, name)
        file.write(HEAD + digest)


def is_sealed(path: Path) -> bool:
    """Returns whether at path is the whole file that was written by that name, and no other one.

    A file is read once, and again when it has changed.
    """
    try:
        found = path.lstat()
        return _is_sealed(path, found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
    except OSError:
        return False


@lru_cache(MOST_KNOWN)
def _is_sealed(path: Path, num_bytes: int, *_identity: int) -> bool:
    """Returns whether the file that path means now is sealed. Raises OSError."""
    with open_own(path, "rb") as file:
        digest = _digest(file, num_bytes - NUM_SEAL_BYTES, path.name)
        return file.read(NUM_SEAL_BYTES + 1) == HEAD + digest


def _digest(file: BinaryIO, num_bytes: int, name: str) -> bytes:
    """Returns the SHA-256 of a name and the first bytes of a file, which is read so far."""
    digest = hashlib.sha256(f"{name}\0".encode())
    while num_bytes > 0 and (block := file.read(min(num_bytes, BLOCK_BYTES))):
        digest.update(block)
        num_bytes -= len(block)
    return digest.digest()
