"""GRPO: what the loss sees is what was played, and it learns from the model's own words alone."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from agents.arguments import help_of_fields
from agents.qwen.model.policy import QwenAgent
from agents.qwen.training import grpo as module
from agents.qwen.training.grpo import main, make_trainer, train_grpo
from agents.qwen.training.grpo_trainer import ZoomTrainer
from agents.qwen.training.rollouts import RolloutGroup
from agents.qwen.training.settings import GRPOSettings, SFTSettings
from agents.sb3.settings import PPOSettings
from examples.train_tiny_qwen import Amounts
from tests.agents.qwen.noise import NoiseTasks, scripted_env
from tests.agents.qwen.small import EVERY_FAMILY, ROUNDING, Broken
from zoomgym.records import read_records, replay
from zoomgym.rules import VideoQuestion

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*is_gradient_checkpointing.*:FutureWarning"  # TRL asks by the old name
)


@pytest.fixture
def settings(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GRPOSettings:
    """A run on noise: four tasks, four rollouts each, two updates a generation."""
    monkeypatch.setattr(module, "ZoomEnv", lambda **_: scripted_env())
    return GRPOSettings(
        model=str(folder),
        out=tmp_path / "run",
        steps=2,
        learning_rate=1e-3,
        group_size=4,
        tasks_per_generation=4,
        tasks_per_update=2,
        micro_batch=4,
        max_tokens=6,
        max_redraws=0,
        dtype="float64",
    )


@pytest.fixture
def short(settings: GRPOSettings) -> GRPOSettings:
    """A run of one step, the first of a generation's two: two tasks, two rollouts each."""
    return replace(
        settings, steps=1, group_size=2, tasks_per_generation=2, tasks_per_update=1, micro_batch=2
    )


class Watched:
    """What the loss saw in each of its passes, and the states that all of it comes from."""

    def __init__(self, trainer: ZoomTrainer, monkeypatch: pytest.MonkeyPatch) -> None:
        self.batches: list[dict[str, Any]] = []
        self.log_probs: list[torch.Tensor] = []
        self.states: list[torch.Tensor] = []
        measure = trainer._get_per_token_logps_and_entropies

        def measure_and_keep(*args: Any, **kwargs: Any) -> Any:
            out = measure(*args, **kwargs)
            if torch.is_grad_enabled():
                self.log_probs.append(out[0])
            return out

        def keep(_: Any, __: Any, output: torch.Tensor) -> None:
            if output.requires_grad:
                output.retain_grad()
                self.states.append(output)

        lose = trainer._compute_loss

        def lose_and_keep(model: Any, inputs: dict[str, Any]) -> Any:
            self.batches.append(inputs)
            return lose(model, inputs)

        monkeypatch.setattr(trainer, "_get_per_token_logps_and_entropies", measure_and_keep)
        monkeypatch.setattr(trainer, "_compute_loss", lose_and_keep)
        trainer.model.model.language_model.norm.register_forward_hook(keep)


@EVERY_FAMILY
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_loss_sees_the_log_probs_that_were_sampled(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch, temperature: float
) -> None:
    trainer = make_trainer(replace(settings, steps=1, temperature=temperature))
    watched = Watched(trainer, monkeypatch)
    trainer.train()
    assert len(watched.batches) == 2
    for batch, log_probs in zip(watched.batches, watched.log_probs, strict=True):
        said = (batch["completion_mask"] * batch["tool_mask"]).bool()
        sampled = batch["sampling_per_token_logps"]
        assert int(said.sum()) > 0
        assert float((log_probs.detach() - sampled)[said].abs().max()) < ROUNDING


@pytest.mark.long
@pytest.mark.parametrize("share_prompt", [True, False])
@pytest.mark.parametrize("num_overview", [0, (0, 3)])
def test_rollouts_without_an_overview_are_learned_from(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch, num_overview: Any, share_prompt: bool
) -> None:
    monkeypatch.setattr(module, "ZoomEnv", lambda **_: scripted_env(num_overview=num_overview))
    changes = {"steps": 1, "share_prompt": share_prompt, "micro_batch": 1}
    trainer = make_trainer(replace(settings, **changes))
    watched = Watched(trainer, monkeypatch)
    trainer.train()
    [path] = (settings.out / "episodes").iterdir()
    used = [replay(record).frames_used for record in read_records(path)]
    assert 0 in used
    assert max(used) > 0
    for batch, log_probs in zip(watched.batches, watched.log_probs, strict=True):
        said = (batch["completion_mask"] * batch["tool_mask"]).bool()
        sampled = batch["sampling_per_token_logps"]
        assert float((log_probs.detach() - sampled)[said].abs().max()) < ROUNDING


def test_several_processes_need_a_picture_everywhere(settings: GRPOSettings) -> None:
    settings.check_pictures(1, are_everywhere=False)
    settings.check_pictures(2, are_everywhere=True)
    with pytest.raises(ValueError, match="2 processes need a picture in every episode, got some"):
        settings.check_pictures(2, are_everywhere=False)


def test_a_generation_without_a_picture_is_learned_from(
    short: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ZoomEnv", lambda **_: scripted_env(num_overview=0, max_turns=1))
    make_trainer(short).train()
    [path] = (short.out / "episodes").iterdir()
    assert [record.frames_used for record in read_records(path)] == [0] * 4


@EVERY_FAMILY
def test_no_gradient_reaches_what_the_model_did_not_say(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(replace(settings, steps=1, entropy=0.1, share_prompt=False))
    watched = Watched(trainer, monkeypatch)
    trainer.train()
    assert len(watched.batches) == 2
    num_observed = 0
    for batch, state in zip(watched.batches, watched.states, strict=True):
        said = (batch["completion_mask"] * batch["tool_mask"]).bool()
        num_observed += int((batch["completion_mask"].bool() & ~said).sum())
        opening = torch.zeros_like(batch["prompt_ids"], dtype=torch.bool)
        comes_next = torch.cat([opening, said], dim=1)[:, 1:]
        assert state.grad is not None
        assert torch.equal(state.grad[:, :-1].abs().sum(-1) > 0, comes_next)
        assert not state.grad[:, -1].any()
    assert num_observed > 0


def test_rewards_in_the_trainer_are_those_of_the_episodes(settings: GRPOSettings) -> None:
    trainer = make_trainer(replace(settings, steps=1))
    trainer.train()
    [path] = (settings.out / "episodes").iterdir()
    records = list(read_records(path))
    assert len(records) == 16
    for record in records:
        replay(record)  # raises if rules, terms and reward are not those of the record
    used = list(trainer._logs["rewards"]["environment_reward"])
    assert used == torch.tensor([record.reward for record in records]).tolist()
    groups = torch.tensor([record.reward for record in records], dtype=torch.float64).view(4, 4)
    spread = groups.std(dim=1, keepdim=True) + 1e-4
    advantages = (groups - groups.mean(dim=1, keepdim=True)) / spread
    logged = torch.tensor(list(trainer._logs["advantages"]), dtype=torch.float64).view(4, 4)
    rounding = 2**-22  # of rewards up to 1.5 and their means, which TRL keeps in float32's 24 bits
    assert torch.all((logged - advantages).abs() < rounding / spread)


def test_a_dropped_picture_is_an_error(
    short: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(short)
    play = trainer._player.play

    def lose_one(*args: Any) -> list[RolloutGroup]:
        groups = play(*args)
        groups[0].rollouts[0].pictures.pop()
        return groups

    monkeypatch.setattr(trainer._player, "play", lose_one)
    with pytest.raises(ValueError, match=r"image tokens need \d+ patches, got 0: TRL has dropped"):
        trainer.train()


def flatten(group: RolloutGroup) -> RolloutGroup:
    """Returns a group in which every episode has earned the same."""
    rollouts = [
        replace(rollout, record=replace(rollout.record, reward=0.5))
        for rollout in group.rollouts
        if rollout.record
    ]
    return RolloutGroup(group.task_id, rollouts)


@pytest.mark.long
def test_flat_groups_are_drawn_anew_until_they_teach_something(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = make_trainer(replace(settings, steps=1, max_redraws=3))
    play, asked = trainer._player.play, []

    def flat_at_first(policy: Any, task_ids: list[str], *args: Any) -> list[RolloutGroup]:
        asked.append(list(task_ids))
        groups: list[RolloutGroup] = play(policy, task_ids, *args)
        return [flatten(group) for group in groups] if len(asked) < 3 else groups

    monkeypatch.setattr(trainer._player, "play", flat_at_first)
    trainer.train()
    first, second, third, *_ = asked
    assert [len(first), len(second), len(third)] == [4, 4, 4]
    assert all(a != b for a, b in zip(first, second, strict=True))
    history = trainer.state.log_history[0]
    assert history["zoom/flat_groups"] == 1.0
    assert history["zoom/redrawn"] >= 8
    assert history["zoom/reward"] == 0.5  # of the groups as they were drawn
    [path] = (settings.out / "episodes").iterdir()
    assert len(list(read_records(path))) == settings.group_size * sum(map(len, asked))


class CountedTasks(NoiseTasks):
    """Ten thousand tasks that count how often one is read."""

    num_reads = 0

    def __init__(self) -> None:
        super().__init__(10_000)

    def __getitem__(self, index: int) -> VideoQuestion:
        self.num_reads += 1
        return super().__getitem__(index)


def test_a_run_reads_only_the_tasks_that_it_plays(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = CountedTasks()
    monkeypatch.setattr(module, "ZoomEnv", lambda **_: scripted_env(tasks))
    trainer = make_trainer(replace(settings, steps=3))
    assert tasks.num_reads == 8  # two generations of four
    order = [row["prompt"][0]["content"] for row in trainer.train_dataset]
    shuffled = np.random.default_rng(settings.seed).permutation(10_000)
    assert order == [f"q{index}" for index in shuffled[:8]]
    first = int(order[0][1:])
    assert trainer._other(order[0]) == f"q{first + 1}"
    assert trainer._redraw(order[0], attempt=1) == f"q{(first + 1 + 104_729 % 9_999) % 10_000}"


@pytest.mark.long
def test_a_video_that_cannot_be_shown_ends_no_run(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "ZoomEnv", lambda **_: scripted_env(NoiseTasks(unshown="q1")))
    trainer = make_trainer(replace(settings, steps=1))
    trainer.train()
    played = [group.task_id for group in trainer.groups]
    assert len(played) == 4
    assert set(played) == {"q0", "q2", "q3"}
    assert "q1 is not played: noise.mp4: needed a video, got none" in caplog.text


def test_flat_groups_pull_nowhere(short: GRPOSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = make_trainer(replace(short, max_redraws=1, kl=0.0, entropy=0.0))
    play = trainer._player.play
    monkeypatch.setattr(
        trainer._player, "play", lambda *args: [flatten(group) for group in play(*args)]
    )
    before = {name: value.clone() for name, value in trainer.model.named_parameters()}
    trainer.train()
    assert all(torch.equal(before[name], value) for name, value in trainer.model.named_parameters())


def test_flat_groups_count_in_the_mean_over_tokens(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(settings, steps=1, max_redraws=0, tasks_per_update=4)
    trainer = make_trainer(whole)
    play = trainer._player.play

    def flatten_the_first(*args: Any) -> list[RolloutGroup]:
        first, *rest = play(*args)
        return [flatten(first), *rest]

    monkeypatch.setattr(trainer._player, "play", flatten_the_first)
    watched = Watched(trainer, monkeypatch)
    trainer.train()
    said = [sum(one.is_said) for group in trainer.groups for one in group.rollouts]
    assert {int(batch["num_items_in_batch"]) for batch in watched.batches} == {sum(said)}
    advantages = torch.cat([batch["advantages"] for batch in watched.batches])
    assert int((advantages == 0).sum()) >= settings.group_size


def test_an_episode_without_a_reward_is_left_out(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ZoomEnv", lambda **_: scripted_env(NoiseTasks(breaks_at_s=5.5)))
    trainer = make_trainer(replace(settings, steps=1, tasks_per_update=4))
    watched = Watched(trainer, monkeypatch)
    trainer.train()
    lost = [rollout.record is None for group in trainer.groups for rollout in group.rollouts]
    assert sum(lost) == trainer.state.log_history[0]["zoom/lost"] > 0
    rows = [(batch["tool_mask"] * batch["completion_mask"]).sum(1) for batch in watched.batches]
    assert int((torch.cat(rows) == 0).sum()) == sum(lost)


@pytest.mark.slow
def test_a_run_that_is_resumed_ends_where_the_whole_run_ends(
    settings: GRPOSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = replace(settings, steps=4, save_steps=2)
    train_grpo(whole)
    part = replace(whole, out=settings.out.with_name("part"))
    with monkeypatch.context() as patch:  # in the middle of the third step, of two batches
        patch.setattr(ZoomTrainer, "training_step", Broken(ZoomTrainer.training_step, 5))
        with pytest.raises(InterruptedError):
            train_grpo(part)
    train_grpo(part, resume=True)
    one, other = (load_file(run.out / "model.safetensors") for run in (whole, part))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    lines = [json.loads(line) for line in (part.out / "history.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "reward" in line] == [1, 3]


def test_a_run_that_has_ended_is_resumed_without_another_step(short: GRPOSettings) -> None:
    train_grpo(short)
    path = short.out / "model.safetensors"
    before = load_file(path)
    path.unlink()
    assert train_grpo(short, resume=True).state.global_step == 1
    after = load_file(path)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_run_that_broke_off_before_its_first_checkpoint_is_begun_again(
    short: GRPOSettings,
) -> None:
    module.keep_settings(short.out, short, resume=False)
    assert train_grpo(short, resume=True).state.global_step == 1


@EVERY_FAMILY
def test_a_trained_model_plays(short: GRPOSettings) -> None:
    train_grpo(short)
    agent = QwenAgent(str(short.out), max_tokens=4)
    agent.reset(0)
    env = scripted_env()
    env.reset(options={"task_id": "q0"})
    assert isinstance(agent.act(env.observation), str)
    assert json.loads((short.out / "settings.json").read_text())["clip_high"] == 0.27


def test_a_run_is_not_written_over_nor_resumed_with_other_settings(short: GRPOSettings) -> None:
    train_grpo(short)
    other = replace(short, kl=0.5)
    with pytest.raises(ValueError, match="needed a new folder, got one with checkpoints: resume"):
        train_grpo(other)
    with pytest.raises(ValueError, match=r"settings of the run to resume, kl=0\.001, got 0\.5"):
        train_grpo(other, resume=True)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"group_size": 1}, "group_size needs at least 2 rollouts, got 1"),
        ({"tasks_per_update": 3}, "needs to be a multiple of tasks_per_update, 3, got 4"),
        ({"micro_batch": 0}, "micro_batch needs at least 1, got 0"),
        ({"save_steps": 0}, "save_steps needs at least 1, got 0"),
        (
            {"save_steps": 3},
            "needs to be a multiple of the 2 updates of a generation, got 3: take 4",
        ),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    settings: GRPOSettings, given: dict[str, int], error: str
) -> None:
    with pytest.raises(ValueError, match=error):
        replace(settings, **given)


def test_updates_are_shared_evenly_or_refused(settings: GRPOSettings) -> None:
    paper = GRPOSettings(model="m", out=Path("o"))
    assert paper.batches(1) == (64, 256)
    assert paper.batches(16) == (4, 16)
    with pytest.raises(ValueError, match="need to be shared evenly by 3 processes x micro_batch 8"):
        paper.batches(3)


def test_the_command_line_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--model", str(tmp_path / "none"), "--out", str(tmp_path / "run")])
    assert "a model needs a folder or a hub id" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ("[1]", "argument --env: needs an object of tasks, split"),
        ('{"max_turn": 2}', "argument --env: needs an object of tasks, split"),
        ('{"render_mode": "human"}', "argument --env: needs an object of tasks, split"),
        ('{"tasks": "synthetic:none"}', "grpo: synthetic family needs one of flash, count"),
    ],
)
def test_the_command_line_says_what_an_environment_needs(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], env: str, error: str
) -> None:
    with pytest.raises(SystemExit):
        main(["--model", str(folder), "--out", str(tmp_path / "run"), "--env", env])
    assert error in capsys.readouterr().err


def test_what_is_given_of_the_environment_leaves_the_rest_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[GRPOSettings] = []
    monkeypatch.setattr(module, "train_grpo", lambda settings, resume: begun.append(settings))
    line = ["--model", "m", "--out", str(tmp_path)]
    given = [[], ["--env", '{"tasks": "my.jsonl"}'], ["--env", '{"grammar": "json"}']]
    given.append(["--env", '{"preset": "longvt"}'])
    assert [main([*line, *env]) for env in given] == [0, 0, 0, 0]
    assert [settings.env for settings in begun] == [
        {"grammar": "video_zoom"},
        {"grammar": "video_zoom", "tasks": "my.jsonl"},
        {"grammar": "json"},
        {"preset": "longvt"},  # which has a grammar of its own
    ]


@pytest.mark.parametrize("kind", [GRPOSettings, SFTSettings, PPOSettings, Amounts])
def test_every_setting_of_a_training_is_explained(kind: type) -> None:
    names = {field.name for field in fields(kind)}
    assert help_of_fields(kind).keys() == names
