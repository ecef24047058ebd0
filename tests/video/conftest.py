"""One folder of awkward files for all tests here, each written when it is first asked for."""

from collections.abc import Callable
from pathlib import Path

import pytest
from kinds import INEXACT, KINDS


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("clips")

    def get(name: str) -> Path:
        path = folder / name
        if not path.exists():
            (KINDS | INEXACT)[name](path, get)
        return path

    return get
