"""PPO on the discrete environment: it learns, stops, goes on, and plays wherever an agent does."""

import csv
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
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer
from stable_baselines3.common.env_checker import check_env
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv, VecMonitor

from agents.registry import make_agent
from agents.sb3.__main__ import main
from agents.sb3.cells import (
    CellEnvs,
    MaskableCellBuffer,
    SameProcess,
    cells_space,
    stack,
    to_cells,
)
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
from zoomgym.rules.settings import Rules
from zoomgym.tasks.synthetic import SYMBOLS
from zoomgym.testing import check_agent
from zoomgym.video import letterbox

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
OBSERVED = "terminal_observation"
VECTORS = ("offered", "asked", "left")


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


@pytest.mark.parametrize("changes", [{"num_overview": 0}, {"num_overview": [0, 4, 9]}])
def test_a_policy_learns_and_plays_with_any_overview(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    train(replace(TINY, env={**ENV, **changes, "overview": "change"}), tmp_path / "run")
    records = evaluate(tmp_path / "run", 6, tmp_path / "records.jsonl")
    assert list(read_records(tmp_path / "records.jsonl")) == [one.checked() for one in records]
    sizes = {len(record.overview.times_s) for record in records}
    assert sizes <= {0, 4, 9}
    assert len(sizes) == (1 if changes["num_overview"] == 0 else 3)


# The environment in SB3's hands -------------------------------------------------------------------


def test_the_environment_passes_the_checker_of_sb3_without_a_warning() -> None:
    check_env(gym.make("zoomgym:ZoomEnvDiscrete-v0", source="scene"), warn=True)


def test_all_kinds_of_environments_give_the_same() -> None:
    plain = DummyVecEnv([lambda: ZoomEnvDiscrete(**ENV)] * 2)  # what SB3 itself does
    plain.seed(5)
    several = make_envs(replace(TINY, in_processes=True), 2, seed=5)
    kinds: list[VecEnv] = [CellEnvs(VecMonitor(plain)), make_envs(TINY, 2, seed=5), several]
    assert [type(envs.unwrapped) for envs in kinds] == [DummyVecEnv, SameProcess, SubprocVecEnv]
    first, *others = (
        [*played(envs, [3, 100]), *played(envs, [110, 40]), *played(envs, [1, 2])] for envs in kinds
    )
    for envs in kinds:
        envs.close()
    for other in others:
        for ours, theirs in zip(first, other, strict=True):
            assert np.array_equal(ours, theirs)


def played(envs: VecEnv, actions: Sequence[int]) -> list[Any]:
    """Returns what is seen before and after a step, its rewards and ends, and of its infos."""
    seen = envs.reset()
    after, rewards, dones, infos = envs.step(np.array(actions))
    ends = [info.get("terminal_observation", {}) for info in infos]
    assert [bool(end) for end in ends] == list(dones)
    said = [
        [value for name, value in sorted(info.items()) if name not in ("episode", OBSERVED)]
        for info in infos
    ]
    last = [array for end in ends for _, array in sorted(end.items())]
    return [
        *(array for _, array in sorted(seen.items())),  # type: ignore[union-attr]
        *(array for _, array in sorted(after.items())),  # type: ignore[union-attr]
        rewards.astype(np.float32),
        dones,
        *last,
        *map(str, said),
    ]


def test_steps_in_one_process_share_no_memory_with_earlier_ones() -> None:
    envs = make_envs(TINY, 2, seed=5)
    seen = envs.reset()
    before = {name: array.copy() for name, array in seen.items()}  # type: ignore[union-attr]
    _, rewards, dones, infos = envs.step(np.array([3, 110]))
    kept = (rewards.copy(), dones.copy(), [dict(info) for info in infos])
    envs.step(np.array([110, 3]))
    envs.close()
    assert all(np.array_equal(seen[name], before[name]) for name in before)  # type: ignore[call-overload, index]
    assert np.array_equal(rewards, kept[0])
    assert np.array_equal(dones, kept[1])
    assert [info["turns_used"] for info in infos] == [info["turns_used"] for info in kept[2]]


# What a policy sees -------------------------------------------------------------------------------


def form_of(num_bins: int = 4) -> Form:
    return Form(Rules(num_overview=8, frame_budget=16), ("A", "B"), num_bins, (4,), 2)


def extractor(num_bins: int = 4, num_channels: int = 1) -> CellExtractor:
    form = form_of(num_bins)
    return CellExtractor(cells_space(form.space), form.num_rows[0], num_bins, num_channels)


def test_cells_are_the_frames_of_the_montage_in_order() -> None:
    env = ZoomEnvDiscrete(**ENV)
    env.reset(seed=0)
    seen, _, _, _, _ = env.step(3)
    shown = env.zoom_env.observation
    frames = [letterbox(some.images, (6, 6)) for some in (shown.overview, *shown.clips)]
    cells = to_cells(seen)
    assert "image" not in cells
    assert cells_space(env.form.space).contains(cells)
    expected = np.concatenate(frames).reshape(-1, 6 * 6 * 3)
    assert np.array_equal(cells["cells"][: len(expected)], expected)
    assert not cells["cells"][len(expected) :].any()
    batch = to_cells(stack([seen, seen]))
    assert np.array_equal(batch["cells"], np.stack([cells["cells"]] * 2))


def observed(batch: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Returns random observations in `form_of()`; the first shows no clip."""
    rng = np.random.default_rng(seed)
    times = np.full((batch, 16), -1, np.float32)
    times[:, :8] = np.sort(rng.random((batch, 8)), axis=1)
    for row in range(1, batch):
        num_clip = rng.integers(9)
        times[row, 8 : 8 + num_clip] = rng.random(num_clip)
    return {
        "cells": torch.from_numpy(rng.integers(0, 256, (batch, 16, 12), np.uint8)),
        "times": torch.from_numpy(times),
        "offered": torch.from_numpy(rng.random((batch, 2), np.float32)),
        "asked": torch.from_numpy(rng.random((batch, 2), np.float32)),
        "left": torch.from_numpy(rng.random((batch, 2), np.float32)),
    }


def most_of(rows: list[torch.Tensor], size: int) -> torch.Tensor:
    return torch.stack(rows).amax(dim=0) if rows else torch.zeros(size, dtype=torch.float64)


def features_of(net: CellExtractor, seen: dict[str, torch.Tensor], row: int) -> torch.Tensor:
    """Returns the features of one observation, cell by cell."""
    size, nothing = net.after.out_features, torch.zeros(1, dtype=torch.float64)
    shown = [(cell, float(t)) for cell, t in enumerate(seen["times"][row]) if t >= 0]
    token = {i: net.token(net.see(seen["cells"][row, i].double() / 255 - 0.4)) for i, _ in shown}
    features = []
    for place in range(net.num_bins):
        own = [i for i, t in shown if min(int(t * net.num_bins), net.num_bins - 1) == place]
        features += [
            most_of([net.mark(token[i]) for i in own if i < 8], NUM_MARKS),
            most_of([net.mark(token[i]) for i in own if i >= 8], NUM_MARKS),
            nothing + any(i >= 8 for i in own),
        ]
    clips = [(i, t) for i, t in shown if i >= 8]
    times = [t for _, t in clips] or [0.0]
    length = max(max(times) - min(times), 1e-6)
    early = [token[i] * (1 - (t - min(times)) / length) for i, t in clips]
    pairs = [torch.relu(net.before(token[i - 1]) + net.after(token[i])) for i, _ in clips[1:]]
    features += [most_of([token[i] for i, _ in clips], size), most_of(early, size)]
    none = torch.zeros(size, dtype=torch.float64)
    features += [sum((token[i] for i, _ in clips), none) / 8, sum(pairs, none) / 8]
    return torch.cat([*features, *(seen[name][row].double() for name in VECTORS)])


def test_features_and_gradients_are_those_of_a_cell_by_cell_computation() -> None:
    torch.manual_seed(0)
    net, seen = extractor(num_channels=4), observed(5)
    fast = net(seen)
    gradients = torch.autograd.grad(fast.square().sum(), list(net.parameters()))
    slow_net = extractor(num_channels=4).double()
    slow_net.load_state_dict(net.state_dict())
    slow = torch.stack([features_of(slow_net, seen, row) for row in range(5)])
    expected = torch.autograd.grad(slow.square().sum(), list(slow_net.parameters()))
    torch.testing.assert_close(fast.double(), slow, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(gradients, expected, strict=True):
        assert theirs.norm() > 0
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-4, atol=1e-5)


def test_observations_without_a_frame_have_features() -> None:
    seen = observed(2)
    seen["times"][:] = -1
    features = extractor()(seen)
    assert features[:, :-6].eq(0).all()
    assert torch.equal(features[:, -6:-4], seen["offered"])


def test_rules_without_room_for_a_zoom_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs rules with room for a zoom: raise max_turns"):
        train(replace(TINY, env={**ENV, "max_turns": 1}), tmp_path / "run")


# What it learns from ------------------------------------------------------------------------------


def filled(batch: int = 2, steps: int = 7) -> tuple[MaskableCellBuffer, MaskableDictRolloutBuffer]:
    """Returns our buffer and SB3's with the same random play."""
    envs = make_envs(TINY, batch, seed=3)
    spaces = envs.observation_space, envs.action_space
    buffers = [kind(steps, *spaces, n_envs=batch) for kind in BUFFER_KINDS]
    rng, starts, seen = np.random.default_rng(0), np.ones(batch), envs.reset()
    for step in range(steps):
        masks = np.stack(envs.env_method("action_masks"))
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])
        after, rewards, dones, _ = envs.step(actions)
        number = torch.arange(batch) + step * batch + 0.0  # tells samples apart
        for buffer in buffers:
            buffer.add(seen, actions, rewards, starts, number, number, action_masks=masks)
        seen, starts = after, dones
    envs.close()
    for buffer in buffers:
        buffer.compute_returns_and_advantage(torch.zeros(batch), starts)
    return buffers[0], buffers[1]  # type: ignore[return-value]


BUFFER_KINDS: list[Any] = [MaskableCellBuffer, MaskableDictRolloutBuffer]


@pytest.mark.parametrize("batch_size", [1, 4, None])
def test_batches_are_those_of_sb3_in_another_order(batch_size: int | None) -> None:
    np.random.seed(0)
    ours, theirs = filled()
    [whole] = theirs.get(None)
    row_of = {float(number): row for row, number in enumerate(whole.old_values)}
    drawn = []
    for samples in ours.get(batch_size):
        rows = [row_of[float(number)] for number in samples.old_values]
        drawn += rows
        for name in ("actions", "old_log_prob", "advantages", "returns", "action_masks"):
            assert torch.equal(getattr(samples, name), getattr(whole, name)[rows])
        cells, places = samples.observations["cells"], samples.observations["places"]
        assert sorted(set(places[places >= 0].tolist())) == list(range(len(cells)))
        shown = whole.observations["times"][rows] >= 0
        assert torch.equal(places >= 0, shown)
        assert torch.equal(cells[places[shown]], whole.observations["cells"][rows][shown].byte())
    assert sorted(drawn) == list(range(14))


def test_a_frame_is_in_a_batch_once_however_many_observations_show_it() -> None:
    ours, theirs = filled(batch=1)
    [whole], [samples] = theirs.get(None), ours.get(None)
    num_episodes = int(theirs.episode_starts.sum())
    assert num_episodes < 7
    assert len(samples.observations["cells"]) < (whole.observations["times"] >= 0).sum()
    overview = samples.observations["places"][:, :64]
    assert len(overview.unique()) == 64 * num_episodes


def test_batches_give_the_features_of_their_observations() -> None:
    ours, _ = filled()
    form = ZoomEnvDiscrete(**ENV).form
    net = CellExtractor(ours.observation_space, form.num_rows[0], form.num_bins)
    for samples in ours.get(5):
        seen = samples.observations
        cells = torch.cat([seen["cells"], torch.zeros(1, 108, dtype=torch.uint8)])
        alone = {**seen, "cells": cells[seen["places"]]}
        del alone["places"]
        torch.testing.assert_close(net(seen), net(alone), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("algorithm", ["maskable", "ppo"])
def test_choices_are_judged_as_by_the_distributions_of_sb3(algorithm: str) -> None:
    envs = make_envs(TINY, 3, seed=1)
    policy: Any = make_model(
        replace(TINY, algorithm=algorithm), envs, ZoomEnvDiscrete(**ENV).form
    ).policy
    seen = {name: torch.from_numpy(array) for name, array in envs.reset().items()}  # type: ignore[union-attr]
    masks = {"action_masks": np.stack(envs.env_method("action_masks"))}
    masks = masks if algorithm == "maskable" else {}
    envs.close()
    with torch.no_grad():
        for parameter in policy.action_net.parameters():
            parameter.mul_(3)  # else all choices are about equally likely
    theirs = policy.get_distribution(seen, **masks)
    actions, values, log_probs = policy(seen, **masks)
    torch.testing.assert_close(log_probs, theirs.log_prob(actions))
    torch.testing.assert_close(values, policy.predict_values(seen))
    judged = policy.evaluate_actions(seen, actions, **masks)
    torch.testing.assert_close(judged[0], values)
    torch.testing.assert_close(judged[1], log_probs)
    torch.testing.assert_close(judged[2], theirs.entropy())
    likely, _, _ = policy(seen, deterministic=True, **masks)
    assert torch.equal(likely, theirs.mode())
    if masks:
        allowed = torch.from_numpy(masks["action_masks"])
        drawn = torch.stack([policy(seen, **masks)[0] for _ in range(50)], dim=1)
        assert allowed.gather(1, drawn).all()


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
    bins = torch.zeros(2, 16, 3)
    bins[0, 5, 1] = bins[1, 7, 1] = 1.0
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


@pytest.mark.long
def test_training_changes_every_weight(runs: dict[str, Path]) -> None:
    form = load_form(runs["maskable"])
    envs = make_envs(TINY, 2, TINY.seed)
    before = make_model(TINY, envs, form).policy.state_dict()
    envs.close()
    after = weights(runs["maskable"] / MODEL)
    assert before.keys() == after.keys()
    unchanged = {name for name in before if torch.equal(before[name], after[name])}
    assert not unchanged


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_run_leaves_settings_logs_and_checkpoints(runs: dict[str, Path], algorithm: str) -> None:
    folder = runs[algorithm]
    assert load_settings(folder) == replace(TINY, algorithm=algorithm)
    assert load_form(folder) == ZoomEnvDiscrete(**ENV).form
    steps = sorted(path.name for path in folder.glob("checkpoints/*.zip"))
    assert steps == ["model_32_steps.zip", "model_64_steps.zip"]
    [log] = folder.glob("log/*")
    assert any(path.name.startswith("events.out.tfevents") for path in log.iterdir())
    rows = list(csv.DictReader((log / "progress.csv").read_text().splitlines()))
    assert any(row["eval/success_rate"] for row in rows)
    costs = [row for row in rows if row["time/processor_s"]]
    learning_s = [float(row["time/learning_s"]) for row in costs]
    assert learning_s[0] < learning_s[-1] < float(costs[-1]["time/processor_s"])


@pytest.mark.long
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


def test_a_policy_of_an_older_layout_is_refused(tmp_path: Path) -> None:
    save_settings(tmp_path, TINY, Form(Rules(), ("A",)))
    (tmp_path / MODEL).write_bytes(b"")
    row = json.loads((tmp_path / "settings.json").read_text())
    assert row.pop("layout") == 2
    (tmp_path / "settings.json").write_text(json.dumps(row))  # as version 1 wrote it
    needed = r"needed a policy of layout 2, got 1: train it again with this version"
    for play in (resume, load_settings, load_form, lambda folder: PpoAgent(str(folder)).reset(0)):
        with pytest.raises(ValueError, match=needed):
            play(tmp_path)


def test_a_folder_without_a_model_cannot_be_resumed(tmp_path: Path) -> None:
    save_settings(tmp_path, TINY, Form(Rules(), ("A",)))
    with pytest.raises(FileNotFoundError, match=r"needs checkpoints, found none"):
        resume(tmp_path)


# The agent ----------------------------------------------------------------------------------------


@pytest.mark.long
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
        action, _ = agent._model.predict(to_cells(seen), deterministic=True, **masks)
        reply = agent.act(env.zoom_env.observation)
        assert reply == env.form.reply(int(action), env.zoom_env.observation)
        seen, _, over, _, _ = env.step(int(action))


@pytest.mark.long
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
