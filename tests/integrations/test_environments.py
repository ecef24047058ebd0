"""Every integration has an environment of its own, in which its tests pass."""

from pathlib import Path

import pytest

from tests.integrations.__main__ import main
from tests.integrations.environments import ENVIRONMENTS

HERE = Path(__file__).parent


def test_every_integration_has_an_environment_and_tests() -> None:
    tested = {path.stem.removeprefix("test_") for path in HERE.glob("test_*.py")}
    assert tested - {"environments", "same_rewards", "session", "vagen"} == set(ENVIRONMENTS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_an_integration_passes_its_tests_with_the_real_package(name: str) -> None:
    assert main([name]) == 0
