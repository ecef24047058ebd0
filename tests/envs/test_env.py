"""The Gymnasium face: spaces, seeds, vectors, pickles, files."""

import copy
import hashlib
import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

import zoomgym
from tests.playing import play_episode
from zoomgym import TaskError, VideoError, ZoomEnv
from zoomgym.agent.observation import Observation, episode_key
from zoomgym.envs.spaces import ReplySpace, to_dict
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.timeline import Segment
from zoomgym.tasks.datasets import write_manifest
from zoomgym.tasks.synthetic import FAMILIES, SyntheticTasks
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.video import VideoFile

FULL_ZOOM = '{"segment": [4, 6], "fps": 8}'


def scene_env(**settings: Any) -> ZoomEnv:
    return ZoomEnv(**{"source": "scene", "frame_size": (28, 28), **settings})


def digest(observation: dict[str, Any], *rest: Any) -> str:
    parts = [
        f"{k}:{v.tobytes() if isinstance(v, np.ndarray) else v}" for k, v in observation.items()
    ]
    return hashlib.sha256(repr((parts, rest)).encode()).hexdigest()


def trajectory(env: gym.Env[Any, Any], seed: int, num_steps: int = 12) -> list[str]:
    """Plays sampled actions, and returns a digest of everything that came out."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    out = [digest(observation, info)]
    for _ in range(num_steps):
        action = env.action_space.sample()
        observation, reward, terminated, truncated, info = env.step(action)
        out.append(digest(observation, action, reward, terminated, truncated, info))
        if terminated:
            observation, info = env.reset()
            out.append(digest(observation, info))
    return out


@pytest.mark.long
@pytest.mark.parametrize("settings", [{}, {"grammar": "video_zoom", "max_turns": 1}])
def test_the_environment_passes_gymnasiums_checker_without_a_warning(
    settings: dict[str, Any],
) -> None:
    check_env(gym.make("ZoomEnv-v0", source="scene", frame_size=(28, 28), **settings).unwrapped)


def file_env() -> ZoomEnv:
    env = ZoomEnv("synthetic:overview", duration_s=30, frame_size=(28, 28))
    env.tasks = OnlyFirst(env.tasks)  # type: ignore[assignment, arg-type]
    return env


@pytest.mark.long
def test_the_environment_on_files_passes_the_checker(tmp_path: Path, clip: Path) -> None:
    tasks = manifest_of(tmp_path, clip)
    env = gym.make("zoomgym:ZoomEnv-v0", tasks=tasks, frame_size=(28, 28))
    check_env(env.unwrapped)
    env.close()


class OnlyFirst:
    """The first task of a set, so that few files are written."""

    def __init__(self, tasks: SyntheticTasks) -> None:
        self._tasks = tasks
        self.name, self.version = tasks.name, tasks.version

    @property
    def content_hash(self) -> str:
        return self._tasks.content_hash

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> VideoQuestion:
        return self._tasks[0]

    def by_id(self, task_id: str) -> VideoQuestion:
        return self._tasks.by_id(task_id)

    def open_video(self, task: VideoQuestion) -> Any:
        return self._tasks.open_video(task)


def test_the_overview_is_what_the_video_shows_at_its_times() -> None:
    env = scene_env(frame_size=(256, 256))
    observation, info = env.reset(seed=0)
    task = env.tasks.by_id(info["task_id"])
    video = env.tasks.open_video(task)
    assert np.array_equal(observation["overview_t"], np.linspace(0, 60 - 1 / 12, 64))
    shown = video.frames_at(observation["overview_t"].tolist(), (256, 256))
    assert np.array_equal(observation["overview"], shown)
    assert observation["duration"].tolist() == [60.0]
    lines = observation["question"].split("\n")
    assert (lines[0], lines[2]) == (task.question, f"B. {task.options[1]}")


def test_a_zoom_fills_the_clip_and_charges_the_budget() -> None:
    env = scene_env()
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(FULL_ZOOM)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert observation["clip_t"].tolist() == [4 + k / 8 for k in range(16)] + [-1.0] * 48
    assert observation["clip_call"].tolist() == [0] * 16 + [-1] * 48
    assert observation["clip"][:16].any(axis=(1, 2, 3)).all()
    assert not observation["clip"][16:].any()
    assert observation["clip"][observation["clip_t"] >= 0].shape == (16, 28, 28, 3)
    assert (observation["frames_left"], observation["turns_left"]) == (48, 4)
    assert (info["zooms"], info["frames_used"], info["turns_used"]) == (1, 80, 1)
    observation, *_ = env.step('{"segment": [10, 12], "fps": 1}')
    assert observation["clip_call"].tolist() == [0] * 16 + [1] * 2 + [-1] * 46
    assert observation["clip_t"][16:18].tolist() == [10.0, 11.0]


def test_an_answer_ends_the_episode_with_its_reward() -> None:
    env = scene_env()
    _, info = env.reset(seed=0)
    assert (info["answer"], info["truth"], info["is_success"]) == ("", "", False)
    truth = env.episode.task.truth
    env.step(FULL_ZOOM)
    _, reward, terminated, _, info = env.step(f'{{"answer": "{truth}"}}')
    assert (reward, terminated) == (1.5, True)
    assert type(reward) is float
    assert (info["answer"], info["truth"], info["end_reason"]) == (truth, truth, "answered")
    assert (info["reward_accuracy"], info["reward_format"], info["reward_tool"]) == (1, 1, 1)
    assert info["is_success"] is True
    with pytest.raises(ResetNeeded, match=r"episode is over .answered.: call reset"):
        env.step(FULL_ZOOM)


def test_a_refused_reply_stands_in_info_and_feedback() -> None:
    env = scene_env()
    _, first = env.reset(seed=0)
    observation, reward, _, _, info = env.step('{"segment": [4, 6], "fps": 9}')
    assert info["error"] == "zoom needs at most 16 frames, got 18: shorten it or lower fps"
    assert observation["feedback"] == f"{info['error']}. Frames left: 64. Turns left: 4."
    assert (reward, observation["turns_left"], info["frames_used"]) == (0.0, 4, 64)
    assert first.keys() == info.keys()


def test_weights_change_the_reward_and_not_the_raw_terms() -> None:
    env = scene_env(reward_weights={"tool": 0.0, "zoom_cost": -0.25})
    env.reset(seed=0)
    env.step(FULL_ZOOM)
    *_, reward, _, _, info = env.step(f'{{"answer": "{env.episode.task.truth}"}}')
    assert reward == 0.75
    assert (info["reward_tool"], info["reward_zoom_cost"]) == (1.0, 1.0)


def test_terms_that_weights_name_are_in_info_at_every_step() -> None:
    env = scene_env(reward_weights={"evidence_iou": 1, "repeat_cost": -0.5})
    _, first = env.reset(seed=0)
    infos = [env.step(FULL_ZOOM)[4] for _ in range(2)]
    [*evidence] = map(list, env.episode.task.evidence)
    answer = {"answer": env.episode.task.truth, "evidence": evidence}
    *_, reward, _, _, last = env.step(json.dumps(answer))
    assert (last["reward_evidence_iou"], last["reward_repeat_cost"], reward) == (1.0, 1.0, 2.0)
    assert (first["reward_evidence_iou"], first["reward_repeat_cost"]) == (0.0, 0.0)
    assert all(info.keys() == first.keys() for info in (*infos, last))


def test_two_environments_with_one_seed_give_the_same_trajectory() -> None:
    first, second = (trajectory(scene_env(), seed=11) for _ in range(2))
    assert first == second
    assert first != trajectory(scene_env(), seed=12)


def test_one_environment_seeded_again_repeats_itself() -> None:
    env = scene_env()
    assert trajectory(env, seed=3) == trajectory(env, seed=3)


@pytest.mark.long
def test_scenes_and_files_give_the_same_trajectory_in_every_process() -> None:
    code = (
        "from tests.envs.test_env import file_env, scene_env, trajectory; "
        "print(*trajectory(scene_env(), seed=5), *trajectory(file_env(), 5, 2))"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    env = file_env()
    assert printed.split() == trajectory(scene_env(), seed=5) + trajectory(env, 5, 2)
    env.close()


def test_frames_may_be_left_out_of_the_dict_observation_and_of_nothing_else() -> None:
    with_frames, without = scene_env(), scene_env(frame_size=(0, 0))
    zoom = '{"segment": [1, 2], "fps": 4}'
    for one, other in zip(
        (with_frames.reset(seed=0)[0], with_frames.step(zoom)[0]),
        (without.reset(seed=0)[0], without.step(zoom)[0]),
        strict=True,
    ):
        assert other in without.observation_space
        assert other.pop("overview").shape == other.pop("clip").shape == (64, 0, 0, 3)
        for name, value in other.items():
            assert np.array_equal(value, one[name]), name
    for one_shown, other_shown in (
        (with_frames.observation.overview, without.observation.overview),
        (with_frames.observation.clips[0], without.observation.clips[0]),
    ):
        assert np.array_equal(one_shown.images, other_shown.images)


def test_the_task_can_be_named_and_nothing_else_can_be_asked_of_reset() -> None:
    env = scene_env(tasks="synthetic:order")
    _, info = env.reset(options={"task_id": "order-easy-60s-train-00042"})
    assert (info["task_id"], info["category"]) == ("order-easy-60s-train-00042", "order")
    with pytest.raises(
        TaskError, match=r"options need to be {'task_id': ..} or None, got {'id': 1}"
    ):
        env.reset(options={"id": 1})
    with pytest.raises(TaskError, match="task_id needs to be one of synthetic:order"):
        env.reset(options={"task_id": "nope"})
    with pytest.raises(TaskError, match="task_id needs to be a text, got 3"):
        env.reset(options={"task_id": 3})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"tasks": "nope"}, TaskError, "tasks needs `synthetic`"),
        ({"grammar": "xml"}, ValueError, "grammar needs one of"),
        ({"frame_size": (0, 5)}, ValueError, "frame_size needs .H, W. from 1 to 4096 pixels"),
        ({"frame_size": (5,)}, ValueError, "frame_size needs"),
        ({"frame_size": 112}, ValueError, "frame_size needs .* got 112"),
        ({"max_pixels": 0}, ValueError, "max_pixels needs a whole number >= 1, got 0"),
        ({"max_pixels": 1.5}, ValueError, "max_pixels needs a whole number >= 1, got 1.5"),
        ({"tasks": None}, TaskError, "tasks needs a name, a path or a TaskSet, got None"),
        ({"tasks": "synthetic:flash,flash"}, TaskError, "families need to differ"),
        ({"difficulty": ["easy"]}, TaskError, "difficulty needs one of .* got \\['easy'\\]"),
        ({"grammar": ["json"]}, ValueError, "grammar needs one of"),
        ({"render_mode": "svg"}, ValueError, "render_mode needs one of .None, 'human'"),
        ({"on_damage": "hide"}, ValueError, "on_damage needs one of"),
        ({"on_video_error": "ignore"}, ValueError, "on_video_error needs one of"),
        ({"limits": {"hours": 1}}, ValueError, "limits need a mapping from names of"),
        ({"limits": {"call_s": -1}}, ValueError, "limits need numbers > 0, got call_s=-1"),
        ({"reward_weights": {"tools": 1}}, ValueError, "reward_weights needs names from"),
    ],
)
def test_wrong_arguments_are_refused(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        scene_env(**settings)


def test_numbers_of_numpy_and_paths_are_taken_for_what_they_are(tmp_path: Path, clip: Path) -> None:
    env = ZoomEnv(
        Path(manifest_of(tmp_path, clip)),
        num_overview=np.int64(4),  # type: ignore[arg-type]
        frame_size=(np.int64(8), np.int64(9)),  # type: ignore[arg-type]
    )
    observation, _ = env.reset(seed=0)
    assert observation["overview"].shape == (4, 8, 9, 3)
    json.dumps(env.settings)


def test_render_without_a_mode_says_what_to_do() -> None:
    env = scene_env()
    env.reset(seed=0)
    with pytest.warns(UserWarning, match="give render_mode when making the environment"):
        assert env.render() is None


def test_nothing_works_before_the_first_reset() -> None:
    with pytest.raises(ResetNeeded, match="no episode yet"):
        scene_env().step(FULL_ZOOM)
    with pytest.raises(ResetNeeded, match="no episode yet"):
        _ = scene_env().observation


def test_a_reply_that_is_no_text_is_the_callers_mistake() -> None:
    env = scene_env()
    env.reset(seed=0)
    with pytest.raises(TypeError, match="a reply needs to be a text, got dict"):
        env.step({"answer": "B"})  # type: ignore[arg-type]


def test_hostile_text_stays_inside_the_spaces() -> None:
    task = VideoQuestion(
        id="q", video="x", question="Wo ist der Bär? \ud800 \x1b[31m 中 " + "x" * 5000,
        answer="A", options=("ä", "b\u202e"),
    )  # fmt: skip
    env = scene_env(tasks=Fixed(task))
    observation, _ = env.reset(seed=0)
    assert observation in env.observation_space
    assert observation["question"].startswith("Wo ist der Bar? ? ?[31m ? ")
    assert env.observation.question == task.question
    observation, *_ = env.step("\ud800\x1b" * 1000)
    assert observation in env.observation_space


class Fixed(OnlyFirst):
    """One task of our own on a synthetic scene."""

    def __init__(self, task: VideoQuestion) -> None:
        super().__init__(SyntheticTasks(("flash",), "train", 30, "easy", "scene"))
        self._task = task

    def __getitem__(self, index: int) -> VideoQuestion:
        return self._task

    def open_video(self, task: VideoQuestion) -> Any:
        return self._tasks.open_video(self._tasks[0])


def test_observations_are_fresh_copies() -> None:
    env = scene_env()
    first, _ = env.reset(seed=0)
    second, *_ = env.step(FULL_ZOOM)
    for name in ("overview", "overview_t", "clip", "clip_t", "clip_call", "duration"):
        assert not np.shares_memory(first[name], second[name])
    first["overview"][:] = 0
    third, *_ = env.step(FULL_ZOOM)
    assert np.array_equal(second["overview"], third["overview"])


def test_what_agents_see_is_frozen_and_at_the_videos_own_size() -> None:
    env = scene_env()
    env.reset(seed=0)
    env.step(FULL_ZOOM)
    seen = env.observation
    assert seen.overview.images.shape == (64, 256, 256, 3)
    assert [clip.images.shape for clip in seen.clips] == [(16, 256, 256, 3)]
    assert seen.evidence == ()
    with pytest.raises(ValueError, match="read-only"):
        seen.overview.images[0] = 0
    small = scene_env(max_pixels=1024)
    small.reset(seed=0)
    assert small.observation.overview.images.shape == (64, 32, 32, 3)


def test_a_fresh_start_forgets_the_last_episode() -> None:
    env = scene_env()
    env.reset(seed=0)
    env.step(FULL_ZOOM)
    observation, info = env.reset()
    assert (observation["frames_left"], info["turns_used"], info["zooms"]) == (64, 0, 0)
    assert not observation["clip"].any()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_in_mid_episode_goes_on_alike(copied: Any) -> None:
    for env in (scene_env(), file_env()):
        env.reset(seed=4)
        env.step(FULL_ZOOM)
        twin = copied(env)
        outcomes = [digest(*one.step('{"segment": [8, 9], "fps": 4}')) for one in (env, twin)]
        assert outcomes[0] == outcomes[1]
        assert digest(*env.reset()) == digest(*twin.reset())
        env.close()
        twin.close()


def test_a_spec_goes_to_json_and_back() -> None:
    env = gym.make("ZoomEnv-v0", tasks="synthetic:flash", source="scene", frame_size=(28, 28))
    assert env.spec is not None
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert isinstance(again.unwrapped, ZoomEnv)
    assert again.unwrapped.frame_size == (28, 28)
    assert trajectory(env, 1, 3) == trajectory(again, 1, 3)


@pytest.mark.long
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_async_vectors_run_sampled_actions_over_shared_memory(context: str) -> None:
    envs = gym.make_vec(
        "zoomgym:ZoomEnv-v0",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"context": context, "shared_memory": True},
        tasks="synthetic:flash",
        source="scene",
        frame_size=(16, 16),
        max_pixels=256,
    )
    observation, _ = envs.reset(seed=[9, 9])
    assert np.array_equal(observation["overview"][0], observation["overview"][1])
    envs.action_space.seed(0)
    for _ in range(10):
        observation, rewards, *_ = envs.step(envs.action_space.sample())
        assert observation["overview"].shape == (2, 64, 16, 16, 3)
        assert ((rewards >= 0) & (rewards <= 1.5)).all()
    envs.close()


@pytest.mark.slow
def test_four_async_environments_run_a_hundred_steps_of_samples(tmp_path: Path) -> None:
    envs = gym.make_vec(
        "zoomgym:ZoomEnv-v0",
        num_envs=4,
        vectorization_mode="async",
        tasks="synthetic:flash",
        duration_s=30,
        cache_dir=str(tmp_path),
    )
    envs.reset(seed=0)
    for _ in range(100):
        envs.step(envs.action_space.sample())
    envs.close()


def test_sync_vectors_with_equal_seeds_play_equal_episodes() -> None:
    envs = gym.make_vec(
        "ZoomEnv-v0", num_envs=3, vectorization_mode="sync", source="scene", frame_size=(16, 16)
    )
    _, info = envs.reset(seed=[5, 5, 5])
    assert len(set(info["task_id"])) == 1
    envs.step([FULL_ZOOM] * 3)
    envs.close()


@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
def test_samples_are_well_formed_and_mostly_executed(grammar: str) -> None:
    env = scene_env(grammar=grammar, max_pixels=256)
    env.action_space.seed(0)
    outcomes = []
    for seed in range(60):
        env.reset(seed=seed)
        env.step(env.action_space.sample())
        [turn] = env.episode.turns
        assert turn.is_well_formed
        outcomes.append("zoom" if turn.zoom else "answer" if env.episode.is_over else "refused")
    assert (outcomes.count("zoom"), outcomes.count("refused")) > (30, 0)
    assert outcomes.count("answer") > 8
    assert outcomes.count("refused") == 0


def test_a_sample_under_a_mask_is_plain_text() -> None:
    space = scene_env().action_space
    assert isinstance(space, ReplySpace)
    space.seed(0)
    mask = np.zeros(len(space.character_list), np.int8)
    mask[space.character_index("B")] = 1
    assert set(space.sample(mask=(5, mask))) == {"B"}
    assert space.sample() in space


def manifest_of(folder: Path, *paths: Path) -> str:
    tasks = [
        VideoQuestion(id=f"q{i}", video=str(path), question="?", answer="A", options=("x", "y"))
        for i, path in enumerate(paths)
    ]
    write_manifest(folder / "my.jsonl", tasks)
    return str(folder / "my.jsonl")


@pytest.fixture(scope="module")
def clip() -> Path:
    tasks = file_env().tasks
    with tasks.open_video(tasks[0]) as video:
        return Path(video.path)


def test_a_manifest_plays_through_the_environment(tmp_path: Path, clip: Path) -> None:
    env = gym.make("zoomgym:ZoomEnv-v0", tasks=manifest_of(tmp_path, clip)).unwrapped
    assert isinstance(env, ZoomEnv)
    env.reset(seed=0)
    env.step(FULL_ZOOM)
    seen: list[NDArray[np.uint8]] = [
        env.observation.overview.images,
        env.observation.clips[0].images,
    ]
    times_s = [*env.episode.overview_s, *env.episode.clip_s]
    with VideoFile(clip) as video:
        assert np.array_equal(np.concatenate(seen), video.frames_at(times_s, (256, 256)))
    assert env.decode_s > 0
    env.close()


def test_a_broken_video_is_an_error_or_another_draw(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    tasks = manifest_of(tmp_path, tmp_path / "broken.mp4", clip)
    strict = ZoomEnv(tasks)
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        strict.reset(options={"task_id": "q0"})
    lenient = ZoomEnv(tasks, on_video_error="skip")
    skipped = 0
    for seed in range(8):
        _, info = lenient.reset(seed=seed)
        assert info["task_id"] == "q1"
        skipped += info["videos_skipped"]
    assert skipped > 0
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        lenient.reset(options={"task_id": "q0"})
    lenient.close()


class Flaky:
    """A video whose frames fail when told to."""

    duration_s, last_frame_s, size, num_damaged = 60.0, 59.0, (8, 8), 0
    fails = False

    def frames_at(self, times_s: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
        if self.fails:
            raise VideoError("flaky.mp4: broken")
        return np.zeros((len(times_s), *size, 3), np.uint8)

    def close(self) -> None:
        pass


def test_damage_is_counted_in_info_or_an_error(tmp_path: Path, clip: Path) -> None:
    content = bytearray(clip.read_bytes())
    third = len(content) // 3
    content[third : 2 * third] = bytes(third)
    (tmp_path / "hurt.mp4").write_bytes(content)
    tasks = manifest_of(tmp_path, tmp_path / "hurt.mp4")
    _, info = ZoomEnv(tasks).reset(seed=0)
    assert 0 < info["frames_damaged"] < 64
    with pytest.raises(VideoError, match=r"hurt\.mp4: needed 64 whole frames"):
        ZoomEnv(tasks, on_damage="raise").reset(seed=0)
    _, info = ZoomEnv(manifest_of(tmp_path, clip)).reset(seed=0)
    assert info["frames_damaged"] == 0


def test_a_video_that_fails_leaves_no_half_played_turn() -> None:
    video = Flaky()
    env = scene_env(tasks=Fixed(VideoQuestion(id="q", video="v", question="?", answer="A")))
    env.tasks.open_video = lambda task: video  # type: ignore[method-assign]
    env.reset(seed=0)
    video.fails = True
    with pytest.raises(VideoError, match="flaky"):
        env.step(FULL_ZOOM)
    assert (env.episode.turns, env.episode.budget.left, env.observation.clips) == ((), 64, ())
    with pytest.raises(VideoError, match="flaky"):
        env.reset()
    with pytest.raises(ResetNeeded, match="no episode yet"):
        env.step(FULL_ZOOM)


@pytest.mark.parametrize("text", ["e1", "E+9", ".", "1e999", "9" * 60_000, "1/0", "\u0660"])
def test_an_answer_that_only_looks_like_a_number_is_wrong_and_ends_the_episode(text: str) -> None:
    task = VideoQuestion(id="q", video="v", question="How many?", answer="5")
    env = scene_env(tasks=Fixed(task))
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step(json.dumps({"answer": text}))
    assert (reward, terminated, truncated) == (0.1, True, False)
    assert (info["end_reason"], info["is_success"], info["turns_used"]) == ("answered", False, 1)


def test_a_renamed_task_is_shown_under_the_same_key(tmp_path: Path, clip: Path) -> None:
    keys = set()
    for index, name in enumerate(("a.mp4", "b.mp4")):
        folder = tmp_path / str(index)
        folder.mkdir()
        (folder / name).write_bytes(clip.read_bytes())
        row = VideoQuestion(
            id=f"q{index}",
            video=name,
            question="?",
            answer="AB"[index],
            options=("x", "y"),
            evidence=(Segment(1, 2),) * index,
            category=name,
        )
        write_manifest(folder / "my.jsonl", [row])
        env = ZoomEnv(folder / "my.jsonl")
        env.reset(seed=5, options={"task_id": row.id})
        keys.add(env.observation.episode_key)
        env.reset(seed=5, options={"task_id": row.id})
        keys.add(env.observation.episode_key)
    assert len(keys) == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_tasks_of_a_family_are_told_apart_by_their_pictures_alone(family: str) -> None:
    env = scene_env(tasks=f"synthetic:{family}", max_pixels=784)
    keys = set()
    for index in range(24):
        env.reset(seed=0, options={"task_id": env.tasks[index].id})
        keys.add(episode_key(0, "?", ("x", "y"), 60.0, env.observation.overview))
    assert len(keys) == 24


def test_a_table_of_public_ids_finds_no_task_by_its_key() -> None:
    env = scene_env(tasks="synthetic:flash", max_pixels=784)
    ids = [env.tasks[index].id for index in range(1000)]
    hashes = (hashlib.md5, hashlib.sha1, hashlib.sha256, hashlib.blake2b)
    table = {make(name.encode()).hexdigest()[:8] for make in hashes for name in ids}
    for task_id in ids[:5]:
        env.reset(options={"task_id": task_id}, seed=0)
        key = env.observation.episode_key
        assert not table & {key[start : start + 8] for start in range(len(key))}


def test_another_seed_gives_another_key() -> None:
    env = scene_env(max_pixels=784)
    keys = set()
    for seed in (0, 0, 1):
        env.reset(options={"task_id": "flash-easy-60s-train-00001"}, seed=seed)
        keys.add(env.observation.episode_key)
    assert len(keys) == 2


def test_a_long_question_keeps_its_options() -> None:
    task = VideoQuestion(
        id="q", video="v", question="\u201cx\u201d" * 5000, answer="A", options=("y", "z")
    )
    observation, _ = scene_env(tasks=Fixed(task)).reset(seed=0)
    assert observation["question"].startswith('"x""x"')
    assert observation["question"].endswith("\nA. y\nB. z")
    assert len(observation["question"]) == 4096


def test_what_a_video_may_cost_can_be_set(tmp_path: Path, clip: Path) -> None:
    tasks = manifest_of(tmp_path, clip)
    with pytest.raises(VideoError, match=r"within 1e-06 s of processor time"):
        ZoomEnv(tasks, limits={"call_s": 1e-6}).reset(seed=0)
    _, info = ZoomEnv(tasks, limits={"call_s": 100}).reset(seed=0)
    assert info["frames_used"] == 64
    assert "limits" not in ZoomEnv(tasks, limits={"call_s": 100}).settings  # changes no result


def test_nothing_but_broken_videos_is_an_error_at_last(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    env = ZoomEnv(manifest_of(tmp_path, tmp_path / "broken.mp4"), on_video_error="skip")
    with pytest.raises(VideoError, match=r"broken\.mp4"):
        env.reset(seed=0)


def test_a_video_that_fails_in_a_zoom_can_end_its_episode(tmp_path: Path) -> None:
    video = Flaky()
    task = VideoQuestion(id="q", video="v", question="?", answer="A", options=("x", "y"))
    env = scene_env(tasks=Fixed(task), on_video_error="skip")
    env.tasks.open_video = lambda task: video  # type: ignore[method-assign]
    env.reset(seed=0)
    video.fails = True
    observation, reward, terminated, truncated, info = env.step(FULL_ZOOM)
    assert (reward, terminated, truncated) == (0.0, False, True)
    assert observation in env.observation_space
    assert (info["end_reason"], info["error"]) == ("video_error", "flaky.mp4: broken")
    assert (info["videos_skipped"], info["truth"], info["frames_used"]) == (1, "A", 64)
    with pytest.raises(ResetNeeded, match="the episode is over \\(video_error\\)"):
        env.step(FULL_ZOOM)
    video.fails = False
    _, info = env.reset()
    assert (info["end_reason"], info["error"], info["videos_skipped"]) == ("", "", 0)


def test_a_rollout_makes_no_record_of_an_episode_that_its_video_ended() -> None:
    video = Flaky()
    env = scene_env(
        tasks=Fixed(VideoQuestion(id="q", video="v", question="?", answer="A")),
        on_video_error="skip",
    )
    env.tasks.open_video = lambda task: video  # type: ignore[method-assign]

    class Breaker:
        """Sees to it that its zoom fails."""

        def reset(self, seed: int) -> None:
            pass

        def act(self, observation: Observation) -> str:
            video.fails = True
            return FULL_ZOOM

    with pytest.raises(VideoError, match="flaky"):
        play_episode(env, Breaker(), agent_name="breaker", seed=0)


def test_pictures_have_one_size_so_that_episodes_can_be_filmed(tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="RecordVideo needs MoviePy")
    made = gym.make("ZoomEnv-v0", source="scene", render_mode="rgb_array", max_pixels=4096)
    env = gym.wrappers.RecordVideo(made, str(tmp_path / "film"), episode_trigger=lambda _: True)
    env.reset(seed=0)
    env.step(FULL_ZOOM)
    env.step('{"answer": "A"}')
    env.close()
    [film] = tmp_path.glob("film/*.mp4")
    with VideoFile(film) as video:
        assert video.duration_s == 3.0


def test_the_text_face_tells_the_episode() -> None:
    env = scene_env(render_mode="ansi")
    env.reset(seed=0)
    text = env.render()
    assert isinstance(text, str)
    assert env.episode.task.question in text


def test_the_human_face_works_without_a_screen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    env = scene_env(render_mode="human")
    env.reset(seed=0)
    env.step(FULL_ZOOM)
    assert env.render() is None
    env.close()
    assert "no window can be opened" in caplog.text
    assert len(list(tmp_path.rglob("*.png"))) == 3


def test_the_version_is_that_of_the_package() -> None:
    assert zoomgym.__version__ == "0.1.0"


def test_small_frames_of_a_scene_are_drawn_small_unless_max_pixels_is_given() -> None:
    env, shrinking = scene_env(), scene_env(max_pixels=100_352)
    for one in (env, shrinking):
        one.reset(seed=1)
        one.step(FULL_ZOOM)
    drawn = scene_env(max_pixels=28 * 28)
    drawn.reset(seed=1)
    drawn.step(FULL_ZOOM)
    overview, clip = env.small_frames
    assert overview.tobytes() == drawn.observation.overview.images.tobytes()
    assert clip.tobytes() == drawn.observation.clips[0].images.tobytes()
    assert shrinking.small_frames[0].tobytes() != overview.tobytes()
    # what agents see is the same, and so is the episode
    assert env.observation.overview.images.shape[1:] == (256, 256, 3)
    assert env.episode == shrinking.episode
    assert env.settings == shrinking.settings


def test_a_reset_and_steps_draw_nothing_that_nobody_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    env, sizes, draw = scene_env(), [], Scene.draw

    def noted(scene: Scene, indexes: Any, size: tuple[int, int]) -> Any:
        sizes.append((len(indexes), *size))
        return draw(scene, indexes, size)

    monkeypatch.setattr(Scene, "draw", noted)
    env.reset(seed=1)
    env.step(FULL_ZOOM)
    env.step('{"answer": "A"}')
    assert sizes == [(64, 28, 28), (16, 28, 28)]
    env.observation  # noqa: B018
    assert sizes[2:] == [(64, 256, 256), (16, 256, 256)]


def test_a_fork_goes_on_apart_and_shares_what_was_shown() -> None:
    env = scene_env()
    env.reset(seed=1)
    env.step(FULL_ZOOM)
    twin = env.fork()
    assert twin.observation.overview is env.observation.overview
    twin.step('{"segment": [10, 12], "fps": 4}')
    assert [len(one.episode.turns) for one in (env, twin)] == [1, 2]
    assert [len(one.observation.clips) for one in (env, twin)] == [1, 2]
    seen, *_ = env.step('{"segment": [10, 12], "fps": 4}')
    assert env.episode == twin.episode
    assert digest(seen) == digest(to_dict(twin.episode, *twin.small_frames))


def test_a_fork_draws_its_own_random_numbers_from_the_same_state() -> None:
    env = scene_env()
    env.reset(seed=1)
    env.action_space.seed(2)
    twin = env.fork()
    sampled = [twin.action_space.sample() for _ in range(5)]
    assert [env.action_space.sample() for _ in range(5)] == sampled
    drawn = twin.reset()[1]["task_id"]
    assert env.reset()[1]["task_id"] == drawn


def test_a_fork_leaves_the_video_of_its_parent_open() -> None:
    env = file_env()
    env.reset(seed=1)
    twin = env.fork()
    twin.close()
    env.step(FULL_ZOOM)
    assert len(env.observation.clips) == 1
    twin.reset()  # opens its own
    env.close()
    twin.step(FULL_ZOOM)
    assert len(twin.observation.clips) == 1
