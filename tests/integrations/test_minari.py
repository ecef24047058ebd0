"""Episodes as datasets of the real Minari, and back."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("minari", reason="python -m tests.integrations minari")

import gymnasium as gym
import minari
import numpy as np

from zoomgym import RecordError, ZoomEnv
from zoomgym.integrations.minari import create_dataset, record_of
from zoomgym.records import Record, env_to_watch
from zoomgym.rollout import to_record, watch_again

pytestmark = [
    pytest.mark.long,
    # Minari warns about an author, or an environment, that a dataset does not name.
    pytest.mark.filterwarnings("ignore:.*(is set to None|env_spec is None):UserWarning"),
]
ROOT = Path(__file__).parents[2]
NAME = "zoomgym/flash/scripted-v0"
ARGUMENTS = {
    "tasks": "synthetic:flash",
    "source": "scene",
    "num_overview": 4,
    "frame_size": (8, 8),
    "max_pixels": 28 * 28,
}
REPLIES = [
    ['{"segment": [4, 6], "fps": 2}', "no \0 call \ud800", '{"answer": "B"}'],
    ['{"crop": [0.1, 0.1, 0.5, 0.5], "at": 3}', '{"answer": "A"}'],
    ["Hm."] * 5,
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def played(**arguments: Any) -> tuple[list[Record], list[list[dict[str, Any]]]]:
    """Returns the records of scripted episodes, and all that was observed in each."""
    env = ZoomEnv(**{**ARGUMENTS, "tools": ("zoom", "crop"), **arguments})
    records, seen = [], []
    for seed, replies in enumerate(REPLIES):
        seen.append([env.reset(seed=seed)[0]])
        seen[-1] += [env.step(reply)[0] for reply in replies]
        records.append(to_record(env, agent_name="scripted", seed=seed, agent_s=0.0))
    return records, seen


@pytest.mark.parametrize("data_format", ["hdf5", "arrow", "parquet"])
def test_a_dataset_holds_what_was_observed_but_for_the_pictures(data_format: str) -> None:
    records, seen = played()
    create_dataset(NAME, records, data_format=data_format)
    dataset = minari.load_dataset(NAME)
    assert (dataset.total_episodes, dataset.total_steps) == (3, 10)
    for episode, observed in zip(dataset, seen, strict=True):
        assert episode.observations.keys() == observed[0].keys() - {"overview", "clip"}
        for name, values in episode.observations.items():
            for value, one in zip(values, observed, strict=True):
                np.testing.assert_array_equal(value, one[name], name)


def test_a_dataset_holds_the_replies_and_the_reward_of_the_last_step() -> None:
    records, _ = played()
    first, second, third = create_dataset(NAME, records)
    assert first.actions == [REPLIES[0][0], "no \ufffd call ?", REPLIES[0][2]]
    assert second.actions == REPLIES[1]
    for episode, record in zip((first, second, third), records, strict=True):
        assert episode.rewards.tolist() == [0.0] * (len(record.turns) - 1) + [record.reward]
        assert episode.terminations.tolist() == [False] * (len(record.turns) - 1) + [True]
        assert not episode.truncations.any()


def test_an_episode_gives_its_record_and_so_its_frames() -> None:
    records, _ = played()
    dataset = create_dataset(NAME, records)
    assert [record_of(episode) for episode in dataset] == records
    record = record_of(dataset[0])
    observation = watch_again(env_to_watch(record), record, num_turns=1)
    assert [clip.images.shape for clip in observation.clips] == [(4, 28, 28, 3)]


def test_the_environment_of_a_dataset_can_be_made_again() -> None:
    dataset = create_dataset(NAME, played()[0])
    env = dataset.recover_environment()
    record = record_of(dataset[1])
    observation, _ = env.reset(seed=record.seed, options={"task_id": record.task.id})
    np.testing.assert_array_equal(
        observation["overview_t"], dataset[1].observations["overview_t"][0]
    )
    [metadata] = dataset.storage.get_episode_metadata([1])
    assert (metadata["seed"], metadata["options"]) == (1, {"task_id": record.task.id})


def test_no_code_that_a_record_names_gets_into_a_dataset() -> None:
    records, _ = played(overview="tests.envs.test_pickers:any_times", num_overview=3)
    assert create_dataset(NAME, records).env_spec is None


def test_records_by_different_rules_or_none_are_refused() -> None:
    with pytest.raises(RecordError, match="needs records by the same rules, got 2 kinds"):
        create_dataset(NAME, [*played()[0], *played(max_turns=5, num_overview=2)[0]])
    with pytest.raises(RecordError, match="got 0 kinds in 0 records"):
        create_dataset(NAME, [])


def test_steps_take_kilobytes(folder: Path) -> None:
    create_dataset(NAME, played(num_overview=64)[0], data_format="arrow")
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    assert sum(sizes) < 10 * 20_000


def test_the_discrete_environment_is_recorded_by_minari_itself() -> None:
    env = minari.DataCollector(
        gym.make("ZoomEnvDiscrete-v0", tasks="synthetic:flash", source="scene")
    )
    env.reset(seed=0)
    while True:
        action = env.action_space.sample()
        if any(env.step(action)[2:4]):
            break
    [episode] = env.create_dataset("zoomgym/discrete-v0")
    assert len(episode.actions) == len(episode.rewards)


def test_the_example_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "examples.integrations.minari"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "19 steps take 0.2 MB" in ran.stdout
    assert "showed [(2, 256, 256, 3)]" in ran.stdout
