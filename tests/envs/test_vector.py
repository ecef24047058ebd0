"""Many episodes in one process: the same as one after the other."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from zoomgym import TaskError, VideoError
from zoomgym.envs import vector
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.envs.vector import ZoomVectorEnv, ZoomVectorEnvDiscrete
from zoomgym.errors import GradingError
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.synthetic import SyntheticTasks
from zoomgym.tasks.synthetic import drawn as drawn_module
from zoomgym.video import Video

SMALL: dict[str, Any] = {"source": "scene", "max_pixels": 256, "frame_size": (16, 16)}


class OpenTasks(SyntheticTasks):
    """Two open-ended questions, answered by `so`; their videos may break."""

    is_broken = False

    def __init__(self) -> None:
        super().__init__(("flash",), "train", 60, "easy", "scene")

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> VideoQuestion:
        return VideoQuestion(f"task-{index}", super().__getitem__(index).video, "Is it?", "so")

    def by_id(self, task_id: str) -> VideoQuestion:
        return self[int(task_id[-1])]

    def open_video(self, task: VideoQuestion) -> Video:
        if OpenTasks.is_broken:
            raise VideoError("broken.mp4: cut off")
        return super().open_video(task)


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
    viewing = envs.envs[1]._viewing
    assert viewing is not None
    video = viewing.video

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


ZOOM = '{"segment": [4, 6], "fps": 8}'


def break_video(envs: ZoomVectorEnv, index: int) -> None:
    """Has the video of one environment fail until its next reset."""
    viewing = envs.envs[index]._viewing
    assert viewing is not None
    video = viewing.video

    def fail(*args: Any) -> Any:
        raise VideoError("flaky.mp4: broken")

    video.frames_at = fail  # type: ignore[method-assign]


def right_answers(envs: ZoomVectorEnv) -> list[str]:
    return [f'{{"answer": "{env.episode.task.truth}"}}' for env in envs.envs]


def test_what_others_earned_is_kept_when_one_environment_fails() -> None:
    envs = ZoomVectorEnv(3, **SMALL)
    envs.reset(seed=0)
    answers = right_answers(envs)
    task_ids = [env.episode.task.id for env in envs.envs]
    break_video(envs, 1)
    with pytest.raises(VideoError, match="broken") as failure:
        envs.step([answers[0], ZOOM, answers[2]])
    assert failure.value.__notes__ == [
        "in environment 1 of 0 to 2: call step again, which plays there and returns what the "
        "others keep"
    ]
    with pytest.raises(VideoError, match="broken"):  # it is the same zoom into the same video
        envs.step(["passed over", ZOOM, "passed over"])
    observation, rewards, terminated, truncated, info = envs.step(["no", answers[1], "no"])
    assert rewards.tolist() == [1.0, 1.0, 1.0]
    assert (terminated.tolist(), truncated.tolist()) == ([True] * 3, [False] * 3)
    assert info["task_id"].tolist() == task_ids
    assert info["turns_used"].tolist() == [1, 1, 1]
    assert observation["turns_left"].tolist() == [0, 0, 0]
    _, rewards, terminated, _, info = envs.step([ZOOM] * 3)
    assert (rewards.tolist(), terminated.tolist()) == ([0.0] * 3, [False] * 3)
    assert info["turns_used"].tolist() == [0, 0, 0]
    envs.close()


def test_several_failures_are_named_and_the_first_is_raised() -> None:
    envs = ZoomVectorEnv(4, **SMALL)
    envs.reset(seed=0)
    break_video(envs, 1)
    break_video(envs, 3)
    with pytest.raises(VideoError, match="broken") as failure:
        envs.step([ZOOM] * 4)
    assert "in environment 1, 3 of 0 to 3" in failure.value.__notes__[0]
    *_, info = envs.step(["no answer"] * 4)
    assert info["zooms"].tolist() == [1, 0, 1, 0]
    assert info["turns_used"].tolist() == [1, 1, 1, 1]
    envs.close()


def test_an_answer_that_could_not_be_graded_is_graded_when_it_is_sent_again() -> None:
    class Down:
        """A judge that is away at first."""

        name = "down"
        calls = 0

        def is_right(self, question: str, truth: str, text: str) -> bool:
            self.calls += 1
            if self.calls == 1:
                raise GradingError("the judge does not answer: ask again")
            return text == truth

    envs = ZoomVectorEnv(2, tasks=OpenTasks(), frame_size=(0, 0), max_pixels=256)
    envs.envs[1].grader = Down()
    envs.reset(seed=0)
    sent = ['{"answer": "so"}', '{"answer": "so"}']
    with pytest.raises(GradingError, match="ask again"):
        envs.step(sent)
    _, rewards, terminated, *_ = envs.step(sent)
    assert rewards.tolist() == [1.0, 1.0]
    assert terminated.tolist() == [True, True]
    envs.close()


def test_a_video_that_fails_when_the_next_episode_starts_loses_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    envs = ZoomVectorEnv(2, tasks=OpenTasks(), frame_size=(0, 0), max_pixels=256)
    envs.reset(seed=1)
    envs.step(['{"answer": "so"}', "nonsense"])
    with monkeypatch.context() as patch:
        patch.setattr(OpenTasks, "is_broken", True)
        with pytest.raises(VideoError, match="cut off"):
            envs.step(["passed over", '{"answer": "so"}'])
    _, rewards, terminated, _, info = envs.step(["passed over", "passed over"])
    assert rewards.tolist() == [0.0, 0.9]
    assert terminated.tolist() == [False, True]
    assert info["turns_used"].tolist() == [0, 2]
    envs.close()


def test_a_reset_starts_all_after_a_failure() -> None:
    envs = ZoomVectorEnv(2, **SMALL)
    envs.reset(seed=0)
    break_video(envs, 0)
    with pytest.raises(VideoError, match="broken"):
        envs.step([ZOOM, '{"answer": "A"}'])
    envs.reset(seed=5)
    _, _, terminated, _, info = envs.step([ZOOM] * 2)
    assert not terminated.any()
    assert info["zooms"].tolist() == [1, 1]
    envs.close()


def test_an_interrupted_step_is_not_played_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    envs = ZoomVectorEnv(2, **SMALL)
    envs.reset(seed=0)

    def interrupt(futures: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(vector, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            envs.step([ZOOM] * 2)
    *_, info = envs.step(["passed over"] * 2)
    assert info["zooms"].tolist() == [1, 1]
    assert info["turns_used"].tolist() == [1, 1]
    envs.close()


def test_a_reply_that_is_no_text_fails_alone() -> None:
    envs = ZoomVectorEnv(2, **SMALL)
    envs.reset(seed=0)
    with pytest.raises(TypeError, match="a reply needs to be a text, got int"):
        envs.step([5, ZOOM])  # type: ignore[list-item]
    *_, info = envs.step([ZOOM, "passed over"])
    assert info["zooms"].tolist() == [1, 1]
    with pytest.raises(ValueError, match="actions needs 2 replies, got 3"):
        envs.step([ZOOM] * 3)
    *_, info = envs.step([ZOOM] * 2)
    assert info["zooms"].tolist() == [2, 2]
    envs.close()


def test_before_the_first_reset_a_step_says_so_and_a_reset_helps() -> None:
    envs = ZoomVectorEnv(2, **SMALL)
    with pytest.raises(ResetNeeded, match="call reset first"):
        envs.step([ZOOM] * 2)
    envs.reset(seed=0)
    *_, info = envs.step([ZOOM] * 2)
    assert info["zooms"].tolist() == [1, 1]
    envs.close()


# Environments that take numbers -------------------------------------------------------------------

MENU: dict[str, Any] = {"source": "scene", "cell_px": 8, "max_pixels": 256}


def legal(envs: ZoomVectorEnvDiscrete, rng: np.random.Generator) -> list[int]:
    """Returns an action for each environment that its rules would execute."""
    return [int(rng.choice(np.flatnonzero(masks))) for masks in envs.action_masks()]


@pytest.mark.long
@pytest.mark.parametrize("more", [{}, {"max_pixels": 64}, {"tasks": "synthetic:count"}])
def test_scenes_that_are_drawn_together_are_those_that_each_draws_alone(
    more: dict[str, Any],
) -> None:
    envs = gym.make_vec("zoomgym:ZoomEnvDiscrete-v0", num_envs=3, **{**MENU, **more}).unwrapped
    assert isinstance(envs, ZoomVectorEnvDiscrete)
    theirs = gym.make_vec(
        "ZoomEnvDiscrete-v0", num_envs=3, vectorization_mode="sync", **{**MENU, **more}
    )
    rng = np.random.default_rng(0)
    outcomes = [one.reset(seed=4) for one in (envs, theirs)]
    num_episodes = 3
    while num_episodes < 12:
        ours, others = outcomes
        assert set(ours[0]) == set(others[0])
        for name, value in others[0].items():
            assert (ours[0][name].dtype, ours[0][name].tolist()) == (value.dtype, value.tolist())
        for one, other in zip(ours[1:-1], others[1:-1], strict=True):
            assert one.tolist() == other.tolist()
        assert {name: str(value) for name, value in ours[-1].items()} == {
            name: str(value) for name, value in others[-1].items()
        }
        num_episodes += int((ours[-1]["turns_used"] == 0).sum())
        actions = legal(envs, rng)
        outcomes = [one.step(np.array(actions)) for one in (envs, theirs)]
    envs.close()
    theirs.close()


def test_all_scenes_of_a_step_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[list[int]] = []
    draw_all = drawn_module.draw_all

    def noted(shots: Any, size: tuple[int, int]) -> Any:
        drawn.append([len(indexes) for _, indexes in shots])
        return draw_all(shots, size)

    monkeypatch.setattr(drawn_module, "draw_all", noted)
    envs = ZoomVectorEnvDiscrete(3, **MENU)
    envs.reset(seed=0)
    zooms = [(zoom.frames_per_bin, zoom.num_bins) for zoom in envs.envs[0].form.zooms]
    answer = len(zooms)
    envs.step([zooms.index((4, 1)), answer, zooms.index((8, 2))])
    envs.step([answer] * 3)  # the second one starts another episode: it is drawn alone
    assert drawn == [[64, 64, 64], [4, 16]]
    seconds = [env.zoom_env.decode_s for env in envs.envs]
    assert min(seconds) > 0
    envs.close()


def test_what_a_step_returns_is_not_changed_by_later_ones() -> None:
    envs = ZoomVectorEnvDiscrete(2, **MENU)
    before, _ = envs.reset(seed=0)
    kept = {name: value.copy() for name, value in before.items()}
    masks = envs.action_masks()
    envs.step([0, 1])
    assert all(np.array_equal(before[name], value) for name, value in kept.items())
    assert masks.shape == (2, envs.single_action_space.n)  # type: ignore[attr-defined]
    envs.close()


def test_a_number_that_is_no_action_costs_the_others_nothing() -> None:
    envs = ZoomVectorEnvDiscrete(3, **MENU)
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="choice needs to be 0 to 118, got 999") as failure:
        envs.step([0, 999, 1])
    assert "in environment 1 of 0 to 2" in failure.value.__notes__[0]
    *_, info = envs.step([5, 0, 5])
    assert info["zooms"].tolist() == [1, 1, 1]
    assert [env.zoom_env.episode.turns[0].zoom.start_s for env in envs.envs] == [0, 0, 3.75]
    envs.close()


def test_a_scene_plays_in_this_thread_and_files_in_several() -> None:
    assert isinstance(ZoomVectorEnvDiscrete(2, **MENU)._pool, vector.InThisThread)
    several = ZoomVectorEnvDiscrete(2, num_threads=2, **MENU)
    assert not isinstance(several._pool, vector.InThisThread)
    several.reset(seed=0)
    several.close()


def test_a_vector_sees_a_single_environment_as_that_sees_itself() -> None:
    envs, alone = ZoomVectorEnvDiscrete(1, **MENU), ZoomEnvDiscrete(**MENU)
    seen, alone_seen = envs.reset(seed=3)[0], alone.reset(seed=3)[0]
    assert all(np.array_equal(seen[name][0], value) for name, value in alone_seen.items())
    envs.close()
