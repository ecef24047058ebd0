"""Agents that use one tool: right where it tells the answer, and at chance where it does not."""

import pytest

from agents.registry import make_agent
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episodes


def played(name: str, family: str, num_tasks: int, **settings: object) -> list[Record]:
    given = {"split": "test", "source": "scene", "max_pixels": 112 * 112, "frame_size": (0, 0)}
    given |= {"tools": ["zoom", "transcript"]}
    env = ZoomEnv(f"synthetic:{family}", **{**given, **settings})  # type: ignore[arg-type]
    task_ids = [env.tasks[index].id for index in range(num_tasks)]
    return list(run_episodes(env, make_agent(name), agent_name=name, task_ids=task_ids, seed=0))


def num_right(records: list[Record]) -> int:
    return sum(bool(record.reward_parts.accuracy) for record in records)


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


def test_no_frame_answers_what_is_spoken() -> None:
    guessed, glanced = (
        [record.answer for record in played(name, "spoken", 8)] for name in ("blind", "glance")
    )
    assert glanced == guessed


def test_a_listener_without_its_tool_or_beacon_answers_what_it_sees() -> None:
    records = played("listener", "overview", 4, tools=["zoom"])
    assert num_right(records) == 4
    assert all(len(record.turns) == 1 for record in records)
