"""Groups of rollouts: one reading of the prompt, replies as sampled, the environment's rules."""

from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch

from agents.qwen.training.rollouts import Player, Rollout, RolloutGroup
from tests.agents.qwen.model.test_generation import counted_pictures
from tests.agents.qwen.noise import NoiseTasks, scripted_env
from tests.agents.qwen.small import EVERY_FAMILY, ROUNDING, Loaded
from tests.rules.test_peers import B, T, crop
from zoomgym import ZoomEnv
from zoomgym.errors import GradingError
from zoomgym.records import replay

TASKS = ["q0", "q1", "q2", "q3"]


def player(tiny: Loaded, group_size: int = 4, **settings: object) -> Player:
    given = {"max_tokens": 6, **settings}
    make_env = given.pop("make_env", scripted_env)
    return Player(tiny.processor, make_env, group_size=group_size, **given)  # type: ignore[arg-type]


def said(group: RolloutGroup) -> list[list[int]]:
    return [rollout.completion_ids for rollout in group.rollouts]


def plain_log_probs(tiny: Loaded, rollout: Rollout) -> torch.Tensor:
    """Returns the log-probs of the completion by one plain forward over everything."""
    row = torch.tensor([rollout.prompt_ids + rollout.completion_ids])
    with torch.no_grad():
        logits = tiny.model(
            input_ids=row,
            mm_token_type_ids=(row == tiny.processor.image_token_id).int(),
            pixel_values=torch.cat([picture.pixels for picture in rollout.pictures]),
            image_grid_thw=torch.tensor([picture.grid for picture in rollout.pictures]),
            use_cache=False,
        ).logits[0, :-1]
    start = len(rollout.prompt_ids) - 1
    return logits.log_softmax(-1).gather(1, row[0, 1:, None])[start:, 0]


@EVERY_FAMILY
def test_log_probs_of_ragged_turns_and_mixed_sizes_are_those_of_a_plain_forward(
    tiny: Loaded,
) -> None:
    groups = player(tiny).play(tiny.model, TASKS, 0)
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    lengths = {len(rollout.record.turns) for rollout in rollouts if rollout.record}
    assert lengths == {1, 2, 3, 4}
    assert len({picture.grid for rollout in rollouts for picture in rollout.pictures}) == 4
    for rollout in rollouts:
        assert len(rollout.is_said) == len(rollout.log_probs) == len(rollout.completion_ids)
        at = torch.tensor(rollout.is_said)
        kept = torch.tensor(rollout.log_probs, dtype=torch.float64)
        assert float((plain_log_probs(tiny, rollout) - kept)[at].abs().max()) < ROUNDING


def test_rewards_are_those_of_the_records_when_they_are_played_again(tiny: Loaded) -> None:
    groups = player(tiny).play(tiny.model, TASKS, 0)
    records = [rollout.record for group in groups for rollout in group.rollouts]
    assert {record.reward for record in records if record} >= {1.4, 1.0, 0.1}
    for record in records:
        assert record is not None
        assert replay(record).is_over  # raises if turns, terms or reward differ
    assert [group.rewards for group in groups] == [
        [rollout.record.reward for rollout in group.rollouts if rollout.record] for group in groups
    ]


def test_a_group_reads_its_overview_once_and_each_clip_once(tiny: Loaded) -> None:
    with counted_pictures(tiny.model) as counts:
        [group] = player(tiny, 6).play(tiny.model, ["q0"], 0)
    clips = sum(len(rollout.pictures) - 3 for rollout in group.rollouts)
    assert clips > 0
    assert counts[0] == 3
    assert sum(counts) == 3 + clips


@EVERY_FAMILY
def test_pictures_are_the_frames_that_were_paid_for(tiny: Loaded) -> None:
    for group in player(tiny).play(tiny.model, TASKS, 0):
        for rollout in group.rollouts:
            assert rollout.record is not None
            assert len(rollout.pictures) == rollout.record.frames_used
            ids = rollout.prompt_ids + rollout.completion_ids
            tokens = sum(h * w // 4 for _, h, w in (one.grid for one in rollout.pictures))
            assert ids.count(tiny.processor.image_token_id) == tokens


class ParallelEnv(ZoomEnv):
    """Is taken to get several calls in a reply, one of them refused, and then an answer."""

    def step(self, action: str) -> Any:
        calls = T + crop("4", "6") + crop("90", "91") + crop("9", "10")
        return super().step([calls, T + B][len(self.episode.turns)])


def test_the_frames_of_every_call_of_a_reply_are_read(tiny: Loaded) -> None:
    def make_env() -> ZoomEnv:
        return ParallelEnv(
            NoiseTasks(), preset="paravt", num_overview=3, frame_budget=32, max_turns=4
        )

    [group] = player(tiny, 2, make_env=make_env).play(tiny.model, ["q0"], 0)
    for rollout in group.rollouts:
        assert rollout.record is not None
        assert len(rollout.pictures) == rollout.record.frames_used == 3 + 3
        assert len(rollout.record.turns[0].zooms) == 2


@EVERY_FAMILY
def test_what_is_sampled_depends_neither_on_the_batch_nor_on_the_order(tiny: Loaded) -> None:
    together = player(tiny).play(tiny.model, TASKS, 5)
    alone = player(tiny, rows=4)
    for group in together[::-1]:
        [again] = alone.play(tiny.model, [group.task_id], 5)
        assert said(again) == said(group)


def test_rollouts_of_a_group_and_of_another_turn_differ(tiny: Loaded) -> None:
    one = player(tiny)
    [first], [second], [again] = (one.play(tiny.model, ["q1"], turn) for turn in (0, 1, 0))
    assert len({tuple(ids) for ids in said(first)}) == 4
    assert said(first) != said(second)
    assert said(first) == said(again)


def test_an_episode_whose_video_fails_in_a_zoom_has_no_record(tiny: Loaded) -> None:
    tasks = NoiseTasks(breaks_at_s=5.5)  # the last frame of the scripted zoom on [4, 6]
    one = player(tiny, 8, make_env=partial(scripted_env, tasks))
    [group] = one.play(tiny.model, ["q0"], 0)
    broken = [rollout.record is None for rollout in group.rollouts]
    assert True in broken
    assert False in broken
    assert len(group.rewards) == broken.count(False)


class Ungradable:
    name = "nobody"

    def is_right(self, question: str, truth: str, text: str) -> bool:
        raise GradingError("judge: needed a verdict, got none")


def test_an_answer_that_nobody_can_grade_has_no_record(tiny: Loaded) -> None:
    class OpenTasks(NoiseTasks):
        def __getitem__(self, index: int) -> object:  # type: ignore[override]

            return replace(super().__getitem__(index), options=(), answer="blue")

    def make_env() -> object:
        env = scripted_env(OpenTasks())
        env.grader = Ungradable()  # type: ignore[assignment]
        return env

    [group] = player(tiny, 4, make_env=make_env).play(tiny.model, ["q0"], 0)
    assert group.rewards == []
    assert group.is_flat


@pytest.mark.parametrize(
    ("rewards", "is_flat"),
    [([1.0, 1.0], True), ([1.0, 1.0001], True), ([1.0, 1.001], False), ([1.0], True), ([], True)],
)
def test_a_group_is_flat_if_its_rewards_hardly_differ(
    rewards: list[float], is_flat: bool, tiny: Loaded
) -> None:
    [group] = player(tiny, 2).play(tiny.model, ["q0"], 0)

    record = group.rollouts[0].record
    assert record is not None
    rollouts = [replace(group.rollouts[0], record=replace(record, reward=one)) for one in rewards]
    assert RolloutGroup("q0", rollouts).is_flat == is_flat
