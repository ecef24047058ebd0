"""Examples that draw: they write the picture that they say they write."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from agents.registry import make_agent
from zoomgym import ZoomEnv
from zoomgym.records import write_records
from zoomgym.rollout import run_episodes

ROOT = Path(__file__).parents[1]


def run(*words: str) -> str:
    """Runs an example and returns what it prints."""
    command = [sys.executable, "-W", "error", "-m", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.long
def test_an_episode_played_by_hand_is_drawn(tmp_path: Path) -> None:
    path = tmp_path / "episode.png"
    printed = run("examples.draw_an_episode", str(path))
    with Image.open(path) as picture:
        assert printed == f"{path}: {picture.width} x {picture.height}\n"


@pytest.mark.long
def test_an_episode_of_a_records_file_is_drawn(tmp_path: Path) -> None:
    env = ZoomEnv("synthetic:flash", split="test", source="scene", max_pixels=28 * 28)
    task_id = env.tasks[0].id
    records = run_episodes(
        env, make_agent("oracle"), agent_name="oracle", task_ids=[task_id], seed=0
    )
    write_records(tmp_path / "records.jsonl", records)
    path = tmp_path / "episode.png"
    printed = run("examples.draw_a_record", str(tmp_path / "records.jsonl"), str(path))
    assert printed == f"oracle, {task_id} -> {path}\n"
    assert path.stat().st_size > 10_000  # overview and clip: an empty picture takes 2,000
