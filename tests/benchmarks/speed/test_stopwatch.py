"""Phases inside phases: every second counts once."""

from itertools import count

import pytest

from benchmarks.speed import stopwatch as module
from benchmarks.speed.stopwatch import Stopwatch


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """One at which each look at the clock takes a second."""
    clock, cpu_clock = count(), count(step=2)
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(clock)))
    monkeypatch.setattr(module.time, "process_time", lambda: float(next(cpu_clock)))
    return Stopwatch()


def test_a_second_counts_to_the_innermost_phase_alone(stopwatch: Stopwatch) -> None:
    with stopwatch.phase("outer"):
        with stopwatch.phase("inner"):
            pass
        stopwatch.begin("inner")
        stopwatch.end()
    stopwatch.count()
    assert stopwatch.seconds == {"other": 2.0, "outer": 3.0, "inner": 2.0}
    assert stopwatch.cpu_seconds == {"other": 4.0, "outer": 6.0, "inner": 4.0}


def test_what_was_before_is_forgotten(stopwatch: Stopwatch) -> None:
    with stopwatch.phase("outer"):
        stopwatch.clear()
        assert not stopwatch.seconds
    assert stopwatch.seconds == {"outer": 1.0}
