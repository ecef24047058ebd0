"""Synthetic tasks are made again; a record that says otherwise is refused."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.registry import make_agent
from benchmarks.evaluation.origins import check_synthetic
from benchmarks.leaderboard import read_all
from zoomgym import ZoomEnv
from zoomgym.errors import RecordError
from zoomgym.records import Record, replay, write_records
from zoomgym.rollout import run_episodes
from zoomgym.rules.timeline import Segment


@pytest.fixture(scope="module")
def record() -> Record:
    """What `blind` does on a task that is made by settings of its own."""
    env = ZoomEnv(
        tasks="synthetic:flash",
        split="test",
        duration_s=33.3,
        difficulty={"preset": "hard", "contrast": 0.6},
        source="scene",
        max_pixels=256,
    )
    [played] = run_episodes(
        env, make_agent("blind"), agent_name="blind", task_ids=[env.tasks[4].id], seed=0
    )
    return Record.from_json(played.to_json())


def with_settings(record: Record, **settings: Any) -> Record:
    """Returns the record with other settings."""
    return replace(record, settings={**record.settings, **settings})


def test_what_the_settings_make_passes_whether_it_was_drawn_or_encoded(record: Record) -> None:
    check_synthetic([record, with_settings(record, source="file")])


@pytest.mark.parametrize(
    "changes",
    [
        {"task_set_hash": "0123456789ab"},
        {"task_set_version": "9"},
        {"task_set": "mine"},
        {"duration_s": 34.0},
        {"last_frame_s": 33.0},
    ],
)
def test_what_they_do_not_make_is_refused(record: Record, changes: Mapping[str, Any]) -> None:
    with pytest.raises(RecordError, match=r"agent blind on flash.*or the record was edited"):
        check_synthetic([record, replace(record, **changes)])


def test_evidence_that_was_moved_is_refused(record: Record) -> None:
    moved = replace(record, task=replace(record.task, evidence=(Segment(0, 1),)))
    with pytest.raises(RecordError, match="needed the synthetic task that its settings make"):
        check_synthetic([moved])


def test_settings_that_make_nothing_are_refused(record: Record) -> None:
    for settings, message in (
        ({"split": "nowhere"}, "split needs one of train, test, got 'nowhere'"),
        (
            {"tasks": None},
            "again, got: tasks needs to be synthetic to be made again",
        ),
        ({"duration_s": 60}, "task_id needs to be one of synthetic:flash"),
    ):
        with pytest.raises(RecordError, match=message):
            check_synthetic([with_settings(record, **settings)])


def test_a_file_that_a_record_names_beside_a_synthetic_set_is_not_opened(
    record: Record, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(RecordError, match="tasks needs to be synthetic to be made again"):
        check_synthetic([with_settings(record, tasks=f"{tmp_path}/pipe.jsonl")])


def test_other_sets_are_taken_as_they_are(record: Record) -> None:
    check_synthetic([with_settings(replace(record, task_set="mine"), tasks="lost.jsonl")])


def test_a_truth_that_was_edited_with_the_scores_is_found_when_it_is_played_again(
    record: Record, tmp_path: Path
) -> None:
    path = tmp_path / "records.jsonl"
    task = replace(record.task, answer=record.answer or "")
    assert task != record.task
    parts = replace(record.reward_parts, accuracy=1.0)
    edited = replace(record, task=task, reward_parts=parts, reward=1.0)
    replay(edited)
    write_records(path, [edited])
    assert read_all([path]) == [edited]
    where = rf"{path}:1: agent blind on flash\S+: needed the synthetic task"
    with pytest.raises(RecordError, match=f"{where}.* or the record was edited"):
        read_all([path], is_replayed=True)
    write_records(path, [record])
    assert read_all([path], is_replayed=True) == [record]
