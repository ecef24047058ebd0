"""Families that zooms do not answer: what the needed tool tells, and what nothing else does."""

from collections import Counter
from itertools import pairwise

import pytest

from tests.tasks.synthetic.test_families import AWKWARD_S, right_option, scene_of
from tests.tasks.synthetic.test_task_set import tasks_of
from zoomgym import ZoomEnv
from zoomgym.errors import TaskError
from zoomgym.tasks import open_task_set
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES, SYMBOLS, TOOL_FAMILIES
from zoomgym.tasks.synthetic.families import family_of
from zoomgym.tasks.synthetic.layout import AMBER, BLUE, FPS

TASKS = {"spoken": "c4c6fc2a15c3"}
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


def test_tasks_that_need_a_tool_are_made_only_where_it_is_offered() -> None:
    with pytest.raises(
        TaskError,
        match=r"synthetic:spoken needs the tool transcript, got tools \['zoom'\]: give "
        r"tools=\['zoom', 'transcript'\]",
    ):
        ZoomEnv("synthetic:spoken", source="scene")
    with pytest.raises(TaskError, match="synthetic:flash,spoken needs the tool transcript"):
        ZoomEnv(tasks_of("flash", "spoken"))
    env = ZoomEnv("synthetic:flash,spoken", source="scene", tools=["transcript", "zoom"])
    env.reset(seed=0, options={"task_id": env.tasks[1].id})
    env.play('{"transcript": [0, 60]}')
    assert env.episode.turns[0].told.count("This is the") == 8
    env.reset(seed=0, options={"task_id": env.tasks[0].id})
    env.play('{"transcript": [0, 60]}')
    assert env.episode.turns[0].told == ""


def test_families_without_words_offer_no_transcript() -> None:
    told = "synthetic:flash has no subtitles: leave the tool transcript out"
    with pytest.raises(TaskError, match=told):
        ZoomEnv("synthetic:flash", source="scene", tools=["zoom", "transcript"])
    with pytest.raises(TaskError, match="synthetic:spoken has no subtitles: leave subtitles out"):
        ZoomEnv("synthetic:spoken", source="scene", subtitles=True, tools=["transcript"])
