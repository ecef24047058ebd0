"""Limits of the work that a file, made by strangers, may cause."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Lock
from typing import Any

from zoomgym.errors import VideoError
from zoomgym.io import brief, is_number_within

MOST = 1e12
"""Largest limit of any kind: more pixels than FFmpeg counts, and 30,000 years."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much work one file may cause; more raises VideoError."""

    pixels: int = 8192 * 8192
    """Pixels of a stored frame, by the header; frames that grow later may reach twice as many."""
    call_s: float = 60.0
    """Processor time of one call, of all its threads together, checked between packets.

    Waiting for a busy machine or another thread does not count.
    """
    wait_s: float = 60.0
    """Wall clock of one read from the disk or network, and of opening the file."""
    duration_s: float = 10 * 24 * 3600.0
    """Time from the first frame to the end of the last."""
    aspect: float = 100.0
    """Longer side of an upright picture by the shorter one. Qwen's processor refuses 200, which
    rounding can reach from half as much."""
    samples: int = 20_000_000
    """Entries, of 36 bytes, in the lists that FFmpeg makes when it opens an MP4 file."""

    def __post_init__(self) -> None:
        """Refuses invalid limits."""
        for field in fields(self):
            value = getattr(self, field.name)
            if not is_number_within(value, math.ulp(0), MOST):
                raise ValueError(
                    f"limits need numbers > 0, got {field.name}={brief(value)}: "
                    f"give at most {MOST:g}"
                )

    @classmethod
    def merged(cls, given: Mapping[str, Any] | None) -> "Limits":
        """Returns the limits given by name, and the defaults of all others."""
        given = {} if given is None else given
        names = {field.name for field in fields(cls)}
        if not isinstance(given, Mapping) or given.keys() - names:
            raise ValueError(
                f"limits need a mapping from names of {sorted(names)}, got {brief(given)}"
            )
        return cls(**given)


class ProcessorTime:
    """The processor time that one call has used, on all of its threads."""

    def __init__(self) -> None:
        """Starts at 0."""
        self.used_s = 0.0
        self._lock = Lock()

    def add(self, used_s: float) -> None:
        """Counts what a thread has used."""
        with self._lock:
            self.used_s += used_s

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Counts what this thread uses inside."""
        started_s = time.thread_time()
        try:
            yield
        finally:
            self.add(time.thread_time() - started_s)


class Deadline:
    """Ends a call that uses too much processor time. For one thread at a time."""

    def __init__(self, path: Path, limit_s: float) -> None:
        """Starts counting; path is what the error names."""
        self._path, self._limit_s = path, limit_s
        self.restart(ProcessorTime())

    def restart(self, call: ProcessorTime) -> None:
        """Counts what this thread uses from now on as a part of call."""
        self._call = call
        self._counted_s = time.thread_time()

    def check(self) -> None:
        """Raises VideoError if the call has used more than its time. Call it on the same thread."""
        now_s = time.thread_time()
        self._call.add(now_s - self._counted_s)
        self._counted_s = now_s
        if self._call.used_s > self._limit_s:
            raise VideoError(
                f"{self._path}: needed an answer within {self._limit_s:g} s of processor time, "
                "took longer: convert the file with ffmpeg, or allow more in limits (call_s)"
            )
