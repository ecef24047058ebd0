"""Agents that use one tool: right where it tells the answer, and at chance where it does not."""

from typing import Any

import pytest

from agents.registry import make_agent
from benchmarks.evaluation.failures import BY_EVIDENCE, failures_of
from benchmarks.evaluation.tables import details
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes


def played(name: str, family: str, num_tasks: int, **settings: Any) -> list[Record]:
    given: dict[str, Any] = {
        "split": "test",
        "source": "scene",
        "max_pixels": 112 * 112,
        "frame_size": (0, 0),
    }
    given |= {"tools": ["zoom", "crop", "transcript"]}
    env = ZoomEnv(f"synthetic:{family}", **{**given, **settings})
    task_ids = [env.tasks[index].id for index in range(num_tasks)]
    return list(run_episodes(env, make_agent(name), agent_name=name, task_ids=task_ids, seed=0))


def num_right(records: list[Record]) -> int:
    return sum(bool(record.reward_parts.accuracy) for record in records)


@pytest.mark.long
@pytest.mark.parametrize("difficulty", ["easy", "hard"])
@pytest.mark.parametrize("duration_s", [30, 3600])
def test_a_listener_answers_what_is_spoken_with_one_call_and_no_frame(
    duration_s: float, difficulty: str
) -> None:
    records = played("listener", "spoken", 8, duration_s=duration_s, difficulty=difficulty)
    assert num_right(records) == 8
    for record in records:
        call, _ = record.turns
        assert call.transcript
        assert call.told.count("\n") == 0
        assert record.frames_used == 64


@pytest.mark.long
@pytest.mark.parametrize("difficulty", ["easy", "hard"])
@pytest.mark.parametrize("duration_s", [30, 3600])
def test_a_cropper_answers_what_is_tiny_with_one_frame(duration_s: float, difficulty: str) -> None:
    records = played("cropper", "detail", 8, duration_s=duration_s, difficulty=difficulty)
    assert num_right(records) == 8
    for record in records:
        call, _ = record.turns
        assert call.crop
        assert record.frames_used == 65


@pytest.mark.long
@pytest.mark.parametrize("difficulty", ["easy", "hard"])
@pytest.mark.parametrize("duration_s", [30, 60, 3600])
def test_a_toolbox_finds_the_tool_that_tells(duration_s: float, difficulty: str) -> None:
    records = played("toolbox", "mixed", 12, duration_s=duration_s, difficulty=difficulty)
    assert num_right(records) == 12
    used = {
        tuple(
            name
            for turn in record.turns[:-1]
            for name in ("zoom", "crop", "transcript")
            if getattr(turn, name)
        )
        for record in records
    }
    assert used >= {("transcript",), ("transcript", "crop")}
    assert any("zoom" in calls for calls in used)


def test_whole_frames_do_not_answer_what_is_tiny() -> None:
    guessed, glanced = (
        [record.answer for record in played(name, "detail", 8)] for name in ("blind", "glance")
    )
    assert glanced == guessed


def test_no_frame_answers_what_is_spoken() -> None:
    guessed, glanced = (
        [record.answer for record in played(name, "spoken", 8)] for name in ("blind", "glance")
    )
    assert glanced == guessed


@pytest.mark.parametrize("name", ["listener", "cropper", "toolbox"])
def test_without_its_tool_or_a_beacon_it_answers_what_it_sees(name: str) -> None:
    records = played(name, "overview", 4, tools=["zoom"])
    assert num_right(records) == 4
    assert all(len(record.turns) == 1 for record in records)


def test_no_table_takes_frames_for_evidence_of_what_another_tool_tells() -> None:
    records = [*played("blind", "spoken", 4), *played("listener", "spoken", 4)]
    records += [*played("blind", "detail", 4)]
    by_agent = {"blind": records[:4] + records[8:], "listener": records[4:8]}
    assert not any(record.task.evidence == () for record in records)
    shown = {sheet.name for sheet in details(by_agent)}
    assert {"calls", "costs"} <= shown
    assert not {"evidence", "grounding"} & shown
    assert not any(BY_EVIDENCE & {*failures_of(record)} for record in records)
