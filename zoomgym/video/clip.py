"""One call's frames: decoded in order, scaled, and put where they were asked for."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from zoomgym.video.container import naming
from zoomgym.video.facts import Facts
from zoomgym.video.limits import Limits
from zoomgym.video.pool import POOL
from zoomgym.video.store import Clip, ClipKey

__all__ = ["decode_clip"]

MIN_PART_S = (
    5.0  # nearer frames are likely in one group of pictures, which is decoded from its start
)


def decode_clip(key: ClipKey, facts: Facts, limits: Limits, num_threads: int = 1) -> Clip:
    """Decodes the frames of key.

    Args:
        key: what is wanted.
        facts: of the file.
        limits: how much work it may cause.
        num_threads: distant frames are decoded in so many parts at once, each by its own container.

    Raises:
        VideoError: nothing decodes, or that takes too long.
    """
    rows: dict[int, list[int]] = {}
    for row, pts in enumerate(key.pts):
        rows.setdefault(pts, []).append(row)
    pictures = np.empty((len(key.pts), *key.size, 3), np.uint8)

    def decode(part: Sequence[int]) -> int:
        return _decode_part(key, facts, limits, part, rows, pictures)

    parts = _parts(sorted(rows), facts, num_threads)
    if len(parts) < 2:
        return Clip(pictures, sum(map(decode, parts)))
    with ThreadPoolExecutor(len(parts) - 1) as threads:  # this thread takes the first part
        others = [threads.submit(decode, part) for part in parts[1:]]
        num_damaged = decode(parts[0])
        return Clip(pictures, num_damaged + sum(other.result() for other in others))


def _parts(ascending: list[int], facts: Facts, num_parts: int) -> list[list[int]]:
    """Cuts the wanted pts into at most num_parts contiguous parts of about one length."""
    if not ascending:
        return []
    span_s = facts.seconds(ascending[-1]) - facts.seconds(ascending[0])
    num_parts = max(1, min(num_parts, len(ascending), int(span_s / MIN_PART_S)))
    cuts = [round(len(ascending) * i / num_parts) for i in range(num_parts + 1)]
    return [ascending[start:end] for start, end in pairwise(cuts)]


def _decode_part(
    key: ClipKey,
    facts: Facts,
    limits: Limits,
    part: Sequence[int],
    rows: dict[int, list[int]],
    pictures: NDArray[np.uint8],
) -> int:
    """Puts the frames of part, ascending pts, into their rows; returns how many are damaged."""
    num_damaged = 0
    with POOL.lent(key.file, limits) as session, naming(key.file.path, "decode it"):
        for answered, shown in session.decoder.frames(part):
            picture = session.scaler.picture(shown.frame, key.size, facts.orientation)
            for pts in answered:
                pictures[rows[pts]] = picture
                num_damaged += len(rows[pts]) if shown.is_replacement else 0
    return num_damaged
