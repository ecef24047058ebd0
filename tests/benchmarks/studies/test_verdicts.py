"""Intervals over seeds and tasks, and the verdicts that they allow."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from benchmarks.evaluation.statistics import Estimate
from benchmarks.studies.plan import Contrast, Results, Study
from benchmarks.studies.report import told_verdict
from benchmarks.studies.verdicts import (
    Judgment,
    by_students_t,
    judge,
    judge_all,
    over_seeds,
)
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played
from zoomgym.records import Record

SEEDS = (0, 1, 2, 3, 4)


def accuracy(record: Record) -> float:
    return record.reward_parts.accuracy


def record_of(task_id: str, *, is_right: bool = True) -> Record:
    return played(RIGHT if is_right else WRONG, task=replace(TASK, id=task_id))


def study(*contrasts: Contrast) -> Study:
    return Study(
        name="toy",
        title="",
        claim="",
        source="",
        refuted_by="",
        cannot_show="",
        arms=("a", "b"),
        measures={"accuracy": accuracy},
        contrasts=contrasts,
        sizes={},
        play=lambda *_: iter(()),
        draw=lambda _: Figure(),
    )


def results(**right: list[list[int]]) -> Results:
    """Returns results in which each arm is right on tasks 0, 1, .. of each seed as told."""
    return Results(
        {
            (arm, seed): [record_of(f"q{k}", is_right=bool(one)) for k, one in enumerate(own)]
            for arm, seeds in right.items()
            for seed, own in enumerate(seeds)
        }
    )


def slowly(values: list[list[float]], num_resamples: int) -> tuple[float, float]:
    rng = np.random.default_rng(1)
    means = []
    for _ in range(num_resamples):
        seeds = [values[k] for k in rng.integers(len(values), size=len(values))]
        means.append(np.mean([np.mean(rng.choice(own, len(own))) for own in seeds]))
    low, high = np.percentile(means, (2.5, 97.5))
    return low, high


def test_the_interval_is_that_of_an_obvious_bootstrap_of_seeds_and_their_tasks() -> None:
    rng = np.random.default_rng(0)
    values = [list((rng.random(n) < p).astype(float)) for n, p in ((30, 0.3), (50, 0.6), (40, 0.5))]
    estimate = over_seeds(values)
    low, high = slowly(values, 4000)
    assert estimate.mean == pytest.approx(np.mean([np.mean(own) for own in values]))
    # A percentile of 4,000 means that scatter by .1 is known to .005.
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=0.02)
    assert estimate.count == 120


def test_seeds_that_differ_make_the_interval_wide_however_many_tasks_there_are() -> None:
    values = [[0.0] * 1000, [1.0] * 1000, [0.0] * 1000, [1.0] * 1000, [1.0] * 1000]
    estimate = over_seeds(values)
    assert (estimate.mean, estimate.low, estimate.high) == (0.6, pytest.approx(0.2), 1.0)


def test_the_same_values_give_the_same_interval() -> None:
    assert over_seeds([[0, 1, 1], [1, 1, 0]]) == over_seeds([[0, 1, 1], [1, 1, 0]])


@pytest.mark.parametrize(
    ("low", "high", "num_seeds", "verdict"),
    [
        (0.11, 0.3, 5, Judgment.HOLDS),
        (0.1, 0.3, 5, Judgment.OPEN),
        (-0.3, 0.09, 5, Judgment.FAILS),
        (-0.3, 0.1, 5, Judgment.OPEN),
        (0.11, 0.3, 4, Judgment.OPEN),
        (-0.3, 0.09, 1, Judgment.OPEN),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side_and_five_seeds(
    low: float, high: float, num_seeds: int, verdict: Judgment
) -> None:
    assert judge(Estimate(0.2, low, high, 100), 0.1, num_seeds) == verdict


def test_arms_are_compared_on_the_tasks_that_both_have() -> None:
    contrast = Contrast("a is better", "accuracy", "a", "b", 0.1)
    these = results(a=[[1, 1, 0]] * 5, b=[[0, 1]] * 5)
    [one] = judge_all(study(contrast), these)
    assert one.by_seed == dict.fromkeys(SEEDS, 0.5)
    assert one.estimate.count == 10


def test_an_arm_is_compared_with_a_number() -> None:
    contrast = Contrast("a is nearly always right", "accuracy", "a", more_than=0.9)
    [one] = judge_all(study(contrast), results(a=[[1, 1, 1, 1]] * 5))
    assert (one.estimate.mean, one.verdict) == (1.0, Judgment.HOLDS)


def test_a_contrast_whose_arms_were_not_played_is_left_out() -> None:
    contrast = Contrast("a is better", "accuracy", "a", "b")
    assert judge_all(study(contrast), results(a=[[1]])) == []


def test_arms_that_share_no_task_cannot_be_compared() -> None:
    contrast = Contrast("a is better", "accuracy", "a", "b")
    these = results(a=[[1]], b=[[1]])
    other = Results({**these.records, ("b", 0): [record_of("other")]})
    with pytest.raises(ValueError, match="toy: a and b share no task"):
        judge_all(study(contrast), other)


def test_students_t_is_that_of_a_table() -> None:
    # Means 1 to 5: their mean is 3, its standard error sqrt(2.5 / 5), and t is 2.776 for 4 degrees.
    found = by_students_t([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert (found.low, found.high) == pytest.approx((3 - 2.776 * 0.5**0.5, 3 + 2.776 * 0.5**0.5))
    assert by_students_t([0.5] * 12) == Estimate(0.5, 0.5, 0.5, 12)
    few = by_students_t([1.0, 2.0])
    assert (few.low, few.high) == (-np.inf, np.inf)


def test_a_verdict_that_students_t_does_not_share_says_so() -> None:
    contrast = Contrast("a is better", "accuracy", "a", "b", 0.1)
    right = [[1] * 20, [1] * 20, [1] * 6 + [0] * 14, [1] * 3 + [0] * 17, [1] * 3 + [0] * 17]
    [one] = judge_all(study(contrast), results(a=right, b=[[0] * 20] * 5))
    assert (one.verdict, one.by_t) == (Judgment.HOLDS, Judgment.OPEN)
    assert told_verdict(one) == "holds (by t: undecided)"
    assert told_verdict(replace(one, by_t=Judgment.HOLDS)) == "holds"
