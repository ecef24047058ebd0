from dataclasses import replace

import numpy as np
import pytest

from benchmarks.evaluation.pairs import pairs
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played
from zoomgym.records import Record


def results(agent: str, answers: str, seed: int = 0) -> list[Record]:
    """Returns the records of an agent: r is a right answer, w a wrong one, - none at all."""
    replies = {"r": RIGHT, "w": WRONG}
    return [
        replace(
            played(replies[sign], agent=agent, task=replace(TASK, id=f"q{k}", video=f"v{k}")),
            seed=seed,
        )
        for k, sign in enumerate(answers)
        if sign != "-"
    ]


def test_a_pair_is_compared_on_the_tasks_that_both_played() -> None:
    records = [*results("a", "rrrrw--"), *results("b", "rwwrrrr")]
    [pair] = pairs(records, ["a", "b"])
    assert (pair.agent, pair.against, pair.num_better, pair.num_worse) == ("a", "b", 2, 1)
    assert (pair.difference.mean, pair.difference.count) == (pytest.approx(0.2), 5)
    [turned] = pairs(records, ["b", "a"])
    assert turned.difference.mean == pytest.approx(-0.2)
    assert turned.difference.low == pytest.approx(-pair.difference.high, abs=0.01)


def test_pairing_tells_more_than_two_intervals() -> None:
    ours, theirs = "rw" * 100, "rw" * 95 + "ww" * 5
    [pair] = pairs([*results("a", ours), *results("b", theirs)], ["a", "b"])
    rng = np.random.default_rng(1)
    differences = np.array([0.0] * 195 + [1.0] * 5)
    means = sorted(rng.choice(differences, 200).mean() for _ in range(4000))
    assert (pair.difference.low, pair.difference.high) == pytest.approx(
        (means[100], means[3900]), abs=0.005
    )
    assert pair.difference.low > 0


def test_agents_that_are_right_on_the_same_tasks_may_still_differ_elsewhere() -> None:
    [pair] = pairs([*results("a", "rwr"), *results("b", "rwr")], ["a", "b"])
    assert pair.difference.mean == 0
    assert pair.difference.low == -pair.difference.high < -0.5


def test_videos_of_two_sets_that_share_a_name_are_two() -> None:
    ours = [*results("a", "r" * 20), *results("b", "wwwr" * 5)]
    other_set = [replace(one, task_set="yours") for one in ours]
    apart = [
        replace(one, task=replace(one.task, id=f"z{one.task.id}", video=f"z{one.task.video}"))
        for one in ours
    ]
    [by_set], [by_name] = (pairs([*ours, *more], ["a", "b"]) for more in (other_set, apart))
    assert by_set == by_name
    assert by_set.difference.count == 40


def test_several_seeds_count_as_their_mean() -> None:
    records = [*results("a", "rr"), *results("a", "rw", seed=1), *results("b", "ww")]
    [pair] = pairs(records, ["a", "b"])
    assert (pair.difference.mean, pair.difference.count, pair.num_better) == (0.75, 2, 2)


def test_agents_without_graded_tasks_in_common_make_no_pair() -> None:
    gap = [replace(record, grading="ungraded") for record in results("c", "rr")]
    records = [*results("a", "r-"), *results("b", "-r"), *gap]
    assert pairs(records, ["a", "b", "c"]) == []
    of_hour = [replace(r, settings={**r.settings, "duration_s": 3600}) for r in results("b", "r")]
    assert pairs([*results("a", "r"), *of_hour], ["a", "b"]) == []
