"""PyTorch's threads wait asleep, and are as many as settings say."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from agents.sb3.__main__ import main
from agents.threads import use_threads

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("package", ["agents.sb3", "agents.qwen"])
@pytest.mark.parametrize(("chosen", "used"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_how_threads_wait_is_set_before_pytorch_is_imported(
    package: str, chosen: str | None, used: str
) -> None:
    variables = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    variables |= {"OMP_WAIT_POLICY": chosen} if chosen else {}
    code = (
        f"import os, sys, {package}; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, cwd=ROOT, env=variables,
    )  # fmt: skip
    assert run.stdout == f"{used} False\n"


def test_the_number_of_threads_is_the_settings_and_0_leaves_it() -> None:
    use_threads(3)
    use_threads(0)
    assert torch.get_num_threads() == 3
    with pytest.raises(ValueError, match="num_threads needs 0 or more, got -1"):
        use_threads(-1)


def test_ppo_trains_and_plays_on_one_thread_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)  # three would wait for each other on a busy machine, for minutes
    asked: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    few = ["--env", "num_overview=2", "max_turns=2", "--total-timesteps", "4", "--n-steps", "4"]
    small = ["--num-envs", "1", "--eval-episodes", "1", "--batch-size", "4", "--n-epochs", "1"]
    out = tmp_path / "run"
    assert main(["train", "--out", str(out), *few, *small]) == 0
    assert asked == [1]
    [log] = out.glob("log/*/progress.csv")
    [row] = csv.DictReader(log.read_text().splitlines())
    assert row["time/num_threads"] == "1"
    assert main(["evaluate", str(out), "--episodes", "1"]) == 0
    assert asked == [1, 1]
    assert main(["train", "--out", str(tmp_path / "3"), *few, *small, "--num-threads", "3"]) == 0
    assert asked == [1, 1, 3]
