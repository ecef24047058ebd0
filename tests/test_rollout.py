"""Episodes side by side are the episodes one after another."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.registry import make_agent
from tests.clips import first_video
from zoomgym import ZoomEnv
from zoomgym.agent.observation import Observation
from zoomgym.errors import RecordError, TaskError, VideoError
from zoomgym.records import Record, replay
from zoomgym.rollout import (
    Start,
    finish_episode,
    run_episodes,
    try_episodes,
    watch_again,
)
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import RewardParts
from zoomgym.tasks.datasets import write_manifest
from zoomgym.tasks.synthetic import SyntheticTasks

NUM_TASKS = 7


def make_envs(count: int) -> list[ZoomEnv]:
    return [
        ZoomEnv("synthetic", source="scene", max_pixels=1024, frame_size=(8, 8))
        for _ in range(count)
    ]


def play(agent: object, num_envs: int) -> list[Record]:
    envs = make_envs(num_envs)
    task_ids = [envs[0].tasks[index].id for index in range(NUM_TASKS)]
    records = run_episodes(envs, agent, agent_name="x", task_ids=task_ids, seed=3)  # type: ignore[arg-type]
    still = [replace(record, agent_s=0.0, decode_s=0.0) for record in records]
    return sorted(still, key=lambda record: task_ids.index(record.task.id))


class Counting:
    """The random agent, which notes how many observations came at once."""

    def __init__(self) -> None:
        self._random = make_agent("random")
        self.sizes: list[int] = []

    def reset(self, seed: int) -> None:
        self._random.reset(seed)

    def act(self, observation: Observation) -> str:
        return self.act_batch([observation])[0]

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        self.sizes.append(len(observations))
        return [self._random.act(observation) for observation in observations]


@pytest.mark.parametrize("num_envs", [2, 3, 9])
def test_records_do_not_depend_on_how_many_environments_play(num_envs: int) -> None:
    assert play(make_agent("random"), num_envs) == play(make_agent("random"), 1)


def test_an_agent_that_can_replies_to_all_environments_at_once() -> None:
    agent = Counting()
    records = play(agent, 3)
    assert records == play(make_agent("random"), 1)
    assert sum(agent.sizes) == sum(len(record.turns) for record in records)
    assert agent.sizes[0] == 3
    assert set(agent.sizes) <= {1, 2, 3}


def test_an_environment_that_is_free_takes_the_next_task() -> None:
    agent = Counting()
    play(agent, 2)
    assert agent.sizes == sorted(agent.sizes, reverse=True)  # 1 only when no task is left


class Moody(Counting):
    """The random agent, which fails on one task in its own way, alone or in a batch."""

    def __init__(self, task: VideoQuestion, said: object) -> None:
        super().__init__()
        self._question, self._said = task.question, said

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        replies = super().act_batch(observations)
        for index, seen in enumerate(observations):
            if seen.question == self._question:
                if isinstance(self._said, Exception):
                    raise self._said
                replies[index] = self._said  # type: ignore[call-overload]
        return replies


@pytest.mark.parametrize(
    ("said", "kind"), [(ZeroDivisionError("oh"), ZeroDivisionError), (7, TypeError)]
)
@pytest.mark.parametrize("num_games", [1, 3])
def test_an_episode_that_fails_ends_alone(num_games: int, said: object, kind: type) -> None:
    envs = make_envs(NUM_TASKS)
    starts = [Start(env, env.tasks[index].id) for index, env in enumerate(envs)]
    task_ids = [start.task_id for start in starts]
    agent = Moody(envs[0].tasks[2], said)
    agent.reset(3)
    came = {
        start.task_id: outcome
        for start, outcome in try_episodes(
            starts, agent, num_games=num_games, agent_name="x", seed=3
        )
    }
    assert type(came.pop(task_ids[2])) is kind
    whole = {record.task.id: record for record in play(make_agent("random"), 1)}
    del whole[str(task_ids[2])]
    still = {
        task_id: replace(outcome, agent_s=0.0, decode_s=0.0)
        for task_id, outcome in came.items()
        if isinstance(outcome, Record)
    }
    assert still == whole


def test_an_episode_that_cannot_begin_ends_alone() -> None:
    envs = make_envs(3)
    starts = [Start(env, task_id) for env, task_id in zip(envs, ("a", None, "b"), strict=True)]
    agent = make_agent("blind")
    agent.reset(0)
    came = list(try_episodes(starts, agent, num_games=3, agent_name="x", seed=0))
    assert [start.task_id for start, _ in came] == ["a", "b", None]
    assert [type(outcome) for _, outcome in came] == [TaskError, TaskError, Record]


def test_an_agent_that_returns_too_few_replies_is_asked_for_each_alone() -> None:
    class Lazy(Counting):
        def act_batch(self, observations: Sequence[Observation]) -> list[str]:
            return super().act_batch(observations)[:1]

    agent = Lazy()
    assert play(agent, 3) == play(make_agent("random"), 1)
    assert agent.sizes[:4] == [3, 1, 1, 1]


def test_a_failure_of_the_agent_is_raised_where_one_episode_is_played_after_another() -> None:
    agent = Moody(make_envs(1)[0].tasks[1], ZeroDivisionError("oh"))
    with pytest.raises(ZeroDivisionError, match="oh"):
        play(agent, 1)


def test_the_oracle_is_told_the_evidence_of_its_own_task() -> None:
    records = play(make_agent("oracle"), 3)
    assert [record.reward_parts.accuracy for record in records] == [1.0] * NUM_TASKS


def test_a_stranger_is_no_environment() -> None:
    import gymnasium as gym

    stranger = gym.make("CartPole-v1")
    with pytest.raises(TypeError, match="a rollout needs a ZoomEnv, got CartPoleEnv"):
        list(run_episodes(stranger, make_agent("blind"), agent_name="x", task_ids=["a"], seed=0))


def test_a_record_is_watched_again_with_the_frames_of_its_episode() -> None:
    [env, other] = make_envs(2)
    agent = make_agent("uniform")
    [record] = run_episodes(env, agent, agent_name="x", task_ids=[env.tasks[2].id], seed=3)
    seen = watch_again(other, record)
    assert seen.turns == record.turns
    assert len(seen.clips) == 4
    for clip, played in zip(seen.clips, env.observation.clips, strict=True):
        assert np.array_equal(clip.images, played.images)
    assert other.episode.is_over


def test_a_record_is_watched_at_another_size_though_its_key_is_another() -> None:
    [env] = make_envs(1)
    agent = make_agent("uniform")
    [record] = run_episodes(env, agent, agent_name="x", task_ids=[env.tasks[2].id], seed=3)
    smaller = ZoomEnv("synthetic", source="scene", max_pixels=256)
    assert watch_again(smaller, record).turns == record.turns
    assert smaller.episode.key != record.key


def test_a_record_is_taken_up_half_way() -> None:
    [env, other] = make_envs(2)
    agent = make_agent("uniform")
    [record] = run_episodes(env, agent, agent_name="x", task_ids=[env.tasks[2].id], seed=3)
    seen = watch_again(other, record, 2)
    assert seen.turns == record.turns[:2]
    assert len(seen.clips) == 2
    for turn in record.turns[2:]:
        other.step(turn.reply)
    assert other.episode == env.episode


def test_another_agent_finishes_an_episode_that_was_taken_up() -> None:
    [env, other] = make_envs(2)
    agent = make_agent("uniform")
    [record] = run_episodes(env, agent, agent_name="x", task_ids=[env.tasks[2].id], seed=3)
    watch_again(other, record, 2)
    oracle = make_agent("oracle")
    oracle.reset(0)
    finished = finish_episode(other, oracle, agent_name="x > oracle", seed=record.seed)
    assert (finished.agent, finished.seed, finished.key) == ("x > oracle", 3, record.key)
    assert finished.turns[:2] == record.turns[:2]
    assert finished.reward_parts == RewardParts(
        accuracy=1.0, format=1.0, tool=1.0, grounding=1.0, zoom_cost=float(len(finished.turns) - 1)
    )
    replay(finished)


def test_a_record_of_other_rules_is_not_watched() -> None:
    [env] = make_envs(1)
    agent = make_agent("uniform")
    [record] = run_episodes(env, agent, agent_name="x", task_ids=[env.tasks[2].id], seed=3)
    stricter = ZoomEnv("synthetic", source="scene", max_pixels=1024, frames_per_zoom=4)
    with pytest.raises(RecordError, match="needed the episode of the record, got another"):
        watch_again(stricter, record)


@pytest.mark.parametrize("num_envs", [1, 2])
def test_a_named_task_whose_video_cannot_be_shown_is_passed_over_if_asked(
    num_envs: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tasks = SyntheticTasks(("flash",), "train", 30, "easy", "file")
    video = first_video(tasks, tmp_path).name
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    names = [video, "broken.mp4", "gone.mp4", video]
    rows = [
        VideoQuestion(id=f"q{index}", video=name, question="?", answer="A", options=("x", "y"))
        for index, name in enumerate(names)
    ]
    write_manifest(tmp_path / "my.jsonl", rows)

    def ids(on_video_error: str) -> list[str]:
        settings = {"max_pixels": 256, "on_video_error": on_video_error}
        envs = [ZoomEnv(tmp_path / "my.jsonl", **settings) for _ in range(num_envs)]  # type: ignore[arg-type]
        wanted = [row.id for row in rows]
        played = run_episodes(
            envs, make_agent("blind"), agent_name="blind", task_ids=wanted, seed=0
        )
        return sorted(record.task.id for record in played)

    assert ids("skip") == ["q0", "q3"]
    warned = [record.message for record in caplog.records]
    assert [text.partition(": ")[0] for text in warned] == [
        "task q1 is not shown",
        "task q2 is not shown",
    ]
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        ids("raise")
