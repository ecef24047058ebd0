"""PPO on the discrete environment: it learns, stops, goes on, and plays wherever an agent does."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from agents.registry import make_agent
from agents.sb3.__main__ import main
from agents.sb3.network import NUM_MARKS, CellExtractor, MenuHead
from agents.sb3.policy import PpoAgent, evaluate, history
from agents.sb3.settings import (
    ALGORITHMS,
    MODEL,
    PPOSettings,
    load_form,
    load_settings,
    save_settings,
)
from agents.sb3.training import Progress, latest_model, make_envs, make_model, resume, train
from benchmarks.evaluation.statistics import wilson
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.envs.form import Form
from zoomgym.records import read_records
from zoomgym.rollout import run_episodes
from zoomgym.rules.episode import Rules
from zoomgym.tasks.synthetic import SYMBOLS
from zoomgym.testing import check_agent

ENV: dict[str, Any] = {"tasks": "synthetic:flash", "source": "scene", "cell_px": 6}
TINY = PPOSettings(
    env=ENV,
    num_envs=2,
    total_timesteps=64,
    n_steps=16,
    batch_size=16,
    n_epochs=2,
    eval_every=32,
    eval_episodes=2,
    checkpoint_every=32,
    hidden=16,
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder with a policy that was trained for a moment, for each algorithm."""
    folders = {}
    for algorithm in ALGORITHMS:
        folders[algorithm] = tmp_path_factory.mktemp(algorithm) / "run"
        train(replace(TINY, algorithm=algorithm), folders[algorithm])
    return folders


def weights(path: Path) -> dict[str, torch.Tensor]:
    """Returns the weights of a saved policy."""
    return MaskablePPO.load(path, device="cpu").policy.state_dict()


def are_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# The environment in SB3's hands -------------------------------------------------------------------


def test_the_environment_passes_the_checker_of_sb3_without_a_warning() -> None:
    check_env(gym.make("zoomgym:ZoomEnvDiscrete-v0", source="scene"), warn=True)


def test_environments_in_processes_give_what_those_in_this_one_give() -> None:
    outcomes = []
    for kind in (DummyVecEnv, SubprocVecEnv):
        settings = replace(TINY, in_processes=kind is SubprocVecEnv)
        envs = make_envs(settings, 2, seed=5)
        assert isinstance(envs.unwrapped, kind)
        outcomes.append([*played(envs, [3, 100]), *played(envs, [110, 40])])
        envs.close()
    for one, other in zip(*outcomes, strict=True):
        assert np.array_equal(one, other)


def played(envs: VecEnv, actions: Sequence[int]) -> list[Any]:
    seen = envs.reset()
    after, rewards, dones, _ = envs.step(np.array(actions))
    return [*seen.values(), *after.values(), rewards.astype(np.float32), dones]  # type: ignore[union-attr]


# What a policy sees -------------------------------------------------------------------------------


def extractor(num_bins: int = 4) -> CellExtractor:
    form = Form(Rules(num_overview=8, frame_budget=16), ("A", "B"), num_bins, (4,), 2)
    space = form.space
    height, width, _ = space["image"].shape  # type: ignore[misc]
    space["image"] = gym.spaces.Box(0, 255, (3, height, width), np.uint8)
    return CellExtractor(space, form.num_rows[0], num_bins, num_channels=1)


def test_a_bin_holds_the_most_of_each_mark_within_it() -> None:
    marks = torch.tensor([[[1.0, 3.0, 2.0, 5.0, 9.0]]])
    times = torch.tensor([[0.0, 0.2, 0.5, 1.0, -1.0]])
    marks = marks * (times >= 0).unsqueeze(1)
    assert extractor()._by_bin(marks, times).tolist() == [[[3.0, 0.0, 2.0, 5.0]]]


def test_clips_are_pooled_by_what_was_shown_what_first_how_much_and_what_followed_what() -> None:
    net = extractor()
    pair = net.pair[0]
    with torch.no_grad():
        pair.weight[:] = torch.tensor([[[1.0, 0.0]]])  # type: ignore[operator, index]
        pair.bias[:] = 0  # type: ignore[operator, index]
    clips = torch.tensor([[[2.0, 4.0, 8.0, 7.0]], [[1.0, 1.0, 1.0, 1.0]]])
    times = torch.tensor([[0.2, 0.3, 0.6, -1.0], [-1.0] * 4])
    seen, nothing = net._pool(clips, times).tolist()
    assert seen == [8, max(2 * 1, 4 * 0.75, 0), (2 + 4 + 8) / 8, (2 + 4) / 8]  # float32 has them
    assert nothing == [0, 0, 0, 0]


def test_features_are_bins_and_then_the_context() -> None:
    net = extractor()
    height, width = net._observation_space["image"].shape[1:]  # type: ignore[index, union-attr]
    times = torch.full((1, 16), -1.0)
    times[0, 8:10] = torch.tensor([0.5, 0.8])
    observations = {
        "image": torch.zeros(1, 3, height, width),
        "times": times,
        "offered": torch.tensor([[0.0, 1.0]]),
        "asked": torch.tensor([[1.0, 0.0]]),
        "left": torch.tensor([[0.25, 0.5]]),
    }
    features = net(observations)
    assert features.shape == (1, net.features_dim) == (1, 4 * (2 * NUM_MARKS + 1) + 4 + 6)
    bins = features[:, :-10].reshape(2 * NUM_MARKS + 1, 4)
    assert bins[-1].tolist() == [0, 0, 1, 1]
    assert features[0, -6:].tolist() == [0, 1, 1, 0, 0.25, 0.5]


def test_rules_without_room_for_a_zoom_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs rules with room for a zoom: raise max_turns"):
        train(replace(TINY, env={**ENV, "max_turns": 1}), tmp_path / "run")


# What it chooses from -----------------------------------------------------------------------------


def head_of(form: Form) -> MenuHead:
    lengths = [length for _, length in form.kinds]
    return MenuHead(form.num_bins, 3, 5, lengths, len(form.answers))


def test_logits_stand_in_the_order_of_the_menu() -> None:
    form = Form(Rules(), ("A", "B"))
    head = head_of(form)
    with torch.no_grad():
        for parameter in head.parameters():
            parameter.zero_()
        head.zoom.bias += torch.arange(len(form.kinds))
        head.say.bias += torch.tensor([-1.0, -2.0, 100.0])
    [logits] = head(torch.zeros(1, 3 * 16 + 5)).tolist()
    kinds = [form.kinds.index((zoom.frames_per_bin, zoom.num_bins)) for zoom in form.zooms]
    assert logits == [*(100.0 + kind for kind in kinds), -1.0, -2.0]


def test_what_is_learned_in_one_bin_holds_in_every_other() -> None:
    form = Form(Rules(), ("A", "B"))
    head = head_of(form).double()
    bins = torch.zeros(2, 3, 16)
    bins[0, 1, 5] = bins[1, 1, 7] = 1.0
    near, far = head(torch.cat([bins.flatten(1), torch.zeros(2, 5)], dim=1).double())
    starts = {
        (zoom.first_bin, zoom.num_bins, zoom.frames_per_bin): i for i, zoom in enumerate(form.zooms)
    }
    moved = [
        (index, starts[first + 2, length, rate])
        for (first, length, rate), index in starts.items()
        if 4 <= first <= 8
    ]
    assert len(moved) == 5 * len(form.kinds)
    for index, later in moved:
        # sums in another order lose a few of 53 bits; the logits moved by 7e-6 or more
        assert near[index].item() == pytest.approx(far[later].item(), abs=1e-12)
    assert near.std() > 0


# Training -----------------------------------------------------------------------------------------


def test_training_changes_every_weight(runs: dict[str, Path]) -> None:
    form = load_form(runs["maskable"])
    envs = make_envs(TINY, 2, TINY.seed)
    before = make_model(TINY, envs, form).policy.state_dict()
    envs.close()
    after = weights(runs["maskable"] / MODEL)
    assert before.keys() == after.keys()
    unchanged = {name for name in before if torch.equal(before[name], after[name])}
    assert unchanged <= {"features_extractor.token.0.bias"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_leaves_settings_logs_and_checkpoints(runs: dict[str, Path], algorithm: str) -> None:
    folder = runs[algorithm]
    assert load_settings(folder) == replace(TINY, algorithm=algorithm)
    assert load_form(folder) == ZoomEnvDiscrete(**ENV).form
    steps = sorted(path.name for path in folder.glob("checkpoints/*.zip"))
    assert steps == ["model_32_steps.zip", "model_64_steps.zip"]
    [log] = folder.glob("log/*")
    assert any(path.name.startswith("events.out.tfevents") for path in log.iterdir())
    assert "eval/success_rate" in (log / "progress.csv").read_text().splitlines()[0]


def test_the_same_seed_gives_the_same_policy(runs: dict[str, Path], tmp_path: Path) -> None:
    again = train(TINY, tmp_path / "again")
    assert are_equal(weights(again), weights(runs["maskable"] / MODEL))
    other = train(replace(TINY, seed=1), tmp_path / "other")
    assert not are_equal(weights(other), weights(again))


def test_a_finished_run_is_not_changed_by_resuming_it(tmp_path: Path) -> None:
    path = train(TINY, tmp_path / "run")
    before = weights(path)
    assert are_equal(weights(resume(tmp_path / "run")), before)


def test_a_run_goes_on_from_its_last_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(TINY, folder)
    (folder / MODEL).unlink()
    assert latest_model(folder).name == "model_64_steps.zip"
    before = weights(latest_model(folder))
    path = resume(folder, total_timesteps=128)
    assert MaskablePPO.load(path, device="cpu").num_timesteps == 128
    assert load_settings(folder).total_timesteps == 128
    assert not are_equal(weights(path), before)
    assert sorted(log.name for log in folder.glob("log/*")) == ["from_0", "from_64"]


def test_an_interrupt_leaves_a_model_to_go_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(progress: Progress) -> bool:
        if progress.num_timesteps > 40:
            raise KeyboardInterrupt
        return True

    monkeypatch.setattr(Progress, "_on_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(TINY, tmp_path / "run")
    monkeypatch.undo()
    assert MaskablePPO.load(tmp_path / "run" / MODEL, device="cpu").num_timesteps == 42
    assert latest_model(tmp_path / "run").name == "model_42_steps.zip"
    path = resume(tmp_path / "run")
    assert MaskablePPO.load(path, device="cpu").num_timesteps >= 64


def test_a_resumed_run_that_is_killed_goes_on_from_what_it_had_reached(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(TINY, folder)
    earlier = (folder / MODEL).read_bytes()
    resume(folder, total_timesteps=128)
    (folder / MODEL).write_bytes(earlier)  # as if killed before the end, after a checkpoint
    (folder / "checkpoints" / "part.zip").write_bytes(b"half")
    assert latest_model(folder).name == "model_128_steps.zip"
    assert MaskablePPO.load(resume(folder), device="cpu").num_timesteps == 128


def test_a_folder_without_a_model_cannot_be_resumed(tmp_path: Path) -> None:
    save_settings(tmp_path, TINY, Form(Rules(), ("A",)))
    with pytest.raises(FileNotFoundError, match=r"needs checkpoints, found none"):
        resume(tmp_path)


# The agent ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_policy_keeps_the_contract_of_agents(runs: dict[str, Path], algorithm: str) -> None:
    records = check_agent(lambda: make_agent(f"ppo:{runs[algorithm]}"))
    if algorithm == "maskable":
        assert [record.end_reason for record in records] == ["answered"] * 6
        assert all(record.reward_parts.format == 1 for record in records)


@pytest.mark.parametrize("algorithm", ["maskable", "ppo"])
def test_the_agent_plays_what_the_policy_chooses(runs: dict[str, Path], algorithm: str) -> None:
    agent = make_agent(f"ppo:{runs[algorithm]}")
    agent.reset(0)
    assert isinstance(agent, PpoAgent)
    env = ZoomEnvDiscrete(**ENV)
    seen, _ = env.reset(seed=4)
    over = False
    while not over:
        masks = {"action_masks": env.action_masks()} if algorithm == "maskable" else {}
        action, _ = agent._model.predict(seen, deterministic=True, **masks)
        reply = agent.act(env.zoom_env.observation)
        assert reply == env.form.reply(int(action), env.zoom_env.observation)
        seen, _, over, _, _ = env.step(int(action))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_batch_is_answered_as_each_episode_alone(runs: dict[str, Path], algorithm: str) -> None:
    agent = make_agent(f"ppo:{runs[algorithm]}")
    envs = [ZoomEnv("synthetic:flash", source="scene", max_pixels=36) for _ in range(3)]
    task_ids = [envs[0].tasks[index].id for index in range(5)]
    together, alone = (
        {
            r.task.id: r.turns
            for r in run_episodes(some, agent, agent_name="x", task_ids=task_ids, seed=0)
        }
        for some in (envs, envs[0])
    )
    assert together == alone
    assert len(alone) == 5


def test_history_is_what_was_seen_before_each_earlier_reply() -> None:
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=36)
    env.reset(seed=0)
    seen = []
    for reply in ('{"segment": [4, 6], "fps": 8}', "nothing", '{"segment": [9, 12], "fps": 1}'):
        seen.append(env.observation)
        env.step(reply)
    form = Form(Rules(), tuple(SYMBOLS))
    past = history(env.observation)
    assert len(past) == 3
    for one, other in zip(past, seen, strict=True):
        assert (one.turns, one.feedback) == (other.turns, other.feedback)
        assert (one.frames_left, one.turns_left) == (other.frames_left, other.turns_left)
        ours, theirs = form.see(one), form.see(other)
        assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_a_policy_is_not_played_by_other_rules(runs: dict[str, Path]) -> None:
    agent = make_agent(f"ppo:{runs['maskable']}")
    agent.reset(0)
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=36, frames_per_zoom=8)
    with pytest.raises(
        ValueError, match=r"needs the rules it was trained by, .* frames_per_zoom=16"
    ):
        play_episode(env, agent, agent_name="ppo", seed=0)


def test_a_path_without_a_model_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"ppo needs a folder with model.zip, got '.*'"):
        make_agent(f"ppo:{tmp_path}")


# The commands -------------------------------------------------------------------------------------


def test_the_commands_train_resume_and_evaluate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    numbers = "--total-timesteps 32 --num-envs 2 --n-steps 16 --batch-size 16 --hidden 8"
    arguments = ["train", "--out", out, *numbers.split(), "--weights", "grounding=0.5"]
    assert main([*arguments, "--env", "cell_px=6", "rates=[8, 16]", "difficulty=hard"]) == 0
    env = load_settings(tmp_path / "run").env
    assert (env["rates"], env["difficulty"], env["cell_px"]) == ([8, 16], "hard", 6)
    assert env["reward_weights"] == {"grounding": 0.5}
    assert main(["train", "--resume", "--out", out, "--total-timesteps", "40"]) == 0
    assert main(["evaluate", out, "--episodes", "3", "--env", "max_pixels=100"]) == 0
    said = capsys.readouterr().out
    assert f"64 steps -> {out}/model.zip" in said  # 40 were asked for, 32 are played at once
    assert "of 3 right" in said
    records = list(read_records(tmp_path / "run" / "test.jsonl"))
    assert sorted(record.task.id for record in records) == [
        f"flash-hard-60s-test-0000{index}" for index in range(3)
    ]
    assert {record.agent for record in records} == {f"ppo:{out}"}
    assert {record.settings["max_pixels"] for record in records} == {100}
    assert {record.settings["reward_weights"]["grounding"] for record in records} == {0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train --out {full}", "is not empty: give --resume, or another folder"),
        ("train --out {new} --env cell_px", "'cell_px' needs the form NAME=VALUE"),
        ("train --out {new} --tasks nope", "tasks needs `synthetic`"),
        ("train --out {new} --weights grounding=much", "reward_weights needs finite numbers"),
        ("train --out {full} --resume --seed 3", "--resume takes --total-timesteps and nothing"),
        ("train --out {full} --resume --weights tool=0", "--resume takes --total-timesteps and"),
        ("evaluate {full} --episodes 0", "--episodes: needed a whole number from 1 on, got '0'"),
        ("train --out {new} --env cell_pixels=8", "got 'cell_pixels=8': did you mean 'cell_px'?"),
        ("train --out {new} --tasks no.jsonl", "no.jsonl: needed a file of tasks, but there is no"),
        ("train --out {new} --resume", "new: needed the folder of a run, got none with settings"),
        ("evaluate {new}", "new: needed the folder of a run, got none with settings.json: name"),
        ("evaluate {full} --out {full}/settings.json", "exists: choose another --out"),
    ],
)
def test_wrong_commands_say_what_is_wrong(
    runs: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    with pytest.raises(SystemExit):
        main(arguments.format(full=runs["ppo"], new=tmp_path / "new").split())
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_maskable_ppo_learns_to_find_the_symbol_and_to_read_it(tmp_path: Path) -> None:
    env = {**ENV, "cell_px": 8, "max_pixels": 256, "reward_weights": {"grounding": 0.5}}
    train(PPOSettings(env=env), tmp_path / "run")
    records = evaluate(tmp_path / "run", 500, tmp_path / "test.jsonl")
    assert wilson([record.reward_parts.accuracy for record in records]).low > 0.9
    assert json.loads((tmp_path / "run" / "settings.json").read_text())["seed"] == 0
