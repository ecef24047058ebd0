"""Decodes the frames of one call in order, scales them, and puts them where they belong."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from zoomgym.video.container import naming
from zoomgym.video.decode import Shown
from zoomgym.video.facts import Facts
from zoomgym.video.limits import Limits, ProcessorTime
from zoomgym.video.playback import replay
from zoomgym.video.pool import POOL, OpenVideo
from zoomgym.video.scale import Scaler
from zoomgym.video.store import Clip, ClipKey

# Nearer frames are likely in one group of pictures, which is decoded from its start: a cut between
# them costs that start a second time.
MIN_APART_S = 5.0
SMALL_PARTS_PER_THREAD = 8  # the thread that is done first takes the next one
MAX_UNSCALED = 4  # decoded frames that wait for the scaler: large ones are large


def decode_clip(key: ClipKey, facts: Facts, limits: Limits, num_threads: int = 1) -> Clip:
    """Decodes the frames of key.

    With two threads or more, distant frames are decoded by all of them, each with its own
    container, and near frames are scaled beside the decoding.

    Raises:
        VideoError: nothing decodes, or that takes too long.
        Doubt: the file has to be played first (see `decode`).
    """
    rows: dict[int, list[int]] = {}
    for row, pts in enumerate(key.pts):
        rows.setdefault(pts, []).append(row)
    pictures = np.empty((len(key.pts), *key.size, 3), np.uint8)
    work = _Work(key, facts, limits, rows, pictures, ProcessorTime())
    parts = _parts(sorted(rows), facts, num_threads)
    if num_threads < 2:
        num_damaged = sum(map(work.decode, parts))
    elif len(parts) == 1:
        num_damaged = work.decode_and_scale_beside(parts[0])
    else:
        with ThreadPoolExecutor(num_threads) as threads:
            num_damaged = sum(threads.map(work.decode, parts))
    pictures.flags.writeable = False  # they are shared
    return Clip(pictures, num_damaged)


def _parts(ascending: list[int], facts: Facts, num_threads: int) -> list[list[int]]:
    """Cuts the wanted pts into contiguous parts of about one length: one if there is one thread."""
    if not ascending:
        return []
    span_s = facts.seconds(ascending[-1]) - facts.seconds(ascending[0])
    num_parts = min(num_threads, int(span_s / MIN_APART_S))
    if num_threads > 1 and span_s >= MIN_APART_S * (len(ascending) - 1):
        num_parts = num_threads * SMALL_PARTS_PER_THREAD
    num_parts = max(1, min(num_parts, len(ascending)))
    cuts = [round(len(ascending) * i / num_parts) for i in range(num_parts + 1)]
    return [ascending[start:end] for start, end in pairwise(cuts)]


@dataclass(frozen=True, slots=True)
class _Work:
    """The pictures that one call has to fill."""

    key: ClipKey
    facts: Facts
    limits: Limits
    rows: dict[int, list[int]]
    pictures: NDArray[np.uint8]
    call: ProcessorTime
    """Processor time of all parts together."""

    def decode(self, part: Sequence[int]) -> int:
        """Fills the rows of part, ascending pts; returns how many of them are damaged."""
        with self._lent() as session:
            return sum(
                self._place(session.scaler, answered, shown)
                for answered, shown in self._frames(session, part)
            )

    def decode_and_scale_beside(self, part: Sequence[int]) -> int:
        """Does what `decode` does, but scales on a thread of its own."""
        num_damaged = 0
        with self._lent() as session, ThreadPoolExecutor(1) as thread:
            waiting: deque[Future[int]] = deque()
            for answered, shown in self._frames(session, part):
                waiting.append(thread.submit(self._place_beside, session.scaler, answered, shown))
                if len(waiting) > MAX_UNSCALED:
                    num_damaged += waiting.popleft().result()
            return num_damaged + sum(placed.result() for placed in waiting)

    def _frames(self, session: OpenVideo, part: Sequence[int]) -> Iterator[tuple[list[int], Shown]]:
        """Yields the frames that answer part, with the pts that each one answers."""
        if self.facts.playback is None:
            return session.decoder.frames(part)
        return replay(session.opened, self.facts.playback, part)

    @contextmanager
    def _lent(self) -> Iterator[OpenVideo]:
        """Lends the open file; errors name it."""
        file = self.key.file
        lent = POOL.lent(file, self.limits, self.call)
        with lent as session, naming(file.path, "decode it"):
            yield session

    def _place_beside(self, scaler: Scaler, answered: Sequence[int], shown: Shown) -> int:
        """Does what `_place` does, on a thread of its own, whose time it counts."""
        with self.call.counting():
            return self._place(scaler, answered, shown)

    def _place(self, scaler: Scaler, answered: Sequence[int], shown: Shown) -> int:
        """Puts a frame into the rows of the pts that it answers; returns how many are damaged."""
        picture = scaler.picture(shown.frame, self.key.size, self.facts.orientation)
        rows = [row for pts in answered for row in self.rows[pts]]
        self.pictures[rows] = picture
        return len(rows) if shown.is_damaged else 0
