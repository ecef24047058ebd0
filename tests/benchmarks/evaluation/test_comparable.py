"""Records that must not be mixed are refused; those of one run are joined; tasks are made again."""

import os
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.registry import make_agent
from benchmarks.evaluation.comparable import EpisodeKey, check_synthetic, check_terms, join_records
from benchmarks.evaluation.suites import SUITES, Part, Suite
from benchmarks.leaderboard import read_all
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played
from zoomgym import ZoomEnv
from zoomgym.errors import RecordError
from zoomgym.records import Record, replay, write_records
from zoomgym.rollout import run_episodes
from zoomgym.rules.overview import Overview
from zoomgym.rules.settings import Rules
from zoomgym.rules.timeline import Segment

RECORD = replace(played(RIGHT), suite="mine-v0")
OTHER = replace(RECORD, agent="b")
SHORT = replace(RECORD.rules, max_turns=3, grammar="video_zoom")
OPEN = replace(TASK, options=(), answer="a kite")


def refused(*records: Record, files: Sequence[str] = ("a.jsonl", "b.jsonl")) -> str:
    """Returns why records, each of a file of its own, are refused; empty if they are not."""
    try:
        check_terms({name: [record] for name, record in zip(files, records, strict=True)})
    except RecordError as error:
        return str(error)
    return ""


def test_records_that_differ_in_agents_tasks_and_seeds_stand_in_one_table() -> None:
    other_task = replace(OTHER, task=replace(TASK, id="r"), seed=1, agent_s=9.0)
    assert refused(RECORD, other_task) == ""
    assert refused(RECORD, replace(RECORD, seed=1)) == ""
    assert refused(RECORD, replace(OTHER, suite="yours-v0", rules=SHORT)) == ""  # its own tables


def test_the_message_says_in_what_records_differ_and_where() -> None:
    assert refused(RECORD, replace(OTHER, version="2")) == (
        "records need the same package version, got version 1 (agent a in a.jsonl, suite "
        "mine-v0) and version 2 (agent b in b.jsonl, suite mine-v0): show "
        "them apart, or play them again alike"
    )
    assert refused(RECORD, replace(OTHER, rules=SHORT)) == (
        "records need the same rules, got grammar json, max_turns 5 (agent a in a.jsonl, suite "
        "mine-v0) and grammar video_zoom, max_turns 3 (agent b in b.jsonl, suite mine-v0): show "
        "them apart, or play them again alike"
    )


def with_settings(record: Record, **settings: object) -> Record:
    """Returns the record with other settings."""
    return replace(record, settings={**record.settings, **settings})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (with_settings(OTHER, reward_weights={"tool": 0}), "reward weights, got tool 0.5 "),
        (replace(OTHER, task_set_hash="xyz"), "tasks, shown alike, got mine hash abc .* hash xyz"),
        (replace(OTHER, task_set_version="1"), "got mine version 0 .* mine version 1"),
        (with_settings(OTHER, max_pixels=64), "got max_pixels 1024 .* max_pixels 64"),
        (RECORD, "agent a on q with seed 0 in a.jsonl and again in b.jsonl: give each file once"),
    ],
)
def test_what_would_spoil_a_comparison_is_refused(other: Record, message: str) -> None:
    assert re.search(message, refused(RECORD, other))
    with pytest.raises(RecordError):
        check_terms({"a.jsonl": [other, RECORD]})


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            replace(OTHER, task=replace(TASK, answer="B")),
            "records need the same task and length of its video by the same id, got answer A "
            "(agent a in a.jsonl, suite mine-v0) and answer B (agent b in b.jsonl, suite mine-v0)",
        ),
        (replace(OTHER, task=replace(TASK, evidence=())), "and evidence () (agent b in b.jsonl"),
        (replace(OTHER, duration_s=61.0), "got duration_s 60.0 (agent a in a.jsonl"),
        (replace(OTHER, last_frame_s=59.5), "and last_frame_s 59.5 (agent b in b.jsonl"),
        (
            replace(OTHER, task=replace(TASK, question="\x1b[31m" + "why" * 999)),
            f"and question \\x1b[31m{'why' * 25} (agent b",
        ),
    ],
)
def test_a_task_that_says_something_else_by_the_same_id_is_refused(
    other: Record, message: str
) -> None:
    assert message in refused(RECORD, other)
    assert refused(RECORD, with_settings(other, duration_s=3600)) == ""  # a part of its own


def test_parts_of_a_suite_may_be_of_other_lengths_of_the_same_set() -> None:
    hour = replace(with_settings(OTHER, duration_s=3600), task_set_hash="xyz")
    assert refused(RECORD, hour) == ""


def test_without_a_suite_every_agent_needs_the_same_task_sets() -> None:
    loose, other = replace(RECORD, suite=""), replace(OTHER, suite="")
    hour = replace(with_settings(other, duration_s=3600), task_set_hash="xyz")
    assert refused(loose, other) == ""
    assert refused(loose, hour) == (
        "records of no suite need all agents on the same task sets, got mine abc, split test, "
        "duration_s 60, difficulty easy, source file, subtitles None (agent a in a.jsonl), on "
        "which agent b has none: show them apart, or play them again alike"
    )


def test_open_ended_answers_need_the_same_grader() -> None:
    strict = replace(played(WRONG, task=OPEN))
    judged = replace(strict, agent="b", grading="judge:x")
    assert "got grading strict (agent a" in refused(strict, judged)
    assert refused(strict, replace(judged, grading="ungraded")) == ""
    other_task = replace(judged, suite="mine-v0", task=replace(OPEN, id="open"))
    assert refused(RECORD, other_task) == ""  # choices are read strictly


def test_a_suite_with_several_rules_may_be_played_by_each_of_them_but_by_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = tuple(Part(4, {"tasks": "synthetic:flash", "max_turns": turns}) for turns in (1, 3))
    monkeypatch.setitem(SUITES, "mine-v0", Suite("mine-v0", "a test", parts))
    one, three, five = (
        replace(RECORD, rules=replace(RECORD.rules, max_turns=turns)) for turns in (1, 3, 5)
    )
    assert refused(one, three) == ""
    assert refused(three, one) == ""
    assert "need the same rules, got rules of the suite (agent a" in refused(one, five)
    assert "got grammar json, num_overview 64" in refused(five, one)


def test_overviews_that_are_picked_otherwise_are_other_rules() -> None:
    shown = Overview((1.0, 2.0), 71)
    change = played(RIGHT, picked=shown, num_overview=(2, 8), overview="change")
    several = played(RIGHT, picked=Overview((0.0, RECORD.last_frame_s)), num_overview=(2, 8))
    plain = replace(change, suite="", rules=Rules(), picked_s=None)
    told = refused(change, replace(several, agent="b"))
    assert "records need the same rules, got overview change (agent a" in told
    assert "and overview uniform (agent b" in told
    told = refused(several, replace(plain, agent="b"))
    assert "got num_overview (2, 8) (agent a" in told
    assert refused(change, replace(change, agent="b", picked_s=(3.0, 4.0))) == ""


def on_task(number: int, **fields: Any) -> Record:
    """Returns the record on a task of its own."""
    return replace(RECORD, task=replace(RECORD.task, id=f"q{number}", **fields))


def test_more_than_tables_can_show_is_refused() -> None:
    agents = [replace(RECORD, agent=f"a{k}") for k in range(201)]
    cells = [replace(on_task(k, category=f"c{k}"), agent=f"a{k % 200}") for k in range(501)]
    used = [replace(on_task(k), usage={f"u{k}": 1.0}) for k in range(101)]
    for records, message in (
        (agents, "200 agents, got 201"),
        (cells, "100000 agents times categories, got 100200"),
        (used, "100 kinds of what agents used, got 101"),
    ):
        with pytest.raises(RecordError, match=f"records need at most {message}: show them apart"):
            check_terms({"x.jsonl": records})
        check_terms({"x.jsonl": records[:-1]})


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Six episodes: two agents on three tasks of two sets."""
    played = []
    for family, indices in (("flash", (0, 1)), ("overview", (0,))):
        env = ZoomEnv(f"synthetic:{family}", source="scene", max_pixels=256, frame_size=(1, 1))
        task_ids = [env.tasks[index].id for index in indices]
        for name in ("blind", "glance"):
            played += run_episodes(
                env, make_agent(name), agent_name=name, task_ids=task_ids, seed=0
            )
    return [replace(record, suite="s-v0") for record in played]


def test_an_episode_is_told_by_run_settings_and_task(records: list[Record]) -> None:
    key = EpisodeKey.of(records[0])
    assert (key.suite, key.seed) == ("s-v0", 0)
    assert key.task_id == "flash-easy-60s-train-00000"
    assert '"max_pixels": 256' in key.settings
    assert '"tasks"' not in key.settings
    assert len({EpisodeKey.of(record) for record in records}) == 3


def test_a_task_is_the_same_one_in_any_picture_and_by_any_rules_but_opened_otherwise(
    records: list[Record],
) -> None:
    record = records[0]
    small = replace(record, seed=1, settings={**record.settings, "max_pixels": 64, "max_turns": 2})
    long = replace(record, settings={**record.settings, "duration_s": 600})
    key, of_small, of_long = map(EpisodeKey.of, (record, small, long))
    assert (key.task, key.part) == (of_small.task, of_small.part)
    assert key.opened_task != of_small.opened_task
    assert key.part != of_long.part


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"suite": "t-v0", "seed": 4}, "suite t-v0, not s-v0"),
        ({"version": "9"}, "version 9, not 1"),
        ({"seed": 4}, "seed 4, not 0"),
        ({"task_set": "n"}, "task set n, not m"),
        ({"task_set_hash": "d"}, "task set hash d, not c"),
        ({"settings": '{"a": 2}'}, "a 2, not 1"),
        ({"settings": "{}"}, "other settings"),
        ({"task_id": "q"}, "task id q, not p"),
    ],
)
def test_the_first_difference_is_told(changed: dict[str, Any], told: str) -> None:
    own = EpisodeKey("s-v0", "1", 0, "m", "0", "c", '{"a": 1}', "p", "[]")
    assert replace(own, **changed).difference(own) == told


def test_records_are_joined_in_one_order_each_once(records: list[Record]) -> None:
    joined = join_records({"a": records})
    assert sorted(map(Record.to_json, joined)) == sorted(map(Record.to_json, records))
    rng = random.Random(0)
    again = [replace(record) for record in records]  # equal, not the same
    shuffled = rng.sample([*records, *again], 2 * len(records))
    assert join_records({"b": shuffled[:5], "a": shuffled[5:], "c": []}) == joined


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"suite": "t-v0"}, "b and a hold episodes of different runs: suite t-v0, not s-v0. Join"),
        ({"seed": 4}, "b and a hold episodes of different runs: seed 4, not 0"),
        ({"version": "9"}, "the same package version, got version 0.1.0 .*a.* and version 9 .*b"),
        ({"task_set_version": "9"}, "the same tasks, shown alike, got .* version 0 .* version 9"),
        ({"task_set_hash": "d"}, "the same tasks, shown alike, got .* hash d"),
        ({"agent_s": 9.0}, "needed once, got agent blind on flash-.*00 with seed 0 in a and .* b"),
    ],
)
def test_what_is_not_of_one_run_is_refused_and_its_files_are_named(
    records: list[Record], changed: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecordError, match=told):
        join_records({"a": records, "b": [replace(records[0], **changed)]})


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
