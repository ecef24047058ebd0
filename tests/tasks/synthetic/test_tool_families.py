"""Families that zooms do not answer: what the needed tool tells, and what nothing else does."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.tasks.synthetic.test_families import AWKWARD_S, right_option, scene_of
from tests.tasks.synthetic.test_task_set import tasks_of
from zoomgym import ZoomEnv
from zoomgym.errors import TaskError
from zoomgym.tasks import open_task_set
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES, SYMBOLS, TOOL_FAMILIES
from zoomgym.tasks.synthetic.families import family_of, mixed
from zoomgym.tasks.synthetic.layout import AMBER, BLUE, FPS, LARGE_SIZE, TINY
from zoomgym.tasks.synthetic.marks import Speck, speck_picture
from zoomgym.tasks.synthetic.scene import LargeScene, Scene
from zoomgym.video import native_size

TASKS = {"spoken": "c4c6fc2a15c3", "detail": "f9b2de0e6286", "mixed": "387469e19132"}
"""Hashes of whole sets: of their settings, questions, answers, scenes and words."""


@pytest.mark.parametrize("family", TOOL_FAMILIES)
def test_tasks_change_only_with_the_version(family: str) -> None:
    assert tasks_of(family).content_hash == TASKS[family]


@pytest.mark.parametrize("family", TOOL_FAMILIES)
def test_answers_are_exactly_balanced_over_the_options(family: str) -> None:
    for split in ("train", "test"):
        tasks = tasks_of(family, split=split)
        letters = Counter(tasks[index].answer for index in range(200))
        assert letters == dict.fromkeys("ABCD", 50)
        assert family_of(tasks[0].question) == tasks[0].category == family


def test_the_set_synthetic_stays_that_of_zooms() -> None:
    assert open_task_set("synthetic").name == f"synthetic:{','.join(FAMILIES)}"
    assert not TOOL_FAMILIES.keys() & FAMILIES.keys()


@pytest.mark.long
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize("duration_s", AWKWARD_S)
def test_one_symbol_is_named_while_the_amber_beacon_is_lit_and_each_other_one_away_from_it(
    duration_s: float, difficulty: str
) -> None:
    tasks = tasks_of("spoken", duration_s=duration_s, difficulty=difficulty)
    step_s = (round(duration_s * FPS) - 1) / FPS / 63
    for index in range(20):
        task, scene = tasks[index], scene_of(tasks, index)
        [lit] = [beacon for beacon in scene.beacons if beacon.color == AMBER]
        start_s, end_s = lit.first / FPS, lit.end / FPS
        first, *others = tasks.cues(task)
        assert first.text == f"This is the {right_option(task)}."
        assert start_s <= first.start_s < first.end_s <= end_s
        assert task.evidence == ((first.start_s, first.end_s),)
        assert {cue.text for cue in (first, *others)} == {
            f"This is the {name}." for name in SYMBOLS
        }
        for cue in others:
            assert cue.end_s < start_s - step_s or cue.start_s > end_s + step_s
        for one, other in pairwise(sorted((first, *others))):
            assert one.end_s <= other.start_s
        assert max(first.end_s, *(cue.end_s for cue in others)) <= scene.num_frames / FPS
        assert scene.plates == ()


def test_blue_beacons_are_lit_while_others_are_named() -> None:
    tasks = tasks_of("spoken", difficulty="hard")
    for index in range(20):
        blue = [one for one in scene_of(tasks, index).beacons if one.color == BLUE]
        assert len(blue) == 4
        named = [
            any(lit.first / FPS <= cue.start_s and cue.end_s <= lit.end / FPS for lit in blue)
            for cue in tasks.cues(tasks[index])
        ]
        assert 1 <= sum(named) <= 7
        assert not named[0]


def moments(scene: Scene) -> NDArray[np.int64]:
    """Returns a frame in the middle of each stretch in which a beacon is lit."""
    return np.array([(beacon.first + beacon.end) // 2 for beacon in scene.beacons])


@pytest.mark.long
@pytest.mark.parametrize("family", ["detail", "mixed"])
def test_whole_frames_show_tiny_symbols_all_alike_and_pictures_of_full_size_do_not(
    family: str,
) -> None:
    tasks, num_specks = tasks_of(family, difficulty="hard"), 0
    for index in range(6):
        scene = scene_of(tasks, index)
        assert isinstance(scene, LargeScene)
        specks = [one for one in scene.plates if isinstance(one, Speck)]
        num_specks += len(specks)
        for name in SYMBOLS:
            plates = tuple(
                replace(one, symbol=name) if isinstance(one, Speck) else one for one in scene.plates
            )
            other = replace(scene, plates=plates)
            for size in (native_size(LARGE_SIZE, pixels) for pixels in (100_352, 160 * 160)):
                drawn = [one.draw(moments(scene), size) for one in (scene, other)]
                assert np.array_equal(*drawn)
        if specks:
            other = replace(scene, plates=tuple(replace(one, symbol=name) for one in specks))
            when = np.array([(specks[0].first + specks[0].end) // 2])
            rows, columns = TINY.pixels(LARGE_SIZE)
            large = [one.draw(when, LARGE_SIZE)[0, rows, columns] for one in (scene, other)]
            assert np.array_equal(*large) == (specks[0].symbol == name)
    assert num_specks >= 6


def test_every_symbol_is_another_picture_of_full_size_with_one_mean() -> None:
    rows, _ = TINY.pixels(LARGE_SIZE)
    side = rows.stop - rows.start
    pictures = [speck_picture(name, (side, side)) for name in SYMBOLS]
    assert len({picture.tobytes() for picture in pictures}) == len(SYMBOLS)
    blocks = [one.reshape(side // 4, 4, side // 4, 4, 3).mean((1, 3)) for one in pictures]
    assert all((block == 127).all() for block in blocks)


def test_the_background_of_a_large_scene_is_that_of_any_other_and_no_finer() -> None:
    indexes = np.array([3, 400])
    plain, large = Scene(7, 720, (), ()), LargeScene(7, 720, (), ())
    for size in ((112, 112), (256, 256)):
        assert np.array_equal(plain.draw(indexes, size), large.draw(indexes, size))
    enlarged = plain.draw(indexes, (256, 256)).repeat(5, 1).repeat(5, 2)
    assert np.array_equal(large.draw(indexes, LARGE_SIZE), enlarged)


def test_a_tiny_symbol_shows_as_long_as_the_amber_beacon_is_lit() -> None:
    tasks = tasks_of("detail", difficulty="hard")
    for index in range(20):
        task, scene = tasks[index], scene_of(tasks, index)
        amber = [one for one in scene.beacons if one.color == AMBER]
        assert [(one.first, one.end) for one in amber] == [
            (one.first, one.end) for one in scene.plates[:1]
        ]
        assert scene.plates[0].symbol == right_option(task)  # type: ignore[union-attr]
        assert len(scene.beacons) == len(scene.plates) == 5
        assert task.evidence == (scene.plates[0].segment,)


@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_one_of_three_tools_tells_a_mixed_task_and_its_question_not_which(difficulty: str) -> None:
    tasks, kinds = tasks_of("mixed", difficulty=difficulty), Counter[str]()
    for index in range(120):
        task, scene = tasks[index], scene_of(tasks, index)
        [lit] = [beacon for beacon in scene.beacons if beacon.color == AMBER]
        right = right_option(task)
        shown = [one for one in scene.plates if lit.first <= one.first < lit.end]
        told = [(type(one).__name__, one.symbol) for one in shown]  # type: ignore[union-attr]
        told += [
            ("Cue", cue.text.removeprefix("This is the ").removesuffix("."))
            for cue in tasks.cues(task)
            if cue.start_s < lit.end / FPS and cue.end_s > lit.first / FPS
        ]
        [(kind, symbol)] = told
        assert symbol == right
        kinds[kind] += 1
        assert len(tasks.cues(task)) == 7 + (kind == "Cue")
    assert {tasks[index].question for index in range(120)} == {mixed.QUESTION}
    assert kinds == {"Sign": 44, "Speck": 39, "Cue": 37}


@pytest.mark.parametrize("family", ["detail", "mixed"])
def test_what_is_tiny_is_only_drawn(family: str) -> None:
    with pytest.raises(TaskError, match=f"synthetic:{family} needs source 'scene', got 'file'"):
        tasks_of("flash", family, source="file")


def test_tasks_that_need_a_tool_are_made_only_where_it_is_offered() -> None:
    with pytest.raises(
        TaskError,
        match=r"synthetic:spoken needs the tool transcript, got tools \['zoom'\]: give "
        r"tools=\['zoom', 'transcript'\]",
    ):
        ZoomEnv("synthetic:spoken", source="scene")
    with pytest.raises(TaskError, match="synthetic:flash,spoken needs the tool transcript"):
        ZoomEnv(tasks_of("flash", "spoken"))
    with pytest.raises(TaskError, match="synthetic:mixed needs the tools crop and transcript"):
        ZoomEnv("synthetic:mixed", source="scene")
    env = ZoomEnv("synthetic:flash,spoken", source="scene", tools=["transcript", "zoom"])
    env.reset(seed=0, options={"task_id": env.tasks[1].id})
    env.play('{"transcript": [0, 60]}')
    assert env.episode.turns[0].told.count("This is the") == 8
    env.reset(seed=0, options={"task_id": env.tasks[0].id})
    env.play('{"transcript": [0, 60]}')
    assert env.episode.turns[0].told == ""


def test_a_family_that_needs_no_transcript_may_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    spoken = replace(TOOL_FAMILIES["spoken"], tools=(), is_voiced=True)
    monkeypatch.setitem(FAMILIES, "heard", spoken)
    silent = ZoomEnv("synthetic:heard", source="scene")
    assert silent.tasks.tools == ()
    env = ZoomEnv("synthetic:heard,flash", source="scene", tools=["zoom", "transcript"])
    for index, count in ((0, 8), (1, 0)):
        env.reset(seed=0, options={"task_id": env.tasks[index].id})
        env.play('{"transcript": [0, 60]}')
        assert env.episode.turns[0].told.count("This is the") == count


def test_families_without_words_offer_no_transcript() -> None:
    told = "synthetic:flash has no subtitles: leave the tool transcript out"
    with pytest.raises(TaskError, match=told):
        ZoomEnv("synthetic:flash", source="scene", tools=["zoom", "transcript"])
    with pytest.raises(TaskError, match="synthetic:spoken has no subtitles: leave subtitles out"):
        ZoomEnv("synthetic:spoken", source="scene", subtitles=True, tools=["transcript"])
