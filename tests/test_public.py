"""What a user types is in `zoomgym` itself, and costs nothing before it is used."""

import subprocess
import sys

import pytest

import zoomgym


def test_every_public_name_is_there() -> None:
    for name in zoomgym.__all__:
        assert getattr(zoomgym, name) is not None
    assert zoomgym.run_episodes.__module__ == "zoomgym.rollout"
    with pytest.raises(AttributeError, match="module 'zoomgym' has no attribute 'run_episode'"):
        zoomgym.run_episode  # type: ignore[attr-defined]  # noqa: B018


def test_all_errors_are_public() -> None:
    from zoomgym import errors

    classes = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert classes <= {*zoomgym.__all__}


def test_what_is_used_later_is_imported_later() -> None:
    code = "import gymnasium, sys; before = {*sys.modules}; import zoomgym; "
    code += "print(*sorted({*sys.modules} - before))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "zoomgym.rules" in loaded
    later = ["zoomgym.records", "zoomgym.rollout", "zoomgym.envs.vector", "zoomgym.envs.discrete"]
    assert {*later, "argparse", "filelock", "tenacity"}.isdisjoint(loaded)
