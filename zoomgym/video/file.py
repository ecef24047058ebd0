"""A video file: when it starts and ends, and the frames on screen at given times."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from zoomgym.errors import VideoError
from zoomgym.video.clock import tick_at
from zoomgym.video.container import OpenFile, naming, open_file
from zoomgym.video.decode import Decoder, Shown
from zoomgym.video.scale import Orientation, Scaler, orientation_of, shown_size

__all__ = ["VideoFile"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a file once its first and last frames were decoded. pts are in ticks."""

    time_base: Fraction
    """Seconds per tick."""
    first_pts: int
    last_pts: int
    end_pts: int
    size: tuple[int, int]
    """(H, W) upright, with square pixels."""
    orientation: Orientation

    def seconds(self, pts: int) -> float:
        """Returns the time of pts, from the first frame."""
        return float((pts - self.first_pts) * self.time_base)

    def limit(self, time_s: float) -> int:
        """Returns the highest pts that a frame on screen at time_s can have."""
        return min(self.first_pts + tick_at(time_s, self.time_base), self.last_pts)


@dataclass(frozen=True, slots=True)
class Session:
    """What is held while a file is open."""

    opened: OpenFile
    decoder: Decoder
    facts: Facts
    scaler: Scaler
    edges: Mapping[int, VideoFrame]
    """pts -> the first and the last frame, which every overview asks for; or nothing."""


class VideoFile:
    """A video file, decoded frame by frame exactly: see the `Video` protocol.

    The first question opens the file, and it stays open until close(); a later question opens it
    again. Pickles and copies start closed. Not for two threads at once: give each its own.
    """

    def __init__(self, path: str | Path) -> None:
        """Remembers path; nothing is opened or checked yet."""
        self.path = Path(path)
        self._facts: Facts | None = None
        self._session: Session | None = None

    @property
    def duration_s(self) -> float:
        """End of the last frame, seconds from the first frame."""
        facts = self._known()
        return facts.seconds(facts.end_pts)

    @property
    def last_frame_s(self) -> float:
        """Time at which the last frame appears, seconds from the first frame."""
        facts = self._known()
        return facts.seconds(facts.last_pts)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the upright picture with square pixels."""
        return self._known().size

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames on screen at times_s, each scaled to size (H, W).

        The frame at t is the last one that started at or before t, where frames count as started
        half a tick early, but never more than half a millisecond.

        Args:
            times_s: (N,) seconds from the first frame, in any order, repeats allowed. Past the
                end the last frame stays on screen.
            size: (H, W) of the returned frames.

        Returns:
            (N, H, W, 3) uint8 RGB, freshly allocated.

        Raises:
            VideoError: a time is negative or not finite, or nothing decodes there.
        """
        session = self._open()
        rows: dict[int, list[int]] = {}
        try:
            for row, time_s in enumerate(times_s):
                rows.setdefault(session.facts.limit(float(time_s)), []).append(row)
        except VideoError as error:
            raise VideoError(f"{self.path}: {error}") from error
        pictures = np.empty((len(times_s), *size, 3), np.uint8)
        with naming(self.path, "decode it"):
            for limits, frame in _frames(session, sorted(rows)):
                picture = session.scaler.picture(frame, size)
                for limit in limits:
                    pictures[rows[limit]] = picture
        return pictures

    def close(self) -> None:
        """Closes the file and gives back its frames and buffers. Safe to call twice."""
        session, self._session = self._session, None
        if session is not None:
            session.opened.container.close()

    def __enter__(self) -> Self:
        """Returns itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the file."""
        self.close()

    def __del__(self) -> None:
        """Closes the file: containers that nobody closes linger, with their file descriptors."""
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        """Returns what a pickle or a copy holds: all but what is open."""
        return {**self.__dict__, "_session": None}

    def __repr__(self) -> str:
        """Returns the call that makes it."""
        return f"VideoFile({str(self.path)!r})"

    def _known(self) -> Facts:
        """Returns the facts, opening the file if they are not known."""
        return self._facts or self._open().facts

    def _open(self) -> Session:
        """Returns the session, opening the file if it is closed."""
        if self._session is None:
            opened = open_file(self.path)
            try:
                with naming(self.path, "decode it"):
                    self._session = _start(opened, self._facts)
            except VideoError:
                opened.container.close()
                raise
            self._facts = self._session.facts
        return self._session


def _start(opened: OpenFile, facts: Facts | None) -> Session:
    """Returns a session, with facts that are found out if not given."""
    decoder = Decoder(opened)
    edges: dict[int, VideoFrame] = {}
    if facts is None:
        first, last = decoder.first_frame(), decoder.last_frame()
        if last.pts < first.pts:
            raise VideoError(
                f"{opened.path}: needed times that ascend, got a last frame before the first: "
                "remux it with ffmpeg"
            )
        facts = _measure(opened, first, last)
        edges = dict((first, last))
    return Session(opened, decoder, facts, Scaler(facts.orientation), edges)


def _measure(opened: OpenFile, first: Shown, last: Shown) -> Facts:
    """Returns the facts that follow from the first and the last frame."""
    orientation = orientation_of(first.frame)
    pixel_aspect = opened.stream.sample_aspect_ratio or Fraction(1)
    stored = (first.frame.height, first.frame.width)
    return Facts(
        time_base=opened.time_base,
        first_pts=first.pts,
        last_pts=last.pts,
        end_pts=last.pts + (last.frame.duration or _usual_ticks(opened)),
        size=shown_size(stored, pixel_aspect, orientation),
        orientation=orientation,
    )


def _usual_ticks(opened: OpenFile) -> int:
    """Returns how long a frame of the stream usually lasts, in ticks, at least 1."""
    rate = opened.stream.average_rate or opened.stream.guessed_rate
    return max(1, round(1 / (rate * opened.time_base))) if rate else 1


def _frames(session: Session, limits: Sequence[int]) -> Iterator[tuple[list[int], VideoFrame]]:
    """Yields every wanted frame once, with the limits that it answers."""
    yield from (([pts], frame) for pts, frame in session.edges.items() if pts in limits)
    others = [limit for limit in limits if limit not in session.edges]
    yield from ((answered, shown.frame) for answered, shown in session.decoder.frames(others))
