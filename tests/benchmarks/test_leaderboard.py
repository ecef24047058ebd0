from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.registry import make_agent
from benchmarks.leaderboard import ALL, bootstrap, chance, leaderboard, main, officials, wilson
from zoomgym import ZoomEnv
from zoomgym.records import Record, write_records
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


def test_records_are_shown_as_tables_by_a_command(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [
        of_benchmark(record, "a", "B", 1.0),
        of_benchmark(record, "a", "It is B", 0.0),
        replace(of_benchmark(record, "a", "C", 0.0), grading="ungraded"),
    ]
    write_records(tmp_path / "records.jsonl", records)
    assert main([str(tmp_path / "records.jsonl")]) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert (
        "\u2502 videomme \u2502 a \u2502 all \u2502 3 \u2502 0.500 \u2502 1.000 \u2502 1 \u2502"
        in shown
    )
    assert any("1 ungraded" in line for line in shown)
    assert any("duration: long \u2502 2 \u2502 0.500 \u2502 1.000" in line for line in shown)
    (tmp_path / "empty.jsonl").write_text("")
    for name, message in (("empty.jsonl", "at least one record"), ("none.jsonl", "records file")):
        with pytest.raises(SystemExit):
            main([str(tmp_path / name)])
        assert message in capsys.readouterr().err
