"""Monitors: the failures of the paper's trainings are said in plain words, once, and not early."""

import pytest

from agents.qwen.training.monitors import Monitor, summarize
from tests.agents.qwen.noise import SCRIPT, NoiseTasks
from zoomgym.envs.env import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import to_record

HEALTHY = {
    "zoomed": 0.9, "zoomed_once": 0.5, "refused": 0.05, "unanswered": 0.02, "flat_groups": 0.4,
}  # fmt: skip


def warnings_of(*steps: dict[str, float], window: int = 3) -> list[list[str]]:
    monitor = Monitor(window)
    return [monitor.watch(step) for step in steps]


def test_a_healthy_run_is_not_commented_on() -> None:
    assert warnings_of(*[HEALTHY] * 20) == [[]] * 20


@pytest.mark.parametrize(
    ("sign", "words"),
    [
        ({"zoomed": 0.01, "zoomed_once": 0.01}, "Fewer than 5% of the episodes zoom"),
        ({"zoomed": 1.0, "zoomed_once": 0.99}, "More than 95% of the episodes zoom exactly once"),
        ({"refused": 0.3}, "More than 20% of the replies are refused"),
        ({"unanswered": 0.3}, "More than 20% of the episodes spend all turns without an answer"),
        ({"flat_groups": 0.9}, "In more than 80% of the groups every episode earns the same"),
    ],
)
def test_a_failure_is_said_once_when_it_lasts(sign: dict[str, float], words: str) -> None:
    said = warnings_of(*[HEALTHY | sign] * 5)
    assert [len(warnings) for warnings in said] == [0, 0, 1, 0, 0]
    assert said[2][0].startswith(words)


def test_one_bad_step_is_no_failure() -> None:
    bad = HEALTHY | {"refused": 0.4}
    assert warnings_of(HEALTHY, bad, HEALTHY, HEALTHY, bad, HEALTHY) == [[]] * 6


def test_what_comes_back_is_said_again() -> None:
    bad = HEALTHY | {"unanswered": 1.0}
    said = warnings_of(*[bad] * 3, *[HEALTHY] * 3, *[bad] * 3)
    assert sum(map(len, said)) == 2


def record_of(*replies: str) -> Record:
    env = ZoomEnv(NoiseTasks(), grammar="video_zoom", num_overview=3, max_turns=3)
    env.reset(seed=0, options={"task_id": "q0"})
    for reply in replies:
        env.step(reply)
    return to_record(env, agent_name="x", seed=0, agent_s=0.0)


def test_means_are_over_episodes_and_refusals_over_replies() -> None:
    zoom, _, refused, right, wrong, _ = SCRIPT
    records = [record_of(zoom, right), record_of(wrong), record_of(refused, refused, refused)]
    assert summarize(records) == pytest.approx(
        {
            "reward": (1.5 + 0.1 + 0.0) / 3,
            "accuracy": 1 / 3,
            "format": 2 / 3,
            "tool": 1 / 3,
            "zooms": 1 / 3,
            "zoomed": 1 / 3,
            "zoomed_once": 1 / 3,
            "refused": 3 / 6,
            "unanswered": 1 / 3,
            "frames": (7 + 3 + 3) / 3,
        }
    )
    assert summarize([]) == {}
