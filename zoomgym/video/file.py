"""A video file: when it starts and ends, and the frames on screen at given times."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from zoomgym.errors import VideoError
from zoomgym.video.container import OpenFile, naming, open_file
from zoomgym.video.decode import Decoder
from zoomgym.video.facts import Facts, measure
from zoomgym.video.scale import Scaler

__all__ = ["VideoFile"]


@dataclass(frozen=True, slots=True)
class Session:
    """What is held while a file is open."""

    opened: OpenFile
    decoder: Decoder
    facts: Facts
    scaler: Scaler


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
            for limits, shown in session.decoder.frames(sorted(rows)):
                picture = session.scaler.picture(shown.frame, size)
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
    facts = facts or measure(opened, decoder)
    return Session(opened, decoder, facts, Scaler(facts.orientation))
