from dataclasses import replace

import numpy as np
import pytest

from agents.registry import make_agent
from benchmarks.leaderboard import ALL, bootstrap, chance, leaderboard, wilson
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import run_episode


@pytest.fixture(scope="module")
def record() -> Record:
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=64, frame_size=(8, 8))
    agent = make_agent("blind")
    agent.reset(0)
    return run_episode(env, agent, agent_name="blind", seed=0)


def variant(record: Record, agent: str, category: str, accuracy: float) -> Record:
    return replace(
        record,
        agent=agent,
        task=replace(record.task, category=category),
        reward_parts=replace(record.reward_parts, accuracy=accuracy),
        reward=accuracy,
    )


def test_the_wilson_interval_is_that_of_the_textbook() -> None:
    estimate = wilson([1.0] * 8 + [0.0] * 2)  # R: binom.confint(8, 10, method="wilson")
    assert estimate.mean == 0.8
    assert (round(estimate.low, 4), round(estimate.high, 4)) == (0.4902, 0.9433)
    sure = wilson([1.0] * 12)
    assert (sure.mean, round(sure.low, 4), sure.high) == (1.0, 0.7575, 1.0)
    assert wilson([0.0] * 12).low == 0.0


def test_the_bootstrap_agrees_with_a_slow_one() -> None:
    values = [0.0, 0.1, 1.0, 1.5, 1.5, 0.9]
    estimate = bootstrap(values)
    rng = np.random.default_rng(1)
    means = sorted(np.mean(rng.choice(values, len(values))) for _ in range(4000))
    assert estimate.mean == pytest.approx(np.mean(values))
    assert estimate.low == pytest.approx(means[100], abs=0.05)
    assert estimate.high == pytest.approx(means[3900], abs=0.05)
    assert bootstrap(values) == estimate


def test_rows_are_ordered_by_accuracy_and_pool_first(record: Record) -> None:
    records = [
        variant(record, "bad", "x", 0.0),
        variant(record, "bad", "y", 1.0),
        variant(record, "good", "x", 1.0),
        variant(record, "good", "y", 1.0),
    ]
    rows = leaderboard(records)
    assert [(row.agent, row.category, row.num_episodes) for row in rows] == [
        ("good", ALL, 2), ("good", "x", 1), ("good", "y", 1),
        ("bad", ALL, 2), ("bad", "x", 1), ("bad", "y", 1),
    ]  # fmt: skip
    assert [row.estimates["accuracy"].mean for row in rows] == [1, 1, 1, 0.5, 0, 1]


def test_chance_is_one_over_the_number_of_options(record: Record) -> None:
    two = replace(record, task=replace(record.task, options=("a", "b"), answer="A"))
    assert chance([record]) == 0.25
    assert chance([record, two]) == 0.375
