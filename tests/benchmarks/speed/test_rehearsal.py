"""The 7B is trained for a step without a GPU, and without weights: what it holds adds up."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.qwen import __main__ as qwen_speed
from benchmarks.speed.qwen.episodes import Course, Load
from benchmarks.speed.qwen.fake_device import NAME
from benchmarks.speed.qwen.rehearsal import Rehearsal, rehearse

BFLOAT16, FLOAT32 = 2, 4
LAYERS, WIDTH, INNER, VOCABULARY = 28, 3584, 18_944, 152_064
"""Sizes of the 7B's language model."""
NUM_ADAPTED = 161_480_704
"""Weights of adapters of rank 64, in all linear layers of the language model."""
NUM_WEIGHTS = 8_292_166_656


@pytest.mark.long
def test_the_command_rehearses_and_keeps_what_it_added_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["rehearse", "--quick", "--group", "2", "--tokens", "40", "--frame", "56x28"]
    assert qwen_speed.main([*command, "--out", str(tmp_path)]) == 0
    kept = json.loads((tmp_path / "qwen_rehearse.json").read_text())["tiny, 56x28"]
    assert list(kept["stages"]) == ["sft", "grpo"]
    assert kept["rehearsal"]["lora_rank"] == 64
    for row in kept["stages"].values():
        assert [one["pictures"] for one in row["passes"] if one["learns"]] == [4 + 2 * 2] * 2
    assert "adapters of rank 64, micro-batches of 1 (GB)" in capsys.readouterr().out


@pytest.fixture(scope="module")
def rehearsed() -> dict[str, Any]:
    """Steps of the 7B in which two rollouts share a prompt."""
    load = Load("7b", Course((448, 224)), group_size=2, num_tokens=256)
    return rehearse(Rehearsal(load, micro_batch=2))["stages"]


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_the_7b_learns_on_one_device_in_the_right_types(
    rehearsed: dict[str, Any], stage: str
) -> None:
    row = rehearsed[stage]
    num_copies = {"sft": 1, "grpo": 2}[stage]  # TRL keeps the adapters of the reference
    assert row["num_weights"] == NUM_WEIGHTS + num_copies * NUM_ADAPTED
    assert row["num_learned"] == NUM_ADAPTED
    assert row["without_gradient"] == row["of_another_type"] == []
    assert list(row["types_of_gradients"]) == ["torch.float32"]
    assert list(row["devices"]) == [NAME]
    num_adapters = 2 * 7 * LAYERS  # two in each linear layer
    assert row["types_of_gradients"] == {"torch.float32": num_adapters}
    assert row["types"]["torch.float32"] == num_copies * num_adapters
    assert row["gradients_bytes"] == NUM_ADAPTED * FLOAT32
    assert row["optimizer_bytes"] == 2 * NUM_ADAPTED * FLOAT32


@pytest.mark.slow
def test_the_7b_sees_the_frames_that_are_paid_for(rehearsed: dict[str, Any]) -> None:
    sft, grpo = ([one["pictures"] for one in rehearsed[stage]["passes"]] for stage in rehearsed)
    assert sft == [2 * (64 + 4 * 16)]  # one pass, of two episodes
    assert grpo == [64 + 2 * 4 * 16] * 2  # the reference, and one pass; overviews are shared


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_the_7b_holds_what_was_computed(rehearsed: dict[str, Any], stage: str) -> None:
    row = rehearsed[stage]
    num_tokens = row["passes"][-1]["tokens"]
    copies = {"sft": 0, "grpo": NUM_ADAPTED * FLOAT32}[stage]
    held = NUM_WEIGHTS * BFLOAT16 + 4 * NUM_ADAPTED * FLOAT32 + copies
    kept = num_tokens * LAYERS * WIDTH * BFLOAT16  # the input of every layer
    # what is said is scored: its logits in two types, and their gradients
    logits = 2 * 5 * 256 * VOCABULARY * 2 * (BFLOAT16 + FLOAT32)
    # the widest layer, recomputed: four results and four gradients, two more for adapters
    working = num_tokens * INNER * (8 * BFLOAT16 + 2 * FLOAT32)
    assert kept < row["passes"][-1]["kept_bytes"] < kept + logits
    assert held + kept < row["peak_bytes"] < held + kept + logits + working
