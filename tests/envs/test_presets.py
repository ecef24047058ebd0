"""Environments with a preset: what it fills in, and that they are environments like others."""

import json
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv

from benchmarks.evaluation.comparable import check_terms
from benchmarks.evaluation.suites import own_suite, paired, rules_of
from tests.playing import play_episode
from tests.rules.test_peers import B, T, crop
from zoomgym import ZoomEnv
from zoomgym.conversation import images_of, text_of, to_messages
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.errors import RecordError
from zoomgym.records import Record, env_to_watch, replay
from zoomgym.rollout import watch_again
from zoomgym.rules import PRESETS, Rules, filled_in, grammar_of

SMALL: dict[str, Any] = {"source": "scene", "max_pixels": 256, "frame_size": (8, 8)}
FEW = {"num_overview": 2, "frames_per_zoom": 4, "frame_budget": 32}


class Scripted:
    """Sends the same replies in every episode."""

    def __init__(self, *replies: str) -> None:
        self.replies = replies

    def reset(self, seed: int) -> None:
        """Nothing is drawn."""

    def act(self, observation: Any) -> str:
        return self.replies[len(observation.turns)]


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_fills_in_the_rules_and_rewards_of_its_peer(preset: str) -> None:
    env = gym.make("zoomgym:ZoomEnv-v0", preset=preset, **SMALL).unwrapped
    assert isinstance(env, ZoomEnv)
    arguments = PRESETS[preset].arguments
    assert env.rules == Rules(
        **{name: value for name, value in arguments.items() if name != "reward_weights"},
        preset=preset,
    )
    assert arguments["reward_weights"].items() <= env.reward_weights.items()
    assert env.settings["preset"] == preset


def test_what_is_given_beside_a_preset_is_kept_even_where_it_is_the_default() -> None:
    env = ZoomEnv(preset="longvt", max_turns=5, frame_budget=128, reward_weights=None, **SMALL)
    assert (env.rules.max_turns, env.rules.frame_budget, env.rules.frames_per_zoom) == (5, 128, 128)
    assert env.reward_weights == ZoomEnv(**SMALL).reward_weights
    assert filled_in({"preset": "eva", "max_turns": 1})["num_overview"] == 0


def test_without_a_preset_nothing_is_recorded_of_it() -> None:
    assert "preset" not in ZoomEnv(**SMALL).settings
    assert "preset" not in Rules().by_name()
    assert filled_in({"max_turns": 2}) == {"max_turns": 2}


@pytest.mark.parametrize("preset", ["nobody", 5, None, ["longvt"], "LongVT"])
def test_an_unknown_preset_is_refused(preset: Any) -> None:
    with pytest.raises(ValueError, match=r"preset needs one of \['videozoomer', 'longvt', "):
        ZoomEnv(preset=preset)


@pytest.mark.long
@pytest.mark.parametrize("preset", ["longvt", "vts", "gemini"])
def test_an_environment_with_a_preset_passes_the_checker(preset: str) -> None:
    check_env(gym.make("ZoomEnv-v0", preset=preset, **SMALL, **FEW).unwrapped)


def make(preset: str) -> gym.Env[Any, Any]:
    return gym.make("zoomgym:ZoomEnv-v0", preset=preset, **SMALL, **FEW)


@pytest.mark.long
@pytest.mark.parametrize(
    "vector",
    [
        SyncVectorEnv,
        partial(AsyncVectorEnv, context="fork"),
        partial(AsyncVectorEnv, context="fork", shared_memory=False),
        pytest.param(partial(AsyncVectorEnv, context="spawn"), marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("preset", ["longvt", "video_mtr"])
def test_environments_with_a_preset_run_side_by_side(
    vector: Callable[..., VectorEnv[Any, Any, Any]], preset: str
) -> None:
    call = T + (crop("4", "7") if preset == "longvt" else "<retrieve>4,6</retrieve>")
    envs = vector([partial(make, preset)] * 2)
    try:
        envs.reset(seed=0)
        observations, rewards, *_ = envs.step([call, "hm"])
        assert [int(left) for left in observations["frames_left"]] == [27, 30]
        assert (observations["clip_t"][0][:3] == [4, 5, 6]).all()
        assert [*rewards] == [0, 0]
    finally:
        envs.close()


def test_an_environment_with_a_preset_is_pickled_and_drawn_from() -> None:
    env = ZoomEnv(preset="vts", **SMALL, **FEW)
    env.reset(seed=0)
    twin = pickle.loads(pickle.dumps(env))
    assert (twin.rules, twin.settings) == (env.rules, env.settings)
    for preset in PRESETS:
        env = ZoomEnv(preset=preset, **SMALL)
        env.action_space.seed(0)
        env.reset(seed=0)
        for _ in range(20):
            _, _, terminated, _, info = env.step(env.action_space.sample())
            turn = env.episode.turns[-1]
            assert turn.is_well_formed, (preset, turn)
            assert len(info["error"]) < 300
            if terminated:
                env.reset()


SPEAKS = [
    name for name in PRESETS if grammar_of(str(PRESETS[name].arguments["grammar"])).says_zooms
]


@pytest.mark.parametrize("preset", SPEAKS)
def test_a_menu_is_played_in_the_words_of_a_peer_that_has_them(preset: str) -> None:
    env = ZoomEnvDiscrete("synthetic:flash", preset=preset, source="scene", max_turns=3)
    env.reset(seed=0)
    index = next(i for i, zoom in enumerate(env.form.zooms) if zoom.num_frames == 8)
    _, _, _, _, info = env.step(index)
    assert (info["error"], info["zooms"]) == ("", 1)
    [zoom] = env.zoom_env.episode.zooms
    bin_s = 60 / 16
    assert zoom.times_s == pytest.approx([k * bin_s / 4 for k in range(8)])


@pytest.mark.parametrize("preset", [name for name in PRESETS if name not in SPEAKS])
def test_a_menu_refuses_a_peer_that_has_no_words_for_it(preset: str) -> None:
    with pytest.raises(ValueError, match="cannot say every zoom of the menu: give grammar='json'"):
        ZoomEnvDiscrete(preset=preset)
    env = ZoomEnvDiscrete(preset=preset, grammar="json", rates=(1, 4), source="scene")
    assert env.zoom_env.rules.preset == preset


def record_of(preset: str, *replies: str) -> Record:
    env = ZoomEnv("synthetic:flash", split="test", preset=preset, **SMALL, **FEW)
    return play_episode(env, Scripted(*replies), agent_name="scripted", seed=0)


def test_a_record_of_a_preset_is_watched_again_and_a_changed_one_refused() -> None:
    record = record_of("longvt", T + crop("4", "7"), "hm", T + B)
    again = Record.from_json(record.to_json())
    assert again == record
    replay(again)
    env = env_to_watch(record)
    assert env.rules == record.rules
    seen = watch_again(env, record)
    assert seen.turns == record.turns
    assert [len(clip.times_s) for clip in seen.clips] == [3]
    forged = record.to_json().replace("Cropped 4s-7s", "Cropped 4s-8s")
    with pytest.raises(RecordError, match="needed the turns and scores"):
        replay(Record.from_json(forged))
    with pytest.raises(RecordError, match="preset needs one of"):
        Record.from_json(record.to_json().replace('"preset": "longvt"', '"preset": "longer"'))


@pytest.mark.parametrize("preset", ["longvt", "paravt"])
def test_a_model_is_shown_every_frame_once_and_in_order(preset: str) -> None:
    env = ZoomEnv("synthetic:flash", preset=preset, **SMALL, **FEW)
    env.reset(seed=0)
    env.step(T + crop("4", "6") + (crop("20", "23") if preset == "paravt" else ""))
    seen = env.observation
    shown = [*seen.overview.images, *(image for clip in seen.clips for image in clip.images)]
    images = images_of(to_messages(seen))
    assert len(images) == len(shown) == (7 if preset == "paravt" else 4)
    assert all(map(np.array_equal, images, shown))
    assert len({image.tobytes() for image in shown}) > 2


def test_a_layout_shows_what_its_peer_has_no_tool_for() -> None:
    tools = ("zoom", "crop")
    env = ZoomEnv("synthetic:flash", preset="vts", grammar="json", tools=tools, **SMALL, **FEW)
    env.reset(seed=0)
    env.step('{"crop": [0, 0, 0.5, 0.5], "at": 12.5}')
    env.step('{"segment": [1.0, 1.5], "fps": 2}')
    first, second = to_messages(env.observation)[3::2]
    assert text_of(first).startswith("Crop 1: left 0, top 0, right 0.5, bottom 0.5 of the frame at")
    assert [len(images_of([message])) for message in (first, second)] == [1, 1]


def test_several_zooms_of_a_reply_are_drawn_where_they_are() -> None:
    with ZoomEnv("synthetic:flash", preset="paravt", render_mode="ansi", **SMALL) as env:
        env.reset(seed=0)
        env.step(T + crop("6", "12") + crop("48", "54"))
        [line] = [one for one in str(env.render()).splitlines() if one.startswith("|")]
    columns = [index for index, cell in enumerate(line.split("|")[1]) if cell == "1"]
    share = len(line.split("|")[1]) / 60
    assert columns == [
        *range(int(6 * share), int(12 * share)),
        *range(int(48 * share), int(54 * share)),
    ]


def test_a_record_keeps_several_calls_of_a_reply_exactly() -> None:
    reply = T + crop("4", "6") + crop("20", "21") + crop("90", "91")
    record = record_of("paravt", reply, T + B)
    again = Record.from_json(record.to_json())
    assert again == record
    assert replay(again).zooms == record.episode.zooms
    assert record.frames_used == 2 + 3
    seen = watch_again(env_to_watch(record), record)
    assert [clip.times_s for clip in seen.clips] == [(4.0, 5.0, 20.0)]
    for forged in (
        record.to_json().replace('"start_s": 20.0', '"start_s": 21.0'),
        record.to_json().replace('"zooms": [', '"zooms": [{"start_s": 0, "end_s": 1, "fps": 1}, '),
        record.to_json().replace('"zooms": [', '"zooms": [' + '{"a": 1}, ' * 5),
    ):
        with pytest.raises(RecordError):
            replay(Record.from_json(forged))
    assert "zooms" not in json.loads(record_of("longvt", T + B).to_json())["turns"][0]


def test_peers_on_the_same_tasks_are_compared_though_their_rules_differ() -> None:
    one, other = record_of("longvt", T + B), record_of("eva", T + B)
    check_terms({"one": [one], "other": [other]})
    changed = ZoomEnv("synthetic:flash", split="test", preset="longvt", **SMALL)
    third = play_episode(changed, Scripted(T + B), agent_name="third", seed=0)
    with pytest.raises(RecordError, match="records need the same rules, got"):
        check_terms({"one": [one], "third": [third]})


def test_a_suite_of_your_own_is_played_by_a_preset() -> None:
    suite, _ = own_suite(
        "synthetic:flash", split=None, grammar=None, env=["source=scene"], preset="eva"
    )
    [part] = suite.parts
    assert rules_of(part) == ZoomEnv(preset="eva", **SMALL).rules
    assert [rules_of(part).max_turns for part in paired(suite).parts] == [8, 1]
