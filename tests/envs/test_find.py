"""Searches in environments: a scorer of the user looks, and records hold what it found."""

import json
import pickle
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from benchmarks.leaderboard import blocks
from benchmarks.page.episodes import viewer_data
from tests.envs.beside import KINDS, played
from tests.envs.test_crop import Script
from tests.envs.test_pickers import damaged, film
from zoomgym import (
    FinderError,
    Record,
    RecordError,
    VideoError,
    ZoomEnv,
    replay,
    run_episodes,
)
from zoomgym.envs import KnownFinder, ScannedVideo
from zoomgym.records import env_to_watch
from zoomgym.render import PICTURE_SIZE
from zoomgym.render.picture import _turn_name
from zoomgym.rollout import watch_again
from zoomgym.rules import FindCall, Found

HERE = "tests.envs.test_find"
BRIGHT = f"{HERE}:score"
BOTH = ("zoom", "find")
ASK = '{"find": "bright", "segment": [0, 600]}'
DARK = '{"find": "dark", "segment": [1, 2]}'
ZOOM = '{"segment": [4, 6], "fps": 2}'
ANSWER = '{"answer": "A"}'
GIVEN = {"tools": BOTH, "finder": BRIGHT, "num_overview": 4, "frame_size": (8, 8)}


def score(images: np.ndarray, text: str) -> np.ndarray:
    """Scores frames by how bright they are, or how dark if the text says so."""
    assert not images.flags.writeable
    levels = images.mean(axis=(1, 2, 3))
    return -levels if text == "dark" else levels


def nothing(images: np.ndarray, text: str) -> list[float]:
    """Finds no match."""
    return [float("-inf")] * len(images)


def too_few(images: np.ndarray, text: str) -> list[float]:
    return [1.0]


def no_number(images: np.ndarray, text: str) -> list[float]:
    return [float("nan")] * len(images)


def endless(images: np.ndarray, text: str) -> list[float]:
    return [float("inf")] * len(images)


def words(images: np.ndarray, text: str) -> list[str]:
    return ["good"] * len(images)


def broken(images: np.ndarray, text: str) -> list[float]:
    raise KeyError(text)


def by_luck(images: np.ndarray, text: str) -> np.ndarray:
    """Scores frames otherwise each time."""
    return np.random.default_rng().uniform(size=len(images))


class Third:
    """Finds the first third of a stretch, without a look."""

    name = "third"

    def __call__(self, video: ScannedVideo, call: FindCall) -> Sequence[float]:
        return [call.start_s + (call.end_s - call.start_s) / 3]


def scene(**given: Any) -> ZoomEnv:
    return ZoomEnv("synthetic:flash", **{"source": "scene", **GIVEN, **given})


def test_a_search_tells_the_best_moments_of_a_video(tmp_path: Path) -> None:
    tasks = str(film(tmp_path / "v.mp4", [*range(0, 300, 10)]))  # brighter from frame to frame
    with ZoomEnv(tasks, **GIVEN) as env:
        _, info = env.reset(seed=0)
        assert info["frames_scanned"] == 0
        seen, reward, *_, info = env.step(ASK)
        assert seen["feedback"] == (
            "Found in [0.00, 2.91) s, the best match first: 2.65 s. Frames left: 124. "
            "Turns left: 4."
        )
        assert (reward, info["frames_used"], info["frames_scanned"]) == (0.0, 4, 11)
        seen, *_, info = env.step(DARK)
        assert "the best match first: 1.00 s." in seen["feedback"]
        assert info["frames_scanned"] == 11 + 4
        *_, info = env.step(ASK)
        assert (info["frames_scanned"], info["frames_damaged"]) == (15, 0)
        assert env.observation.turns[0].found_s == (10 * 2.91 / 11,)
        assert env.episode.frames_scanned == 0  # the overview is even


def test_a_search_without_a_match_says_so() -> None:
    with scene(finder=f"{HERE}:nothing") as env:
        env.reset(seed=0)
        seen, *_ = env.step(ASK)
        assert seen["feedback"].startswith("Nothing in [0.00, 60.00) s matches. Frames left: 124.")


@pytest.mark.long
def test_damaged_frames_that_a_search_looked_at_are_not_counted_as_shown(tmp_path: Path) -> None:
    with ZoomEnv(damaged(tmp_path), **{**GIVEN, "num_overview": 1}) as env:
        env.reset()
        *_, info = env.step(ASK)
        assert (info["frames_scanned"], info["frames_damaged"]) == (120, 0)
        *_, info = env.step('{"segment": [0, 30], "fps": 0.5}')
        assert 0 < info["frames_damaged"] < 15


def test_a_search_is_painted_by_its_name() -> None:
    with scene(render_mode="rgb_array", frame_size=(0, 0)) as env:
        env.reset(seed=0)
        env.step(ASK)
        assert env.render().shape == (*PICTURE_SIZE, 3)  # type: ignore[union-attr]
        assert _turn_name(env.episode.turns[0], 0)[0] == "find"


def test_a_scorer_is_asked_for_calls_that_are_executed_alone() -> None:
    with scene(finder=f"{HERE}:broken", max_turns=2) as env:
        env.reset(seed=0)
        for reply in ('{"find": "x", "segment": [70, 80]}', ASK):  # too late, and the last turn
            env.step(reply)
        assert env.episode.end_reason == "out_of_turns"
        assert env.episode.all_scanned == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("too_few", "240 scores, finite or minus infinity, .*, got 1"),
        ("no_number", "one for each frame, got nan among them"),
        ("endless", "one for each frame, got inf among them"),
        ("words", r"got <U4 of shape \(240,\): return a list of numbers"),
    ],
)
def test_scores_that_are_none_are_told_by_the_name_of_the_scorer(name: str, message: str) -> None:
    with scene(finder=f"{HERE}:{name}") as env:
        env.reset(seed=0)
        with pytest.raises(FinderError, match=f"{HERE}:{name} needs to return .*{message}"):
            env.step(ASK)
        assert not env.episode.turns  # the turn is not played
        env.step(ANSWER)


def test_an_error_in_a_scorer_says_what_was_searched() -> None:
    with scene(finder=f"{HERE}:broken") as env:
        env.reset(seed=0)
        with pytest.raises(KeyError) as caught:
            env.step(ASK)
    assert caught.value.__notes__ == [f"raised while {HERE}:broken searched for 'bright'"]


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([61], "got 61 among them"),
        ([-1], "got -1 among them"),
        ([1.0] * 9, "at most 8 times in seconds from 0 to 60, got 9"),
        ("soon", "got 'soon'"),
    ],
)
def test_times_that_are_not_in_the_stretch_are_refused(found: Any, message: str) -> None:
    class Wrong(Third):
        def __call__(self, video: ScannedVideo, call: FindCall) -> Any:
            return found

    with scene(finder=Wrong()) as env:
        env.reset(seed=0)
        with pytest.raises(FinderError, match=f"third needs to return .*{message}"):
            env.step(ASK)


def test_a_finder_with_a_name_searches_as_it_likes() -> None:
    with scene(finder=Third()) as env:
        env.reset(seed=0)
        env.step('{"find": "x", "segment": [3, 9]}')
        assert (env.episode.turns[0].found_s, env.rules.finder) == ((5.0,), "third")


@pytest.mark.parametrize(
    ("finder", "message"),
    [
        (None, "the tool find needs a finder, got none: give finder='module:function', a scorer"),
        ("nowhere_at_all:score", "finder 'nowhere_at_all:score': needed a module nowhere_at_all"),
        (f"{HERE}:scor", f"{HERE} has no scor: did you mean 'score'"),
        (f"{HERE}:HERE", "needed a function, got 'tests.envs.test_find'"),
        ("score", "finder needs module:function, like score:score, got 'score'"),
        (5, "finder needs module:function or a finder with a name, got 5"),
        (score, "finder needs module:function or a finder with a name, got <function score"),
    ],
)
def test_a_finder_that_cannot_search_is_refused(finder: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        scene(finder=finder)


def test_a_finder_without_its_tool_is_refused() -> None:
    with pytest.raises(ValueError, match="finder needs the tool find, got tools"):
        scene(tools=("zoom",))


def test_an_environment_with_searches_passes_the_checker_and_is_pickled() -> None:
    with scene() as env:
        check_env(env, skip_render_check=True)
        env.reset(seed=0)
        env.step(DARK)
        twin = pickle.loads(pickle.dumps(env))
        after, same = env.step(ASK), twin.step(ASK)
        assert after[0]["feedback"] == same[0]["feedback"]
        assert after[4] == same[4]
        assert set(env.reset()[1]) == set(after[4])


def test_sampled_replies_are_well_formed_and_search_too() -> None:
    with scene() as env:
        env.reset(seed=0)
        env.action_space.seed(0)
        samples = [env.action_space.sample() for _ in range(40)]
        for reply in samples:
            if env.episode.is_over:
                env.reset()
            assert env.observation_space.contains(env.step(reply)[0])
            assert env.episode.turns[-1].is_well_formed
    assert 5 < sum("find" in reply for reply in samples) < 25


SMALL = {**GIVEN, "source": "scene"}


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_vectors_find_what_single_environments_do(kind: str) -> None:
    replies = [(ASK, ZOOM, ASK), (DARK, ASK, DARK), ('{"find": 5}', DARK, ASK)]
    for (seen, *_, infos), alone in played(kind, scene, replies, **SMALL):
        for index, (one, *_, info) in enumerate(alone):
            assert seen["feedback"][index] == one["feedback"]
            assert infos["frames_scanned"][index] == info["frames_scanned"]


def test_forks_search_apart() -> None:
    with scene() as env:
        env.reset(seed=0)
        env.step(ASK)
        twin = env.fork()
        env.step(DARK)
        twin.step(ASK)
        twin.step('{"find": "bright", "segment": [5, 9]}')
        assert [turn.frames_scanned for turn in env.episode.turns] == [240, 4]
        assert [turn.frames_scanned for turn in twin.episode.turns] == [240, 0, 16]


def test_a_search_that_does_not_decode_ends_like_a_zoom(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise VideoError("a.mp4: nothing decodes")

    with scene(on_video_error="skip") as env, scene() as other:
        for one in (env, other):
            one.reset(seed=0)
            assert one.episode.key  # it is made of frames
        monkeypatch.setattr(type(env.viewing.video), "frames_at", fail)
        _, reward, terminated, truncated, info = env.step(ASK)
        with pytest.raises(VideoError, match="nothing decodes"):
            other.step(ASK)
        assert not other.episode.turns
    assert (reward, terminated, truncated, info["end_reason"]) == (0.0, False, True, "video_error")


# Records -----------------------------------------------------------------------------------------


def record_of(*replies: str, **given: Any) -> Record:
    with scene(frame_size=(0, 0), max_pixels=1024, **given) as env:
        tasks = [env.tasks[0].id]
        [record] = run_episodes(env, Script(*replies), agent_name="s", task_ids=tasks, seed=0)
    return record


def test_a_record_holds_what_was_found_and_is_replayed_from_it() -> None:
    record = record_of(ASK, DARK, ANSWER)
    turns = json.loads(record.to_json())["turns"]
    assert turns[1]["find"] == {"text": "dark", "start_s": 1.0, "end_s": 2.0}
    assert (turns[0]["frames_scanned"], turns[1]["frames_scanned"]) == (240, 4)
    assert tuple(turns[0]["found_s"]) == record.turns[0].found_s
    assert "find" not in turns[2]
    again = Record.from_json(record.to_json())
    assert again == record
    assert replay(again).all_scanned == record.episode.all_scanned == 244
    assert again.settings["finder"] == again.rules.finder == BRIGHT
    [turn, _] = json.loads(record_of(ZOOM, ANSWER).to_json())["turns"]
    assert not {"find", "found_s", "frames_scanned"} & turn.keys()


@pytest.mark.parametrize("finder", [BRIGHT, f"{HERE}:by_luck"])
def test_an_episode_is_watched_again_with_what_was_found(finder: str) -> None:
    record = record_of(ASK, ZOOM, ASK, DARK, ANSWER, finder=finder)
    seen = watch_again(env_to_watch(record), record)
    assert seen.turns == record.turns
    env = ZoomEnv(**record.settings)
    assert watch_again(env, record).turns == record.turns


def test_the_code_that_a_record_names_is_not_run(tmp_path: Path) -> None:
    record = record_of(ASK, ZOOM, ANSWER)
    (tmp_path / "trap_of_finders.py").write_text("raise SystemExit('trapped')")
    text = record.to_json().replace(BRIGHT, "trap_of_finders:score")
    sys.path.insert(0, str(tmp_path))
    try:
        forged = Record.from_json(text)
        assert forged.rules.finder == "trap_of_finders:score"
        assert replay(forged).turns == record.turns
        assert watch_again(env_to_watch(forged), forged).turns == record.turns
    finally:
        sys.path.remove(str(tmp_path))
    assert "trap_of_finders" not in sys.modules


def test_the_finder_of_a_record_searches_nothing_new() -> None:
    record = record_of(ASK, ANSWER)
    env = env_to_watch(record)
    watch_again(env, record, 1)
    with pytest.raises(FinderError, match=f"{BRIGHT} is the finder of a record, and its code is"):
        env.step(DARK)
    assert isinstance(env._finder, KnownFinder)


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"found_s": [1.0] * 9}, "found_s needs at most 8 times, got 9"),
        ({"found_s": ["1"]}, "found_s needs a number, got '1'"),
        ({"found_s": [70]}, "found_s needs a number from 0 to 60, got 70"),
        ({"found_s": "12"}, "found_s needs at most 8 times, got '12'"),
        ({"find": None}, "found_s needs no time without a search, got "),
        ({"find": None, "found_s": []}, "frames_scanned needs a number from 0 to 0, got 240"),
        ({"frames_scanned": -1}, "frames_scanned needs a number from 0"),
        ({"frames_scanned": 1e99}, "frames_scanned needs a number from 0"),
        ({"find": "x"}, "needed an episode's record, got one that is wrong"),
        ({"find": {"text": "x" * 301, "start_s": 0, "end_s": 60}}, "at most 300 characters"),
        ({"find": {"text": 5, "start_s": 0, "end_s": 9}}, "text needs a text, got 5"),
        ({"find": {"text": "x", "start_s": 0, "end_s": 1e9}}, "end_s needs a number from 0"),
        ({"find": {"text": "x", "start_s": 0}}, "end_s"),
    ],
)
def test_a_search_that_no_record_has_is_refused(changes: dict[str, Any], message: str) -> None:
    row = json.loads(record_of(ASK, ANSWER).to_json())
    row["turns"][0] |= changes
    with pytest.raises(RecordError, match=message):
        Record.from_json(json.dumps(row))


def test_an_edited_search_is_found_by_a_replay() -> None:
    row = json.loads(record_of(ASK, ANSWER).to_json())
    row["turns"][0]["found_s"] = [1.0]
    with pytest.raises(RecordError, match="needed the turns and scores of version"):
        replay(Record.from_json(json.dumps(row)))


def test_what_a_reset_is_told_to_find_is_found() -> None:
    with scene() as env:
        env.reset(seed=0, options={"found": {FindCall("dark", 1, 2): Found((1.5,), 7)}})
        env.step(DARK)
        assert env.episode.turns[0].found_s == (1.5,)
        env.reset(seed=0)
        env.step(DARK)
        assert env.episode.turns[0].found_s != (1.5,)


# The leaderboard and the page --------------------------------------------------------------------


def test_tables_count_what_searches_looked_at() -> None:
    [block] = blocks([record_of(ASK, DARK, ANSWER)])
    costs = next(sheet for sheet in block.sheets if sheet.name == "costs")
    assert costs.columns[-1] == "frames scanned"
    assert costs.lines[0].cells[-1].mean == 244  # type: ignore[union-attr]
    assert f"finder {BRIGHT}" in block.title


def test_a_table_counts_the_calls_of_each_tool_that_is_offered() -> None:
    tools = ("zoom", "crop", "find")
    crop = '{"crop": [0, 0, 1, 1], "at": 1}'
    refused = '{"find": "", "segment": [0, 1]}'
    records = [record_of(ASK, ZOOM, crop, ASK, ANSWER, tools=tools)]
    records.append(replace(record_of(refused, ASK, ANSWER, tools=tools), agent="other"))
    [block] = blocks(records)
    sheet = next(sheet for sheet in block.sheets if sheet.name == "calls")
    assert sheet.columns == ("episodes", "zoom", "crop", "find", "all tools")
    means = {
        line.labels[0]: [cell.mean for cell in line.cells[1:]]  # type: ignore[union-attr]
        for line in sheet.lines
    }
    assert means == {"s": [1, 1, 2, 4], "other": [0, 0, 1, 1]}
    zoomed = record_of(ZOOM, ANSWER, tools=("zoom",), finder=None)
    assert "calls" not in [sheet.name for sheet in blocks([zoomed])[0].sheets]
    assert "calls" in [
        sheet.name
        for sheet in blocks([record_of(ZOOM, ANSWER, tools=("crop",), finder=None)])[0].sheets
    ]


def test_the_page_says_what_was_searched_and_found() -> None:
    record = record_of(DARK, '{"find": "<b>", "segment": [0, 9]}', ANSWER)
    data = viewer_data([record], ["s"], ["flash"], {record.rules: ""}, None)
    first, second, _ = data["episodes"][0]["turns"]
    found = ", ".join(f"{time_s:.1f} s" for time_s in record.turns[0].found_s)
    assert first["call"] == f"find dark: {found} in 1.0 s - 2.0 s"
    assert second["call"].startswith("find <b>: ")


def test_the_page_calls_a_crop_a_crop() -> None:
    crop = '{"crop": [0, 0.25, 1, 1], "at": 1}'
    record = record_of(ZOOM, crop, ANSWER, tools=("zoom", "crop"), finder=None)
    data = viewer_data([record], ["s"], ["flash"], {record.rules: ""}, None)
    zoomed, cropped, _ = (turn["zoom"] for turn in data["episodes"][0]["turns"])
    assert (zoomed.get("tool"), zoomed["num_frames"]) == (None, 4)
    assert (cropped["tool"], cropped["label"]) == ("crop", "1.0 s, crop 0-100% x 25-100%")
