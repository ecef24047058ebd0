"""How much work a file may cause: strangers made it."""

import time
from dataclasses import dataclass
from pathlib import Path

from zoomgym.errors import VideoError

__all__ = ["Deadline", "Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may ask for. Beyond it there is a VideoError."""

    pixels: int = 8192 * 8192
    """Of a stored frame, by the header; frames that grow later may reach about twice as many."""
    call_s: float = 60.0
    """Wall clock of one call, checked between packets."""
    duration_s: float = 10 * 24 * 3600.0
    """Time from the first frame to the end of the last."""


class Deadline:
    """The moment at which a call has taken too long."""

    def __init__(self, path: Path, limit_s: float) -> None:
        """Starts counting down limit_s; path is what the error names."""
        self._path, self._limit_s = path, limit_s
        self.restart()

    def restart(self, started_s: float | None = None) -> None:
        """Starts counting down anew: from now, or from when the call started, by `monotonic`."""
        self._ends_s = (time.monotonic() if started_s is None else started_s) + self._limit_s

    def check(self) -> None:
        """Raises VideoError if the time is over."""
        if time.monotonic() > self._ends_s:
            raise VideoError(
                f"{self._path}: needed an answer within {self._limit_s:g} s, took longer: "
                "convert the file with ffmpeg, or allow more in Limits(call_s=..)"
            )
