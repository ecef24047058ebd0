"""One folder of awkward files for all tests here, each written when it is first asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.speed.decoding.awkward.kinds import INEXACT, KINDS
from zoomgym.video.file import FACTS
from zoomgym.video.pool import POOL
from zoomgym.video.store import STORE


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("clips")

    def get(name: str) -> Path:
        path = folder / name
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
