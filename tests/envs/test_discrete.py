"""The same episodes for learners that take numbers: the menu, its masks, and the montage."""

import json
import pickle
import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

from tests.clips import first_video
from tests.envs.test_env import Fixed, trajectory
from zoomgym import TaskError, ZoomEnv
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.envs.form import LETTERS, Form
from zoomgym.rules.episode import advance
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.settings import Rules
from zoomgym.tasks.datasets import write_manifest
from zoomgym.tasks.synthetic import FAMILIES, SYMBOLS, SyntheticTasks
from zoomgym.video import letterbox

FLASH = "synthetic:flash"
NUM_ZOOMS = (16 + 15 + 14 + 13) + (16 + 15) + 16
"""Four bins and less at 4 frames a bin, two and less at 8, one at 16."""


def discrete_env(tasks: Any = FLASH, **settings: Any) -> ZoomEnvDiscrete:
    return ZoomEnvDiscrete(tasks, **{"source": "scene", **settings})


def choice_of(env: ZoomEnvDiscrete, first_bin: int, end_bin: int, frames_per_bin: int) -> int:
    """Returns the action that zooms so."""
    zooms = [(z.first_bin, z.end_bin, z.frames_per_bin) for z in env.form.zooms]
    return zooms.index((first_bin, end_bin, frames_per_bin))


def truth_of(env: ZoomEnvDiscrete) -> int:
    """Returns the action that answers rightly."""
    task = env.zoom_env.episode.task
    text = task.options[LETTERS.index(task.truth)]
    return len(env.form.zooms) + env.form.answers.index(text)


# The environment ----------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [{}, {"tasks": "synthetic", "grammar": "video_zoom", "num_bins": 45}, {"max_turns": 1}],
)
def test_the_environment_passes_gymnasiums_checker_without_a_warning(
    settings: dict[str, Any],
) -> None:
    check_env(gym.make("zoomgym:ZoomEnvDiscrete-v0", source="scene", **settings).unwrapped)


def test_two_environments_with_one_seed_give_the_same_trajectory() -> None:
    first, second = (trajectory(discrete_env(), seed=11) for _ in range(2))
    assert first == second
    assert first != trajectory(discrete_env(), seed=12)


def test_an_episode_is_that_of_the_ordinary_environment() -> None:
    env, plain = discrete_env(), ZoomEnv(FLASH, source="scene", frame_size=(12, 12), max_pixels=144)
    seen, info = env.reset(seed=3)
    plain_seen, plain_info = plain.reset(seed=3)
    assert info == plain_info
    first_row = seen["image"][:12].reshape(12, 8, 12, 3).swapaxes(0, 1)
    assert np.array_equal(first_row, plain_seen["overview"][:8])
    seen, *outcome = env.step(choice_of(env, 4, 6, 8))
    plain_seen, *plain_outcome = plain.step('{"segment": [15.0, 22.5], "fps": 2.1333333333333333}')
    assert outcome == plain_outcome
    ninth_row = seen["image"][8 * 12 : 9 * 12].reshape(12, 8, 12, 3).swapaxes(0, 1)
    assert np.array_equal(ninth_row, plain_seen["clip"][:8])


def test_a_right_answer_after_a_zoom_earns_the_reward() -> None:
    env = discrete_env()
    env.reset(seed=0)
    env.step(0)
    _, reward, terminated, truncated, info = env.step(truth_of(env))
    assert (reward, terminated, truncated, info["is_success"]) == (1.5, True, False, True)
    assert info["answer"] == info["truth"]
    assert type(reward) is float


def test_an_answer_that_is_no_option_is_wrong_and_ends_the_episode() -> None:
    env = discrete_env()
    env.reset(seed=0)
    [missing, *_] = [name for name in SYMBOLS if name not in env.zoom_env.observation.options]
    action = len(env.form.zooms) + env.form.answers.index(missing)
    assert not env.action_masks()[action]
    *_, terminated, _, info = env.step(action)
    assert (terminated, info["answer"], info["is_success"]) == (True, missing, False)


def test_a_zoom_in_the_last_turn_is_refused_as_ever() -> None:
    env = discrete_env(max_turns=2)
    env.reset(seed=0)
    env.step(0)
    *_, terminated, _, info = env.step(0)
    assert (terminated, info["end_reason"], info["zooms"]) == (True, "out_of_turns", 1)
    assert info["error"] == "the last turn needs an answer, got a zoom: it was not executed"


@pytest.mark.parametrize("action", [-1, NUM_ZOOMS + 8])
def test_an_action_that_does_not_exist_is_the_callers_mistake(action: int) -> None:
    env = discrete_env()
    env.reset(seed=0)
    with pytest.raises(ValueError, match=f"choice needs to be 0 to 112, got {action}"):
        env.step(action)


def test_the_task_can_be_named() -> None:
    env = discrete_env()
    _, info = env.reset(options={"task_id": "flash-easy-60s-train-00042"})
    assert info["task_id"] == "flash-easy-60s-train-00042"


def test_real_files_play_with_letters_for_answers(tmp_path: Path) -> None:
    tasks = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    video = first_video(tasks, tmp_path)
    question = VideoQuestion(
        id="q", video=str(video), question="?", answer="red", options=("red", "green")
    )
    write_manifest(tmp_path / "my.jsonl", [question])
    env = gym.make("zoomgym:ZoomEnvDiscrete-v0", tasks=str(tmp_path / "my.jsonl")).unwrapped
    assert isinstance(env, ZoomEnvDiscrete)
    assert env.form.answers == LETTERS
    seen, _ = env.reset(seed=0)
    assert env.action_masks()[NUM_ZOOMS:].tolist() == [True, True] + [False] * 24
    assert seen["offered"].tolist() == [1.0, 1.0] + [0.0] * 24
    seen, *_ = env.step(choice_of(env, 15, 16, 16))  # ends where the video ends
    assert seen["times"][64] == pytest.approx(15 / 16)
    _, reward, *_ = env.step(NUM_ZOOMS)
    assert reward == 1.5
    env.close()


def test_it_survives_pickling_and_json() -> None:
    env = discrete_env()
    env.reset(seed=0)
    copy = pickle.loads(pickle.dumps(env))
    assert np.array_equal(copy.step(5)[0]["image"], env.step(5)[0]["image"])
    made = gym.make("ZoomEnvDiscrete-v0", source="scene", rates=[4, 16], answers=["A", "B"])
    spec = EnvSpec.from_json(made.spec.to_json())  # type: ignore[union-attr]
    again = gym.make(spec).unwrapped
    assert isinstance(again, ZoomEnvDiscrete)
    assert (again.form.rates, again.form.answers) == ((4, 16), ("A", "B"))


def test_it_renders_as_the_ordinary_environment_does() -> None:
    env = discrete_env(render_mode="ansi")
    env.reset(seed=0)
    assert str(env.render()).startswith("Task: flash-easy-60s-train-")
    assert env.render_mode == "ansi"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"num_bins": 0}, ValueError, "num_bins needs a whole number from 1 to 1024, got 0"),
        ({"cell_px": 4096}, ValueError, "cell_px needs a whole number from 1 to 256, got 4096"),
        ({"rates": (4, 17)}, ValueError, "rates need whole numbers .* from 1 to 16, got .4, 17."),
        ({"rates": (0.5,)}, ValueError, "rates need whole numbers of frames a bin"),
        ({"rates": ()}, ValueError, "rates need to be one or more that differ"),
        ({"answers": ("A", "A")}, ValueError, "answers need to be one or more that differ"),
        ({"answers": ("A", " ")}, ValueError, "answers need texts"),
        ({"frame_size": (9, 9)}, ValueError, "frame_size is no argument here: give cell_px"),
        ({"tools": ["zoom"]}, ValueError, "tools is no argument here"),
        ({"max_turns": 0}, ValueError, "max_turns needs a whole number"),
    ],
)
def test_wrong_arguments_are_refused(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        discrete_env(**settings)


def test_a_task_that_offers_none_of_the_answers_is_refused() -> None:
    env = discrete_env(answers=("yes", "no"))
    with pytest.raises(
        TaskError, match=r"flash-.*: needed an option among the answers .'yes', 'no"
    ):
        env.reset(seed=0)


def test_the_class_docstring_follows_the_gymnasium_convention() -> None:
    headings = re.findall(r"## (.+)", ZoomEnvDiscrete.__doc__ or "")
    assert headings == re.findall(r"## (.+)", ZoomEnv.__doc__ or "")


# The menu -----------------------------------------------------------------------------------------


def test_the_menu_holds_every_zoom_that_the_rules_allow_and_then_the_answers() -> None:
    env = discrete_env()
    zooms = env.form.zooms
    assert env.action_space.n == NUM_ZOOMS + 8  # type: ignore[attr-defined]
    assert (zooms[0].first_bin, zooms[0].end_bin, zooms[0].frames_per_bin) == (0, 1, 4)
    assert (zooms[57].first_bin, zooms[57].end_bin, zooms[57].frames_per_bin) == (12, 16, 4)
    assert (zooms[-1].first_bin, zooms[-1].end_bin, zooms[-1].frames_per_bin) == (15, 16, 16)
    assert max(zoom.num_frames for zoom in zooms) == 16
    assert len(set(zooms)) == NUM_ZOOMS


def test_a_choice_is_said_in_seconds_and_letters() -> None:
    env = discrete_env(num_bins=8, rates=(4,))
    env.reset(seed=0)
    seen = env.zoom_env.observation
    zoom = env.form.reply(choice_of(env, 2, 4, 4), seen)
    assert json.loads(zoom) == {"segment": [15.0, 30.0], "fps": 4 / 7.5}
    for index, option in enumerate(seen.options):
        action = len(env.form.zooms) + env.form.answers.index(option)
        assert json.loads(env.form.reply(action, seen)) == {"answer": LETTERS[index]}


@pytest.mark.parametrize("settings", [{}, {"frame_budget": 90}, {"tasks": "synthetic:motion"}])
@pytest.mark.parametrize("duration_s", [30, 77.7, 36_000])
def test_masks_are_what_the_rules_would_execute(
    settings: dict[str, Any], duration_s: float
) -> None:
    env = discrete_env(**{**settings, "duration_s": duration_s, "num_bins": 11, "rates": (3, 16)})
    rng = np.random.default_rng(0)
    for seed in range(2):
        env.reset(seed=seed)
        over = False
        while not over:
            masks, episode, seen = (
                env.action_masks(),
                env.zoom_env.episode,
                env.zoom_env.observation,
            )
            for action, is_allowed in enumerate(masks):
                after = advance(episode, env.form.reply(action, seen))
                if action < len(env.form.zooms):
                    executed = after.turns[-1].zoom
                    assert is_allowed == (executed is not None)
                    if executed:
                        assert executed.num_frames == env.form.zooms[action].num_frames
                else:
                    name = env.form.answers[action - len(env.form.zooms)]
                    assert is_allowed == (name in seen.options)
            zooms = np.flatnonzero(masks[: len(env.form.zooms)])
            allowed = zooms if len(zooms) else np.flatnonzero(masks)
            *_, over, _, info = env.step(int(rng.choice(allowed)))
        assert info["reward_format"] == 1


def test_the_last_turn_allows_answers_only() -> None:
    env = discrete_env()
    env.reset(seed=0)
    for _ in range(4):
        env.step(0)
    masks = env.action_masks()
    assert not masks[:NUM_ZOOMS].any()
    assert masks[NUM_ZOOMS:].sum() == 4


@pytest.mark.parametrize("family", FAMILIES)
def test_the_vocabulary_holds_every_option_of_a_family(family: str) -> None:
    tasks = SyntheticTasks((family,), "train", 60, "easy", "scene")
    drawn = {option for index in range(40) for option in tasks[index].options}
    assert drawn == set(FAMILIES[family].answers)


def test_families_share_one_vocabulary() -> None:
    answers = discrete_env("synthetic").form.answers
    assert answers == (*SYMBOLS, "2", "3", "4", "5", "clockwise", "counter-clockwise")


def test_open_questions_are_answered_with_the_answer_itself() -> None:
    task = VideoQuestion(id="q", video="v", question="Is it red?", answer="yes")
    env = ZoomEnvDiscrete(Fixed(task), answers=("yes", "no"))
    env.reset(seed=0)
    assert env.action_masks()[-2:].tolist() == [True, True]
    _, reward, *_ = env.step(len(env.form.zooms))
    assert reward == 1.0


# The montage --------------------------------------------------------------------------------------


def test_cells_stand_in_the_order_in_which_frames_were_shown() -> None:
    env = discrete_env(num_overview=10, cell_px=9, max_pixels=81)
    seen, _ = env.reset(seed=0)
    assert env.form.num_rows == (2, 8)
    assert seen["image"].shape == (90, 72, 3)
    seen, *_ = env.step(choice_of(env, 2, 4, 8))
    seen, *_ = env.step(choice_of(env, 9, 10, 4))
    observation = env.zoom_env.observation
    shown = {0: observation.overview, 16: observation.clips[0], 32: observation.clips[1]}
    expected, times = np.zeros((80, 9, 9, 3), np.uint8), np.full(80, -1.0)
    for first, frames in shown.items():
        expected[first : first + len(frames.images)] = frames.images
        times[first : first + len(frames.images)] = np.array(frames.times_s) / 60
    cells = [
        seen["image"][9 * row : 9 * row + 9, 9 * column : 9 * column + 9]
        for row in range(10)
        for column in range(8)
    ]
    assert np.array_equal(cells, expected)
    assert seen["times"].tolist() == times.astype(np.float32).tolist()
    assert seen["times"][32:37].tolist() == pytest.approx([x / 64 for x in (36, 37, 38, 39, -64)])


def test_frames_of_any_size_are_fitted_into_cells() -> None:
    env = discrete_env(max_pixels=100 * 100)
    seen, _ = env.reset(seed=0)
    overview = env.zoom_env.observation.overview.images
    assert overview.shape == (64, 100, 100, 3)
    corner = seen["image"][-9 * 12 : -8 * 12, -12:]
    assert np.array_equal(corner, letterbox(overview[-1:], (12, 12))[0])


def test_what_is_seen_comes_of_the_observation_alone() -> None:
    env = discrete_env(max_pixels=900)
    seen, _ = env.reset(seed=0)
    for action in (7, 20, 3):
        again = env.form.see(env.zoom_env.observation)
        assert again.keys() == seen.keys()
        assert all(np.array_equal(again[name], seen[name]) for name in seen)
        seen, *_ = env.step(action)


def test_vectors_say_what_is_offered_what_is_asked_about_and_what_is_left() -> None:
    env = discrete_env("synthetic:overview")
    seen, _ = env.reset(seed=1)
    observation = env.zoom_env.observation
    names = list(SYMBOLS)
    offered = [names[i] for i in np.flatnonzero(seen["offered"])]
    assert sorted(offered) == sorted(observation.options)
    [asked] = [names[i] for i in np.flatnonzero(seen["asked"])]
    assert observation.question.endswith(f"right after the {asked}?")
    assert seen["left"].tolist() == [0.5, 1.0]
    seen, *_ = env.step(choice_of(env, 0, 1, 16))
    assert seen["left"].tolist() == pytest.approx([48 / 128, 4 / 5])


def test_an_answer_is_asked_about_only_where_it_stands_as_a_word() -> None:
    task = VideoQuestion(
        id="q", video="v", question="Is 12 red?", answer="A", options=("2", "12", "red?")
    )
    env = ZoomEnvDiscrete(Fixed(task), answers=("2", "12", "red?", "re"))
    seen, _ = env.reset(seed=0)
    assert seen["asked"].tolist() == [0, 1, 1, 0]
    assert seen["offered"].tolist() == [1, 1, 1, 0]


def test_a_form_without_zooms_is_refused_and_one_without_clips_is_not() -> None:
    form = Form(Rules(max_turns=1), ("A",))
    assert form.num_rows == (8, 0)
    assert form.space["image"].shape == (96, 96, 3)
