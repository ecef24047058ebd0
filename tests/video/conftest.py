"""One folder of awkward files for all tests and workers: each is written when it is asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from benchmarks.speed.decoding.awkward.kinds import INEXACT, KINDS
from zoomgym.video.file import FACTS
from zoomgym.video.pool import POOL
from zoomgym.video.store import STORE


@pytest.fixture(scope="session")
def clip(shared_folder: Path) -> Callable[[str], Path]:
    folder, locks = shared_folder / "clips", shared_folder / "locks"
    folder.mkdir(exist_ok=True)
    locks.mkdir(exist_ok=True)

    def get(name: str) -> Path:
        path = folder / name
        with FileLock(locks / name):
            if not path.exists():
                (KINDS | INEXACT)[name](path, get)
        return path

    return get


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> None:
    """Every test starts as a new process would."""
    FACTS.clear()
    STORE.clear()
    POOL.close_idle()
