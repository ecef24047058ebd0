"""A difficulty is a preset, or settings of one's own that are checked where they come in."""

import json
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest

from tests.tasks.synthetic.test_task_set import tasks_of
from zoomgym.errors import TaskError
from zoomgym.tasks.catalog import open_task_set
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES, SYMBOLS
from zoomgym.tasks.synthetic.difficulty import named_difficulty
from zoomgym.tasks.synthetic.marks import Board


def test_a_mapping_is_merged_over_the_preset_that_it_names() -> None:
    _, difficulty = named_difficulty({"preset": "hard", "contrast": 0.6, "event_s": [0.5, 0.75]})
    assert difficulty == replace(DIFFICULTIES["hard"], contrast=0.6, event_s=(0.5, 0.75))
    _, difficulty = named_difficulty({"num_decoys": 1})
    assert difficulty == replace(DIFFICULTIES["easy"], num_decoys=1)


def test_symbols_are_a_number_or_names() -> None:
    _, five = named_difficulty({"symbols": 5})
    assert five.symbols == tuple(SYMBOLS)[:5]
    names = ["white cross", "red circle", "blue square", "cyan ring", "magenta star"]
    assert set(named_difficulty({"symbols": names})[1].symbols) == set(names)
    assert named_difficulty({"symbols": names}) == named_difficulty({"symbols": names[::-1]})


def test_equal_settings_have_one_name_and_others_another() -> None:
    assert named_difficulty("hard")[0] == "hard"
    assert named_difficulty({"preset": "hard"})[0] == "hard"
    assert named_difficulty({"preset": "hard", "num_decoys": 4})[0] == "hard"
    names = {
        named_difficulty(given)[0]
        for given in ({"contrast": 0.5}, {"contrast": 0.6}, {"lit_steps": 1.6}, {"symbols": 6})
    }
    assert len(names) == 4
    assert all(name.startswith("easy_") for name in names)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            3,
            "difficulty needs one of easy, medium, hard, or a mapping of preset, event_s, .* got 3",
        ),
        ({"preset": "ez"}, "difficulty needs one of easy, medium, hard, got 'ez'"),
        ({"contrst": 1}, "difficulty needs keys among preset, event_s, .*, got 'contrst'"),
        ({"event_s": 0.5}, r"event_s needs the shortest and the longest .*, got 0.5"),
        ({"event_s": [0.5, 0.4]}, r"event_s needs .*, got \[0.5, 0.4\]"),
        ({"event_s": [0.1, 0.4]}, r"event_s needs .*\[0.25, 1.0\] at most, got \[0.1, 0.4\]"),
        ({"event_s": [0.5, float("nan")]}, "event_s needs"),
        ({"lit_steps": 1}, "lit_steps needs 1.25 to 2, got 1"),
        ({"num_decoys": 2.0}, "num_decoys needs a whole number from 0 to 20, got 2.0"),
        ({"num_decoys": True}, "num_decoys needs a whole number from 0 to 20, got True"),
        ({"num_decoys": 21}, "num_decoys needs a whole number from 0 to 20, got 21"),
        ({"contrast": 0}, "contrast needs 0.1 to 1, got 0"),
        ({"contrast": "1"}, "contrast needs 0.1 to 1, got '1'"),
        ({"symbols": 4}, "symbols needs 5 to 8, or .* ones of red circle, .*, got 4"),
        ({"symbols": ["red circle"] * 5}, "symbols needs 5 to 8"),
        ({"symbols": ["a", "b", "c", "d", "e"]}, "symbols needs 5 to 8"),
    ],
)
def test_what_cannot_be_meant_is_refused(given: object, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        tasks_of("flash", difficulty=given)


def test_ids_name_the_setting_and_find_its_tasks() -> None:
    given = {"preset": "hard", "contrast": 0.6}
    tasks = tasks_of("count", difficulty=given)
    name, _ = named_difficulty(given)
    assert tasks[7].id == f"count-{name}-60s-train-00007"
    assert tasks.by_id(tasks[7].id) == tasks[7]
    with pytest.raises(TaskError, match="task_id needs to be one of synthetic:count"):
        tasks_of("count", difficulty="hard").by_id(tasks[7].id)


def test_changing_a_mapping_later_changes_no_task() -> None:
    given = {"contrast": 0.6}
    tasks = tasks_of("flash", difficulty=given)
    before = tasks[0]
    given["contrast"] = 0.7
    assert tasks[0] == before
    assert tasks._puzzle("flash", 0).scene.contrast == 0.6


def test_the_scene_is_as_the_setting_says() -> None:
    given = {
        "event_s": [0.25, 0.25],
        "num_decoys": 3,
        "contrast": 0.5,
        "symbols": ["white cross", "red circle", "blue square", "cyan ring", "magenta star"],
    }
    tasks = tasks_of("flash", difficulty=given, duration_s=600)
    for index in range(20):
        scene = tasks._puzzle("flash", index).scene
        assert scene.contrast == 0.5
        assert len(scene.beacons) == 4
        assert {plate.end - plate.first for plate in scene.plates} == {3}
        assert set(tasks[index].options) < set(given["symbols"])
    lit = [
        tasks_of("flash", difficulty={"lit_steps": steps}, duration_s=600)
        ._puzzle("flash", 0)
        .scene.beacons[0]
        for steps in (1.25, 2)
    ]
    step = (7200 - 1) / 63
    assert [beacon.end - beacon.first for beacon in lit] == [143, 229]
    assert 143 - 1 < 1.25 * step <= 143
    assert 229 - 1 < 2 * step <= 229


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("duration_s", [30, 127, 600, 36_000])
def test_every_family_can_be_drawn_at_the_bounds(family: str, duration_s: int) -> None:
    for given in (
        {"event_s": [0.25, 0.25], "lit_steps": 1.25, "num_decoys": 20, "contrast": 0.1},
        {"event_s": [1.0, 1.0], "lit_steps": 2.0, "symbols": 5},
        {"event_s": [1.0, 1.0], "lit_steps": 1.25, "num_decoys": 20, "symbols": 5},
    ):
        tasks = tasks_of(family, difficulty=given, duration_s=duration_s)
        for index in range(6):
            scene = tasks._puzzle(family, index).scene
            assert tasks[index].evidence
            for plate in scene.plates:
                is_long = family in ("overview", "sparse", "count")
                assert is_long or isinstance(plate, Board) or plate.end - plate.first >= 3


def test_a_mapping_goes_through_the_catalog_and_the_environment(tmp_path: Path) -> None:
    given = {"preset": "medium", "num_decoys": 1}
    tasks = open_task_set("synthetic:order", difficulty=given, source="scene")
    env = gym.make("zoomgym:ZoomEnv-v0", tasks="synthetic:order", difficulty=given, source="scene")
    _, info = env.reset(seed=0)
    assert tasks.by_id(info["task_id"]).id == info["task_id"]
    assert info["task_id"].startswith("order-medium_")
    assert json.loads(json.dumps(env.unwrapped.settings))["difficulty"] == given
    with pytest.raises(TaskError, match="difficulty needs keys among"):
        gym.make("zoomgym:ZoomEnv-v0", difficulty={"hardness": 1})
