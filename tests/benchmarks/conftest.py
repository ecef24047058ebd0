"""Plays runs without processes; Qwen's benchmark is tested where the extra `qwen` is installed."""

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

import pytest

from benchmarks.evaluation import runner
from benchmarks.evaluation.runner import Environments, Job, Outcome, play_one

if not all(find_spec(package) for package in ("torch", "transformers", "trl")):
    collect_ignore = ["test_qwen_speed.py", "test_stopwatch.py"]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plays in this process, which is quicker, and knows what a test has changed."""

    def play_here(jobs: Sequence[Job], num_workers: int) -> Iterator[Outcome]:
        environments = Environments()
        return (play_one(job, {}, environments) for job in jobs)

    monkeypatch.setattr(runner, "_in_processes", play_here)
