"""Each of three tools answers its own small tasks, and nothing else does."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from benchmarks.studies.small_tasks import ids_of
from benchmarks.studies.tool_tasks import (
    EVERY_TOOL,
    NEEDED,
    SAID,
    UNSAID,
    Handy,
    calls,
    calls_in_vain,
    read_any,
    tool_env,
    tool_tasks,
)
from tests.tasks.synthetic.test_families import scene_of
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules import CROP, TRANSCRIPT, ZOOM
from zoomgym.tasks import FPS, Scene


@pytest.fixture(autouse=True)
def _tasks() -> Iterator[None]:
    with tool_tasks():
        yield


def play(
    families: str, tools: tuple[str, ...], count: int, agent: Handy, max_turns: int = 4
) -> list[Record]:
    env = tool_env(families, tools, max_turns)
    ids = ids_of(env, 0, count)
    return list(run_episodes(ZoomEnv(**env), agent, agent_name="handy", task_ids=ids, seed=0))


@pytest.mark.parametrize("family", NEEDED)
def test_the_tool_that_a_task_needs_tells_the_answer(family: str) -> None:
    for record in play(family, (NEEDED[family],), 30, Handy()):
        assert [turn.tool for turn in record.turns] == [NEEDED[family], ""]
        assert (record.reward_parts.accuracy, record.reward_parts.format) == (1.0, 1.0)
        assert (calls(record), calls_in_vain(record)) == (1.0, 0.0)


@pytest.mark.parametrize("family", UNSAID.values())
def test_other_tools_tell_nothing(family: str) -> None:
    others = tuple(tool for tool in EVERY_TOOL if tool != NEEDED[family])
    records = play(family, others, 40, Handy())
    right = sum(record.reward_parts.accuracy for record in records)
    assert 2 <= right <= 18  # a guess among four: ten, and three standard deviations
    for record in records:
        assert sorted(turn.tool for turn in record.turns) == sorted(["", *others])
        assert calls_in_vain(record) == 2.0
        at_s = [turn.crop.at_s for turn in record.turns if turn.crop]
        if NEEDED[family] == ZOOM:  # a brief symbol would show in part
            assert not any(record.task.evidence[0].holds(one) for one in at_s)


@pytest.mark.parametrize("family", SAID.values())
def test_a_question_says_which_tool_tells_the_answer(family: str) -> None:
    for record in play(family, EVERY_TOOL, 20, Handy()):
        assert [turn.tool for turn in record.turns] == [NEEDED[family], ""]


def test_one_question_is_asked_of_all_kinds_where_it_does_not_say() -> None:
    records = play(",".join(UNSAID.values()), EVERY_TOOL, 60, Handy())
    assert len({record.task.question for record in records}) == 1
    assert all(record.reward_parts.accuracy for record in records)
    first = {record.turns[0].tool for record in records}
    assert first == set(EVERY_TOOL)
    assert sum(map(calls_in_vain, records)) == pytest.approx(60, abs=20)  # none, one or two


def opened(family: str, index: int) -> ZoomEnv:
    env = tool_env(family, EVERY_TOOL, 4)
    zoom = ZoomEnv(**env)
    zoom.reset(options={"task_id": ids_of(env, index, 1)[0]})
    return zoom


@pytest.mark.parametrize("family", NEEDED)
def test_frames_are_those_of_the_same_video_without_its_symbol_where_it_does_not_show(
    family: str,
) -> None:
    for index in range(10):
        env = opened(family, index)
        env.step('{"segment": [0, 32], "fps": 0.125}')
        scene = scene_of(env.tasks, index)
        empty = Scene(scene.seed, scene.num_frames, scene.beacons, (), scene.contrast)
        for clip in (env.observation.overview, *env.observation.clips):
            frames = np.array([round(time_s * FPS) for time_s in clip.times_s])
            shows = (clip.images != empty.draw(frames, (28, 28))).any(axis=(1, 2, 3))
            is_zoom = len(clip.times_s) == 4
            assert shows.sum() == (1 if is_zoom and NEEDED[family] == ZOOM else 0)


def test_a_crop_shows_a_tiny_symbol_as_large_as_a_zoom_shows_others() -> None:
    env = opened(SAID[CROP], 0)
    env.step('{"crop": [0.4, 0.4, 0.6, 0.6], "at": 0}')
    [crop] = env.observation.clips
    assert crop.images.shape == (1, 28, 28, 3)
    index = "ABCD".index(env.episode.task.answer)
    assert read_any(env.observation) == env.observation.options[index]


def test_a_transcript_names_the_symbol_of_its_own_tasks_alone() -> None:
    for family, needed in NEEDED.items():
        env = opened(family, 0)
        env.step('{"transcript": [0, 32]}')
        [turn] = env.episode.turns
        assert turn.told.count("This is the ") == (needed == TRANSCRIPT)
        assert turn.error == ""


def test_a_careless_expert_guesses_as_often_as_it_calls_any_tool() -> None:
    records = play(",".join(SAID.values()), EVERY_TOOL, 120, Handy(is_careless=True))
    at_once = [record for record in records if len(record.turns) == 1]
    assert len(at_once) == pytest.approx(60, abs=17)  # three standard deviations
    tools = [record.turns[0].tool for record in records if len(record.turns) > 1]
    for tool in EVERY_TOOL:
        assert tools.count(tool) == pytest.approx(len(tools) / 3, abs=12)
    for tool in EVERY_TOOL:
        assert sum(map(partial(calls, tool=tool), records)) >= tools.count(tool)
