"""Seconds and memory of phases, which may be nested."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, TypeVar

T = TypeVar("T")

OTHER = "other"
"""The time outside all phases."""


class Stopwatch:
    """Adds every second, and the peak memory of a GPU, to the innermost phase."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        """Seconds by phase, up to the last change or count."""
        self.cpu_seconds: defaultdict[str, float] = defaultdict(float)
        """Processor seconds of all threads: a busy machine hardly changes them."""
        self.peak_bytes: defaultdict[str, int] = defaultdict(int)
        """Peak memory of a GPU; empty without one."""
        self._phases = [OTHER]
        self._last_s, self._last_cpu_s = time.perf_counter(), time.process_time()
        self.clear()

    def clear(self) -> None:
        """Forgets what was counted."""
        self.count()
        self.seconds.clear()
        self.cpu_seconds.clear()
        self.peak_bytes.clear()

    def begin(self, phase: str) -> None:
        """Begins a phase inside the current one."""
        self.count()
        self._phases.append(phase)

    def end(self) -> None:
        """Ends the innermost phase."""
        self.count()
        self._phases.pop()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Adds what happens inside to a phase."""
        self.begin(name)
        try:
            yield
        finally:
            self.end()

    def timed(self, function: Callable[..., T], name: str) -> Callable[..., T]:
        """Returns a function whose time is added to a phase."""

        @wraps(function)
        def call(*args: Any, **given: Any) -> T:
            with self.phase(name):
                return function(*args, **given)

        return call

    def count(self) -> None:
        """Adds what has passed since the last change to the innermost phase."""
        phase = self._phases[-1]
        torch: Any = sys.modules.get("torch")  # who has not imported it uses no GPU
        if torch and torch.cuda.is_available():
            torch.cuda.synchronize()
            peak = torch.cuda.max_memory_allocated()
            self.peak_bytes[phase] = max(self.peak_bytes[phase], peak)
            torch.cuda.reset_peak_memory_stats()
        now_s, cpu_s = time.perf_counter(), time.process_time()
        self.seconds[phase] += now_s - self._last_s
        self.cpu_seconds[phase] += cpu_s - self._last_cpu_s
        self._last_s, self._last_cpu_s = now_s, cpu_s
