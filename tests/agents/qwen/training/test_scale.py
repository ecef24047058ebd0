"""Many processes learn what one process learns."""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate.commands.config.config_args import ClusterConfig, load_config_from_file
from accelerate.commands.launch import launch_command_parser
from torch import Tensor

from agents.qwen.model.loading import load_model
from agents.qwen.training.settings import GRPOSettings, SFTSettings, read_settings
from tests.agents.qwen.small import ROUNDING
from tests.agents.qwen.training import launched
from tests.agents.qwen.training.test_sft import ROUNDED, demonstration
from zoomgym.records import Record, append_line, read_records

LAUNCH = (sys.executable, "-m", "accelerate.commands.launch")
"""`accelerate launch`, also where the environment is not activated."""
CONFIGS = Path(launched.__file__).parents[4] / "agents/qwen/training/accelerate"
SIZES = {"1-gpu": 1, "8-gpus": 8, "8-gpus-zero2": 8, "16-gpus-zero3": 16}

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing.*:FutureWarning"  # TRL asks, and turns it off, by the old name
)


CPUS = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
DEEPSPEED_CPUS = {"DS_ACCELERATOR": "cpu", "ACCELERATE_TORCH_DEVICE": "cpu"}


def launch(kind: str, config: str = "8-gpus", **given: Any) -> None:
    """Runs a training on two processes of this machine, as the file for many GPUs has it."""
    options = ["--num_processes=2", "--num_machines=1"]
    options += ["--mixed_precision=no", "--main_process_port=0"]
    script = ["-m", launched.__name__, kind, json.dumps(given)]
    done = subprocess.run(
        [*LAUNCH, f"--config_file={CONFIGS / config}.yaml", *options, *script],
        env={**os.environ, **CPUS, **(DEEPSPEED_CPUS if "zero" in config else {})},
        cwd=CONFIGS.parents[3],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-20_000:]  # both processes' words, and the launcher's


SAME_WAY = 1e-3
"""What is left of the way that weights went together when they went the same way.

Adam divides a gradient by its size, and so makes whole steps of rounding where there is little
else: up to 2e-5 of the way was seen. Where one token more counts, hundredths of it differ.
"""


def weights(folder: Path) -> Tensor:
    """Returns all weights, or adapters, in a folder as one vector."""
    named = load_model(str(folder), dtype=torch.float64).state_dict()
    return torch.cat([named[name].flatten() for name in sorted(named)])


def share_apart(start: Path, one: Path, other: Path) -> float:
    """Returns how far apart two trainings ended, as a share of the way from where both began."""
    first, second = weights(one), weights(other)
    return float((first - second).norm() / (first - weights(start)).norm())


def read_untimed(path: Path) -> list[Record]:
    """Returns records without what the clock says."""
    return [replace(record, decode_s=0.0) for record in read_records(path)]


def history(out: Path) -> list[dict[str, float]]:
    """Returns the logs of updates."""
    lines = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    return [line for line in lines if "loss" in line]


NEEDS_DEEPSPEED = [
    pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is not installed")
]
SAVING = {"lora_rank": 4, "gradient_checkpointing": True}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "given"),
    [
        ("8-gpus", {}),
        ("8-gpus", SAVING),
        pytest.param("8-gpus-zero2", {}, marks=NEEDS_DEEPSPEED),
        pytest.param("16-gpus-zero3", {}, marks=NEEDS_DEEPSPEED),
        pytest.param("16-gpus-zero3", SAVING, marks=NEEDS_DEEPSPEED),
    ],
)
def test_grpo_on_two_processes_is_grpo_on_one(
    folder: Path, tmp_path: Path, config: str, given: dict[str, Any]
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    launched.grpo(str(folder), str(one), **given)
    launch("grpo", config, model=str(folder), out=str(two), **given)
    parts = [json.loads((two / f"played{rank}.json").read_text()) for rank in (0, 1)]
    assert [len(part) for part in parts] == [2, 2]
    assert parts[0] + parts[1] == json.loads((one / "played0.json").read_text())
    names = [path.name for path in sorted((one / "episodes").iterdir())]
    assert names == [path.name for path in sorted((two / "episodes").iterdir())]
    for name in names:
        first, second = (read_untimed(out / "episodes" / name) for out in (one, two))
        assert len(first) == 16
        assert first == second
    assert len(history(one)) == len(history(two)) == 2
    for first, second in zip(history(one), history(two), strict=True):
        for name in ("loss", "grad_norm", "reward", "zoom/zooms"):
            # TRL keeps these, which are up to about 1, in float32
            assert first[name] == pytest.approx(second[name], abs=ROUNDING), name
    assert share_apart(one / "checkpoint-1", one, two) < SAME_WAY


@pytest.mark.slow
def test_several_processes_refuse_episodes_without_a_picture(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="2 processes need a picture in every episode"):
        launch("grpo", model=str(folder), out=str(tmp_path / "run"), num_overview=0)


@pytest.mark.slow
def test_processes_ask_a_server_together_though_they_play_apart(
    folder: Path, tmp_path: Path
) -> None:
    launch("grpo", model=str(folder), out=str(tmp_path), vllm="server", rows=4, max_redraws=2)
    calls = [json.loads((tmp_path / f"calls{rank}.json").read_text()) for rank in (0, 1)]
    asked, in_vain = ([one[name] for one in calls] for name in ("calls", "blank"))
    assert asked[0] == asked[1] > 0
    assert max(in_vain) > 0
    assert len(history(tmp_path)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "config",
    [
        "8-gpus",
        pytest.param("8-gpus-zero2", marks=NEEDS_DEEPSPEED),
        pytest.param("16-gpus-zero3", marks=NEEDS_DEEPSPEED),
    ],
)
def test_sft_on_two_processes_is_sft_on_one(folder: Path, tmp_path: Path, config: str) -> None:
    files = [tmp_path / "first.jsonl", tmp_path / "second.jsonl"]
    for index in range(8):
        append_line(files[index // 4], demonstration(index, 784 * (1 + 3 * (index % 2))).to_json())
    given: dict[str, Any] = {
        "model": str(folder),
        "demonstrations": [str(file) for file in files],
        "num_epochs": 2,
        "batch_size": 4,
        "learning_rate": 1e-3,
    }
    one, two = tmp_path / "one", tmp_path / "two"
    launched.sft(**given, out=str(one))
    launch("sft", config, **given, out=str(two))
    losses = [
        json.loads((out / stage / "trainer_state.json").read_text())["log_history"][-1][
            "train_loss"
        ]
        for out in (one, two)
        for stage in ("stage1", ".")
    ]
    assert losses[:2] == pytest.approx(losses[2:], rel=ROUNDED)
    assert share_apart(folder, one, two) < SAME_WAY


@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_accelerate_reads_the_files_that_are_shipped(name: str) -> None:
    path = str(CONFIGS / f"{name}.yaml")
    config = load_config_from_file(path)
    assert isinstance(config, ClusterConfig)
    assert config.num_processes == SIZES[name]
    options = launch_command_parser().parse_args([f"--config_file={path}", "script"])
    assert set(config.deepspeed_config) <= set(vars(options))  # it takes any, and says nothing
    assert bool(config.deepspeed_config) == ("zero" in name)


def commands() -> list[list[str]]:
    """Returns the words of every `accelerate launch` that the documentation shows."""
    page = (CONFIGS.parents[3] / "docs/training.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    (accelerate launch (?:.*\\\n)*.*)", page, re.MULTILINE)
    return [shlex.split(command.replace("\\\n", "")) for command in shown]


@pytest.mark.parametrize("words", commands(), ids=lambda words: words[3].split("/")[-1])
def test_commands_that_are_documented_share_their_work_evenly(words: list[str]) -> None:
    at = words.index("-m")
    launched_by = launch_command_parser().parse_args([*words[2:at], "script"])
    num_processes = load_config_from_file(launched_by.config_file).num_processes
    parser = argparse.ArgumentParser()
    if words[at + 1] == "agents.qwen.training.grpo":
        grpo, _ = read_settings(parser, GRPOSettings, words[at + 2 :])
        assert grpo.batches(num_processes)[0] * num_processes * grpo.micro_batch == 512
    else:
        sft, _ = read_settings(parser, SFTSettings, words[at + 2 :])
        assert sft.num_accumulated(num_processes) * num_processes * sft.micro_batch == 64


def test_a_file_is_shipped_for_every_size() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(SIZES)
