"""What is measured of episodes: rows, spans of durations, pairs, and where zooms fell."""

from dataclasses import replace

import numpy as np
import pytest

from agents.registry import make_agent
from benchmarks.evaluation.metrics import (
    ACCURACY,
    ALL,
    EVIDENCE,
    GROUNDING,
    NAMED,
    chance,
    chance_by_duration,
    duration_rows,
    estimate,
    leaderboard,
    officials,
    pairs,
)
from benchmarks.evaluation.statistics import wilson
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played, with_evidence, zoom
from tests.benchmarks.page.test_write import SEA
from tests.benchmarks.page.test_write import played as played_by
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.synthetic.families import count


@pytest.fixture(scope="module")
def record() -> Record:
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=64, frame_size=(8, 8))
    agent = make_agent("blind")
    agent.reset(0)
    return play_episode(env, agent, agent_name="blind", seed=0)


def variant(record: Record, agent: str, category: str, accuracy: float) -> Record:
    return replace(
        record,
        agent=agent,
        task=replace(record.task, category=category),
        reward_parts=replace(record.reward_parts, accuracy=accuracy),
        reward=accuracy,
    )


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


def test_what_nobody_could_grade_is_counted_and_in_no_mean_that_needs_a_grade(
    record: Record,
) -> None:
    right = variant(record, "a", "x", 1.0)
    gap = replace(variant(record, "a", "x", 0.0), grading="ungraded", frames_used=100)
    [pooled, of_x] = leaderboard([right, gap])
    for row in (pooled, of_x):
        assert (row.num_episodes, row.num_ungraded) == (2, 1)
        assert row.estimates["accuracy"] == wilson([1.0])
        assert row.estimates["reward"].mean == 1.0
        assert row.estimates["frames"].mean == (64 + 100) / 2
    assert chance([right, gap]) == 0.25


def test_an_agent_of_which_nothing_is_graded_is_last_and_has_no_accuracy(record: Record) -> None:
    gap = replace(variant(record, "a", "x", 0.0), grading="ungraded")
    rows = leaderboard([gap, variant(record, "b", "x", 0.0)])
    assert [row.agent for row in rows] == ["b", "b", "a", "a"]
    assert rows[2].estimates.keys() == {"format", "zooms", "frames", "seconds"}
    assert chance([gap]) == 0.0


def of_benchmark(record: Record, agent: str, text: str, accuracy: float) -> Record:
    """Returns a record on a task of Video-MME whose right answer is B."""
    task = replace(
        record.task, id=f"q-{text}", answer="B", category="OCR", labels=(("duration", "long"),)
    )
    return replace(
        variant(record, agent, "OCR", accuracy), task=task, task_set="videomme", answer=text
    )


def test_benchmarks_are_scored_officially_too_without_what_is_ungraded(record: Record) -> None:
    records = [
        of_benchmark(record, "a", "B", 1.0),
        of_benchmark(record, "a", "It is B", 0.0),
        replace(of_benchmark(record, "a", "C", 0.0), grading="ungraded"),
        variant(record, "a", "x", 1.0),
    ]
    [row] = officials(records)
    assert (row.agent, row.task_set, row.num_ungraded) == ("a", "videomme", 1)
    found = row.comparison
    assert (found.num_tasks, found.strict, found.official) == (2, 0.5, 1.0)
    assert [graded.answer for graded in found.parted] == ["It is B"]


def test_runs_with_and_without_subtitles_are_scored_apart(record: Record) -> None:
    plain = of_benchmark(record, "a", "B", 1.0)
    with_subtitles = replace(of_benchmark(record, "a", "C", 0.0), task_set_hash="other")
    rows = officials([plain, with_subtitles])
    assert sorted(row.comparison.strict for row in rows) == [0.0, 1.0]


def test_tasks_that_share_a_video_count_less(record: Record) -> None:
    records = [
        replace(one, task=replace(one.task, id=f"q{index}", video=f"v{index // 4}"))
        for index, one in enumerate([variant(record, "a", "x", 1.0)] * 12)
    ]
    [pooled, _] = leaderboard(records)
    assert pooled.estimates["accuracy"].low == wilson([1.0] * 3).low
    assert pooled.estimates["accuracy"].count == 12


SHORT = played_by("a", RIGHT)
LONG = replace(played_by("a", WRONG, task=SEA), duration_s=3600.0)
LONGER = replace(played_by("b", RIGHT), duration_s=3600.1)
UNGRADED = replace(played_by("b", RIGHT), grading="ungraded")


def test_rows_are_by_agent_and_span() -> None:
    rows = duration_rows([LONGER, LONG, SHORT, SHORT, UNGRADED])
    assert {(row.agent, row.category): row.num_episodes for row in rows} == {
        ("b", "over 60 min"): 1,
        ("a", "15-60 min"): 1,
        ("a", "up to 2 min"): 2,
    }
    assert rows[2].estimates == {"accuracy": estimate(ACCURACY, [SHORT, SHORT])}


def test_chance_comes_from_the_shortest_span_to_the_longest() -> None:
    assert list(chance_by_duration([LONGER, LONG, SHORT]).items()) == [
        ("up to 2 min", 0.5),
        ("15-60 min", 0.25),
        ("over 60 min", 0.5),
    ]


def test_what_nobody_could_grade_is_in_no_span() -> None:
    assert chance_by_duration([UNGRADED]) == {}


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


THERE, AWAY = zoom(20, 21, 10), zoom(30, 31, 8)
TWO = with_evidence((20.1, 20.5), (40.1, 40.5))


@pytest.mark.parametrize(
    ("replies", "task", "expected"),
    [
        ([THERE], TASK, (1, 1, None, 1)),
        ([AWAY], TASK, (0, 0, 0, 0)),
        ([AWAY, THERE], TASK, (1, 0, 1, 1)),
        ([THERE, AWAY], TASK, (1, 1, None, 1)),
        ([zoom(20, 21, 1)], TASK, (0, 0, 0, 0)),  # over it, but between two frames
        ([THERE], TWO, (1, 1, None, 0)),
        ([zoom(20, 21, 6)], with_evidence((20, 21), question=count.QUESTION), (1, 1, None, 0)),
        (["what?", THERE], TASK, (1, 1, None, 1)),  # no zoom, so not the first one
        ([], TASK, (None, None, None, None)),
        ([THERE], with_evidence(), (None, None, None, None)),
    ],
)
def test_grounding_says_where_zooms_fell(
    replies: list[str], task: VideoQuestion, expected: tuple[float | None, ...]
) -> None:
    for answer in (RIGHT, WRONG):
        record = played(*replies, answer, task=task)
        assert tuple(metric.of(record) for metric in GROUNDING) == expected


IN_HALF = '{"answer": "A", "evidence": [[20.1, 20.5]]}'


@pytest.mark.parametrize(
    ("replies", "task", "expected"),
    [
        ([THERE, RIGHT], TWO, (1, 1, 0, None)),
        ([THERE, WRONG], TWO, (0, 0, 0, None)),
        ([AWAY, RIGHT], TWO, (1, 0, 0, None)),
        ([THERE, IN_HALF], TWO, (1, 1, 1, 0.5)),
        ([RIGHT], with_evidence(), (None, None, None, None)),
    ],
)
def test_answers_are_gated_by_what_was_seen(
    replies: list[str], task: VideoQuestion, expected: tuple[float | None, ...]
) -> None:
    record = played(*replies, task=task)
    assert tuple(metric.of(record) for metric in EVIDENCE + NAMED) == pytest.approx(expected)
    ungraded = replace(record, grading="ungraded")
    assert {metric.of(ungraded) for metric in EVIDENCE + NAMED} == {None}
