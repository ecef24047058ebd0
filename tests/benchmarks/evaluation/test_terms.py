import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks.evaluation.suites import SUITES, Part, Suite
from benchmarks.evaluation.terms import check_terms
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played
from zoomgym.errors import RecordError
from zoomgym.records import Record

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
