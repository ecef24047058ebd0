"""Many episodes in one process: the same as one after the other."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from zoomgym import TaskError, VideoError
from zoomgym.vector import ZoomVectorEnv

SMALL: dict[str, Any] = {"source": "scene", "max_pixels": 256, "frame_size": (16, 16)}


def test_it_is_made_under_an_id_of_its_own() -> None:
    envs = gym.make_vec("zoomgym:ZoomVectorEnv-v0", num_envs=3, **SMALL)
    assert isinstance(envs.unwrapped, ZoomVectorEnv)
    assert envs.num_envs == 3
    envs.close()


def test_gym_make_names_the_call_that_makes_many() -> None:
    with pytest.raises(gym.error.Error, match=r'gym\.make_vec\("ZoomVectorEnv-v0", num_envs=8\)'):
        gym.make("zoomgym:ZoomVectorEnv-v0", **SMALL)


def test_it_gives_what_gymnasiums_own_vector_gives() -> None:
    ours = ZoomVectorEnv(3, **SMALL)
    theirs = gym.make_vec("ZoomEnv-v0", num_envs=3, vectorization_mode="sync", **SMALL)
    theirs.action_space.seed(1)
    outcomes = [envs.reset(seed=4) for envs in (ours, theirs)]
    for _ in range(25):
        for own, other in zip(*outcomes, strict=True):
            assert_equal(own, other)
        actions = theirs.action_space.sample()
        outcomes = [envs.step(actions) for envs in (ours, theirs)]
    ours.close()
    theirs.close()


def assert_equal(own: Any, other: Any) -> None:
    if isinstance(own, dict):
        assert own.keys() == other.keys()
        for name in own:
            assert_equal(own[name], other[name])
    else:
        assert np.array_equal(own, other)


def test_equal_seeds_start_equal_episodes() -> None:
    envs = ZoomVectorEnv(4, **SMALL)
    observation, info = envs.reset(seed=[7, 7, 7, 8])
    assert len(set(info["task_id"][:3])) == 1
    assert info["task_id"][3] != info["task_id"][0]
    assert np.array_equal(observation["overview"][0], observation["overview"][2])
    envs.close()


def test_observations_are_not_overwritten_by_the_next_step() -> None:
    envs = ZoomVectorEnv(2, **SMALL)
    first, _ = envs.reset(seed=0)
    kept = first["clip_t"].copy()
    second, *_ = envs.step(['{"segment": [4, 6], "fps": 8}'] * 2)
    assert np.array_equal(first["clip_t"], kept)
    assert not np.shares_memory(first["overview"], second["overview"])
    envs.close()


def test_an_error_in_one_environment_is_raised_after_all_have_ended() -> None:
    envs = ZoomVectorEnv(2, **SMALL)
    with pytest.raises(TaskError, match="task_id needs to be one of"):
        envs.reset(options={"task_id": "nope"})
    envs.reset(seed=0)
    envs.close()
    envs.close()


def test_an_episode_that_its_video_ended_is_followed_by_another_one() -> None:
    envs = ZoomVectorEnv(2, on_video_error="skip", **SMALL)
    envs.reset(seed=0)
    video = envs.envs[1]._video
    assert video is not None

    def fail(*args: Any) -> Any:
        raise VideoError("flaky.mp4: broken")

    video.frames_at = fail  # type: ignore[method-assign]
    zoom = '{"segment": [4, 6], "fps": 8}'
    _, _, terminated, truncated, info = envs.step([zoom] * 2)
    assert terminated.tolist() == [False, False]
    assert truncated.tolist() == [False, True]
    assert info["end_reason"].tolist() == ["", "video_error"]
    _, _, terminated, truncated, info = envs.step([zoom] * 2)
    assert not (terminated | truncated).any()
    assert info["turns_used"].tolist() == [2, 0]
    envs.close()


def test_wrong_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="num_envs needs at least 1, got 0"):
        ZoomVectorEnv(0)
    envs = ZoomVectorEnv(2, **SMALL)
    with pytest.raises(ValueError, match="seed needs 2 numbers, got 3"):
        envs.reset(seed=[1, 2, 3])
    envs.close()


def test_it_renders_every_episode() -> None:
    envs = ZoomVectorEnv(2, render_mode="ansi", **SMALL)
    envs.reset(seed=0)
    texts = envs.render()
    assert len(texts) == 2
    assert all(text.startswith("Task: ") for text in texts)
    envs.close()
