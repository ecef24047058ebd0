from dataclasses import replace

import pytest

from agents.registry import make_agent
from benchmarks.evaluation.metrics import ALL, chance, leaderboard, officials, wilson
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.records import Record


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
