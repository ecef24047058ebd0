"""An ideal agent that sees pixels only solves every family; one that looks too little does not."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import gymnasium as gym
import pytest

from agents.synthetic.baselines import GlanceAgent
from benchmarks.evaluation.statistics import wilson
from tests.agents.synthetic.solver import SolverAgent
from tests.agents.test_agents import small_env
from zoomgym import ZoomEnv
from zoomgym.agent import Agent
from zoomgym.agent.observation import Observation
from zoomgym.rollout import run_episodes
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.grammar import write_reply
from zoomgym.tasks.synthetic import FAMILIES

NUM_TASKS = 1  # more of them in the slow run
MANY_TASKS = 200
CHANCE = dict.fromkeys(FAMILIES, 0.25) | {"motion": 0.5}


def solve(agent: Agent, env: ZoomEnv, num_tasks: int, first: int = 0) -> list[float]:
    """Returns the accuracy of every episode."""
    task_ids = [env.tasks[index].id for index in range(first, first + num_tasks)]
    records = run_episodes(env, agent, agent_name="x", task_ids=task_ids, seed=0)
    return [record.reward_parts.accuracy for record in records]


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("duration_s", [30, 600, 36_000])
def test_every_task_is_solvable_from_pixels_within_the_rules(family: str, duration_s: int) -> None:
    env = small_env(f"synthetic:{family}", duration_s=duration_s)
    assert solve(SolverAgent(), env, NUM_TASKS) == [1.0] * NUM_TASKS


@pytest.mark.long
@pytest.mark.parametrize("difficulty", ["medium", "hard"])
@pytest.mark.parametrize("duration_s", [60, 36_000])
def test_hard_tasks_are_solvable_too(difficulty: str, duration_s: int) -> None:
    env = small_env("synthetic", duration_s=duration_s, difficulty=difficulty)
    num_tasks = len(FAMILIES)  # many more in the slow run
    assert solve(SolverAgent(), env, num_tasks) == [1.0] * num_tasks


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_encoded_tasks_are_solvable_too(family: str) -> None:
    env = small_env(f"synthetic:{family}", duration_s=30, source="file")
    assert solve(SolverAgent(), env, 1) == [1.0]


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
@pytest.mark.parametrize("duration_s", [60, 600, 3600, 36_000])
@pytest.mark.parametrize("family", FAMILIES)
def test_98_of_100_tasks_are_solved(family: str, duration_s: int, difficulty: str) -> None:
    env = small_env(f"synthetic:{family}", duration_s=duration_s, difficulty=difficulty)
    right = solve(SolverAgent(), env, MANY_TASKS)
    assert sum(right) >= 0.98 * MANY_TASKS


@pytest.mark.slow
@pytest.mark.parametrize(("duration_s", "num_tasks"), [(60, 50), (600, 20)])
@pytest.mark.parametrize("family", FAMILIES)
def test_encoded_tasks_are_all_solved(
    family: str, duration_s: int, num_tasks: int, tmp_path: Path
) -> None:
    env = small_env(f"synthetic:{family}", source="file", duration_s=duration_s, cache_dir=tmp_path)
    right = solve(SolverAgent(), env, num_tasks)
    assert sum(right) >= 0.98 * num_tasks


@dataclass
class Looker:
    """Looks once at each of some pieces of evidence, at num_frames frames, and reads."""

    pieces: Sequence[int]
    num_frames: int
    privileged = True

    def reset(self, seed: int) -> None:
        self._glance = GlanceAgent()
        self._glance.reset(seed)

    def act(self, observation: Observation) -> str:
        if len(observation.clips) == len(self.pieces):
            return self._glance.act(observation)
        start_s, end_s = observation.evidence[self.pieces[len(observation.clips)]]
        call = ZoomCall(start_s, end_s, self.num_frames / (end_s - start_s))
        return write_reply(call, observation.rules.grammar)


@pytest.mark.long
@pytest.mark.parametrize("family", ["flash", "count", "motion", "sparse"])
def test_one_perfect_zoom_is_enough(family: str) -> None:
    assert solve(Looker([0], 16), small_env(f"synthetic:{family}"), 8) == [1.0] * 8


class Spanner(Looker):
    """Looks once at all the evidence and what is between it, at num_frames frames, and reads."""

    def act(self, observation: Observation) -> str:
        if observation.clips:
            return self._glance.act(observation)
        start_s, end_s = observation.evidence[0].start_s, observation.evidence[-1].end_s
        call = ZoomCall(start_s, end_s, self.num_frames / (end_s - start_s))
        return write_reply(call, observation.rules.grammar)


def test_one_zoom_that_shows_both_symbols_is_enough_for_order() -> None:
    assert solve(Spanner([], 16), small_env("synthetic:order"), 8) == [1.0] * 8


@pytest.mark.slow
@pytest.mark.parametrize("pieces", [[0], [1]])
def test_one_perfect_zoom_is_not_enough_for_relay(pieces: list[int]) -> None:
    estimate = wilson(solve(Looker(pieces, 16), small_env("synthetic:relay"), 40))
    assert estimate.low < 0.25 < estimate.high


@pytest.mark.parametrize("pieces", [[0, 1], [1, 0]])
def test_two_perfect_zooms_are_enough_for_relay(pieces: list[int]) -> None:
    assert solve(Looker(pieces, 16), small_env("synthetic:relay"), 8) == [1.0] * 8


@pytest.mark.slow
@pytest.mark.parametrize(("family", "num_frames"), [("count", 2), ("motion", 3)])
def test_looking_too_slowly_is_guessing(family: str, num_frames: int) -> None:
    """Every third frame of nine that show a wheel; two of sixteen that show pulses."""
    env = small_env(f"synthetic:{family}", difficulty={"event_s": [0.75, 0.75]})
    estimate = wilson(solve(Looker([0], num_frames), env, 50))
    assert estimate.low < CHANCE[family] < estimate.high


def test_a_relay_of_ten_hours_is_ready_at_once() -> None:
    """It has to take less than two seconds: so much is computed here, on a busy machine too."""
    env = gym.make(
        "zoomgym:ZoomEnv-v0",
        tasks="synthetic:relay",
        split="test",
        difficulty="hard",
        duration_s=36_000,
        source="scene",
    )
    env.reset(seed=0)
    started_s = time.process_time()
    _, info = env.reset(seed=1)
    assert time.process_time() - started_s < 2
    assert info["task_id"].startswith("relay-hard-36000s-test-")
