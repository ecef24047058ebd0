"""The recipes of docs/training.md and the example run as they are written, at a small size."""

import json
import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest

from examples import train_tiny_qwen as example

DOCS = Path(__file__).parents[4] / "docs" / "training.md"
MODULE = re.compile(r"(?:agents|benchmarks)\.\w+(?:\.\w+)*")
SMALLER = {
    "agents.qwen.model.tiny": ["--size", "tiny"],
    "agents.qwen.demonstrations": ["--num", "7"],
    "agents.qwen.training.sft": ["--num-epochs", "1", "--micro-batch", "2", "--batch-size", "4"],
    "agents.qwen.training.grpo": [
        *("--steps", "1", "--group-size", "2", "--tasks-per-generation", "2"),
        *("--tasks-per-update", "2", "--micro-batch", "2", "--max-tokens", "8"),
        *("--save-steps", "1"),
    ],
    "benchmarks.speed.qwen": ["--size", "tiny", "--frame", "28x28", "--group", "2"],
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing.*:FutureWarning"),
]


def commands(heading: str) -> list[list[str]]:
    """Returns the commands in the block of docs/training.md that follows a heading."""
    after = DOCS.read_text(encoding="utf-8").split(heading, 1)[1]
    block = re.search(r"(?:^    .*\n)+", after, re.MULTILINE)
    assert block is not None
    return [shlex.split(line) for line in block[0].replace("\\\n", " ").splitlines() if line]


def run(command: list[str]) -> None:
    """Runs a command in this process, smaller."""
    start = next(i for i, word in enumerate(command) if MODULE.fullmatch(word))
    name = command[start]
    is_package = DOCS.parents[1].joinpath(*name.split(".")).is_dir()
    module = import_module(f"{name}.__main__" if is_package else name)
    assert module.main([*command[start + 1 :], *SMALLER[name]]) in (0, None)


def test_the_recipe_for_one_gpu_runs_at_a_small_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = commands("**From nothing, on one GPU.**")
    assert len(recipe) == 7
    for command in recipe:
        run(command)
    assert len(list(Path("runs/medium/grpo/episodes").iterdir())) == 1
    settings = json.loads(Path("runs/medium/grpo/settings.json").read_text())
    assert settings["env"]["max_pixels"] == 784


def test_the_measurement_of_the_7b_runs_at_a_small_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in commands("**What a step of the 7B takes.**"):
        run([*command, "--out", str(tmp_path)])
    step = json.loads((tmp_path / "qwen_step.json").read_text())
    assert list(step) == ["tiny, 28x28"]


def test_the_example_runs_whole_and_goes_on(tmp_path: Path) -> None:
    short = {"num-short": 40, "num-exemplars": 20, "num-tries": 6, "short-epochs": 1}
    short |= {"sft-epochs": 1, "reflection-epochs": 1, "grpo-steps": 2, "num-tests": 5}
    argv = ["--out", str(tmp_path), "--seeds", "0", "1"]
    argv += [word for name, value in short.items() for word in (f"--{name}", str(value))]
    assert example.main(argv) == 0
    results = json.loads((tmp_path / example.RESULTS).read_text())
    assert list(results["seeds"]) == ["0", "1"]
    assert list(results["all"]["sampled"]) == list(example.STAGES)
    weights = (tmp_path / "seed0" / "grpo" / "model.safetensors").read_bytes()
    assert example.main(argv) == 0
    assert (tmp_path / "seed0" / "grpo" / "model.safetensors").read_bytes() == weights
    again = json.loads((tmp_path / example.RESULTS).read_text())
    assert again["all"] == results["all"]
