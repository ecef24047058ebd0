"""The comparison with and without tools: known tables of two by two, and which episodes pair."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from benchmarks.evaluation.comparable import check_terms
from benchmarks.evaluation.formats import Cell
from benchmarks.evaluation.paired import (
    change,
    is_right,
    is_strictly_right,
    mcnemar,
    needless,
    twins_of,
)
from benchmarks.evaluation.statistics import Estimate, bootstrap, rate
from benchmarks.evaluation.suites import (
    SUITES,
    Part,
    Suite,
    built_in,
    folder_name,
    paired,
    suite_of,
)
from benchmarks.leaderboard import as_csv, as_markdown, blocks
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played, zoom
from zoomgym.errors import RecordError
from zoomgym.records import Record

LOOSE = f"Sure: {RIGHT}"
"""Right and readable, but not well-formed."""
THERE, AWAY = zoom(20, 21, 10), zoom(30, 31, 8)


def without(number: int, reply: str, agent: str = "a") -> Record:
    """Returns an agent's episode without tools on the task of a number."""
    return on(number, agent, reply, max_turns=1)


def tooled(number: int, *replies: str, agent: str = "a") -> Record:
    """Returns an agent's episode with tools on the task of a number."""
    return on(number, agent, *replies, max_turns=3)


def on(number: int, agent: str, *replies: str, max_turns: int) -> Record:
    task = replace(TASK, id=f"q{number}", video=f"v{number}", category="cat")
    record = played(*replies, task=task, agent=agent, max_turns=max_turns)
    return replace(record, suite="mine paired")


def changed(
    before: Sequence[str], after: Sequence[Sequence[str]]
) -> Sequence[tuple[Record, Record]]:
    """Returns the episodes of tasks in order, without tools and with them."""
    numbers = range(len(before))
    return [(without(n, before[n]), tooled(n, *after[n])) for n in numbers]


PAIRS = changed(
    [RIGHT, RIGHT, WRONG, WRONG, WRONG],
    [[RIGHT], [AWAY, AWAY, WRONG], [THERE, RIGHT], [THERE, LOOSE], [THERE, WRONG]],
)
"""One task each: right in both, harmed, gained, gained if read loosely, wrong in both."""
ALONE, TOOLED = [one for one, _ in PAIRS], [other for _, other in PAIRS]
VIDEOS = [record.task.video for record in TOOLED]


@pytest.mark.parametrize(
    ("gained", "harmed", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (5, 0, 0.0625),
        (0, 6, 0.03125),
        (6, 1, 0.125),
        (3, 3, 1.0),
        (10, 2, 2 * (1 + 12 + 66) / 4096),
    ],
)
def test_the_exact_test_of_mcnemar_is_a_binomial_one(
    gained: int, harmed: int, p_value: float
) -> None:
    assert mcnemar(gained, harmed) == mcnemar(harmed, gained) == p_value


def test_the_exact_test_equals_the_sum_of_the_tail() -> None:
    for gained, harmed in ((7, 20), (40, 61), (500, 600)):
        number = gained + harmed
        tail = sum(math.comb(number, k) for k in range(gained + 1))
        assert mcnemar(gained, harmed) == min(1.0, 2 * tail / 2**number)
    assert mcnemar(20_000, 20_000) == 1.0


def test_tools_gain_what_was_wrong_and_harm_what_was_right() -> None:
    told = change(twins_of(TOOLED, ALONE), is_right)
    assert told.without == rate([1, 1, 0, 0, 0], VIDEOS)
    assert told.tooled == rate([1, 0, 1, 1, 0], VIDEOS)
    assert told.gain == rate([0, 0, 1, 1, 0], VIDEOS)
    assert told.harm == rate([0, 1, 0, 0, 0], VIDEOS)
    assert told.difference == bootstrap([0, -1, 1, 1, 0], VIDEOS, (-1.0, 1.0))
    assert told.difference.mean == 0.2
    assert told.p_value == mcnemar(2, 1) == 1.0


def test_a_strict_reading_counts_no_reply_that_is_not_well_formed() -> None:
    told = change(twins_of(TOOLED, ALONE), is_strictly_right)
    assert told.tooled == rate([1, 0, 1, 0, 0], VIDEOS)
    assert told.gain == rate([0, 0, 1, 0, 0], VIDEOS)
    assert (is_right(TOOLED[3]), is_strictly_right(TOOLED[3])) == (True, False)
    prose_first = tooled(0, f"Look: {THERE}", RIGHT)
    assert (is_right(prose_first), is_strictly_right(prose_first)) == (True, False)


def test_calls_are_needless_on_tasks_that_are_right_without_tools() -> None:
    # No call on the first task, two on the harmed one, one on each of the others.
    expected = rate([1, 1, 0, 0, 0], ["v1", "v1", "v2", "v3", "v4"])
    assert needless(twins_of(TOOLED, ALONE)) == expected
    assert needless(twins_of(TOOLED[:1], ALONE)) is None


def test_a_pair_is_of_one_agent_task_and_seed_and_graded() -> None:
    here, ungraded = without(0, RIGHT), {"grading": "ungraded"}
    other = tooled(0, RIGHT)
    assert len(twins_of([other], [here])) == 1
    for stranger in (
        tooled(1, RIGHT),
        tooled(0, RIGHT, agent="b"),
        replace(other, seed=1),
        replace(other, task_set="others"),
        replace(other, **ungraded),
    ):
        assert twins_of([stranger], [here]) == []
    assert twins_of([other], [replace(here, **ungraded)]) == []


def mean_of(cell: Cell) -> float:
    """Returns the mean in a cell that holds an estimate."""
    assert isinstance(cell, Estimate)
    return cell.mean


def lines(records: Sequence[Record], name: str) -> dict[tuple[str, ...], dict[str, Cell]]:
    """Returns what a table says: by labels, then by columns."""
    sheets = [one for block in blocks(records) for one in block.sheets if one.name == name]
    return {
        line.labels: dict(zip(sheet.columns, line.cells, strict=True))
        for sheet in sheets
        for line in sheet.lines
    }


def test_tables_tell_both_readings_and_what_tools_cost() -> None:
    usage = [replace(one, usage={"tokens": 10.0}) for one in TOOLED]
    records = [*ALONE, *usage, tooled(9, RIGHT), without(3, WRONG, agent="b")]
    told = lines(records, "paired")
    assert list(told) == [("a", "2", "loose"), ("a", "2", "strict")]
    loose, strict = told.values()
    assert (loose["tasks"], loose["gain"]) == (5, rate([0, 0, 1, 1, 0], VIDEOS))
    assert (strict["with"], strict["McNemar p"]) == (rate([1, 0, 1, 0, 0], VIDEOS), 1.0)
    before, after = lines(records, "paired_costs").values()
    assert list(after) == [
        "calls", "needless", "answered", "rounds", "frames", "seconds", "tokens",
    ]  # fmt: skip
    assert {name: mean_of(cell) for name, cell in after.items()} == {
        "calls": 1.0, "needless": 0.4, "answered": 1.0, "rounds": 2.0, "frames": 73.2,
        "seconds": 3.0, "tokens": 10.0,
    }  # fmt: skip
    assert [before[name] for name in ("needless", "tokens")] == [None, None]
    assert (mean_of(before["calls"]), mean_of(before["frames"])) == (0.0, 64.0)


def test_each_set_of_rules_with_tools_is_paired_with_its_own_without() -> None:
    more = [replace(one, rules=replace(one.rules, max_turns=5)) for one in TOOLED]
    others = [replace(one, rules=replace(one.rules, frame_budget=100)) for one in TOOLED]
    told = lines([*ALONE, *TOOLED, *more, *others], "paired")
    assert list(told) == [
        ("a", calls, reading) for calls in ("2", "4") for reading in ("loose", "strict")
    ]


def test_rules_that_differ_in_more_than_turns_are_told_apart() -> None:
    others = [
        replace(one, rules=replace(one.rules, frames_per_zoom=8, frame_budget=64 + 8 * 8))
        for one in (*ALONE, *TOOLED)
    ]
    records = [*ALONE, *TOOLED, *others]
    assert {labels[1] for labels in lines(records, "paired")} == {
        "2, 8 frames a zoom", "2, 16 frames a zoom",
    }  # fmt: skip
    [sheet] = [one for block in blocks(records) for one in block.sheets if one.name == "paired"]
    assert sheet.reading == (
        "What it shows: with at most 2 calls (8 frames a zoom), tools are too close to call for a; "
        "with at most 2 calls (16 frames a zoom), tools are too close to call for a (in accuracy "
        "on the same tasks, with 95% confidence)."
    )


def test_nothing_is_paired_if_nothing_was_played_without_tools() -> None:
    assert lines(TOOLED, "paired") == {}
    more = [replace(one, rules=replace(one.rules, max_turns=5)) for one in TOOLED]
    assert lines([*TOOLED, *more], "paired") == {}
    assert len(lines([*TOOLED, *more], "rules")) == 2


def test_a_sentence_says_whom_tools_help() -> None:
    some = range(8)
    records = [without(n, WRONG, agent) for n in some for agent in ("up", "same")]
    records += [without(n, RIGHT, "down") for n in some]
    records += [tooled(n, THERE, RIGHT, agent="up") for n in some]
    records += [tooled(n, WRONG, agent=agent) for n in some for agent in ("down", "same")]
    [sheet] = [one for block in blocks(records) for one in block.sheets if one.name == "paired"]
    assert sheet.reading == (
        "What it shows: with at most 2 calls, tools help up; harm down; are too close to call for "
        "same (in accuracy on the same tasks, with 95% confidence)."
    )


def test_an_agent_that_does_not_answer_without_tools_is_named() -> None:
    some = range(8)
    records = [without(n, THERE) for n in some] + [tooled(n, THERE, RIGHT) for n in some]
    records += [without(n, RIGHT, "b") for n in some] + [tooled(n, RIGHT, agent="b") for n in some]
    [sheet] = [one for block in blocks(records) for one in block.sheets if one.name == "paired"]
    assert sheet.reading.endswith(
        "95% confidence). Without tools, a answers 0% of its tasks: such a gain includes answering "
        "at all."
    )
    before, after, *_ = lines(records, "paired_costs").values()
    assert before["answered"] == rate([0] * 8, list(map(str, some)))
    assert after["answered"] == rate([1] * 8, list(map(str, some)))


def test_markdown_and_csv_hold_the_tables() -> None:
    found = blocks([*ALONE, *TOOLED])
    assert "### With tools and without, on the same tasks" in as_markdown(found)
    rows = [line.split(",") for line in as_csv(found).splitlines()]
    [p_value] = [row for row in rows if "McNemar p" in row and "loose" in row]
    assert "1" in p_value


FLASH = {"tasks": "synthetic:flash", "source": "scene"}
MINE = Suite("mine-v0", "a test", (Part(4, FLASH), Part(4, {**FLASH, "split": "test"})), ("a",))


def test_a_paired_suite_has_each_part_without_tools_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, MINE.name, MINE)
    own = paired(MINE)
    assert own.name == "mine-v0 paired"
    assert [part.settings.get("max_turns") for part in own.parts] == [None, None, 1, 1]
    assert [part.settings.get("split") for part in own.parts] == [None, "test", None, "test"]
    assert own.parts[:2] == MINE.parts
    assert own.agents == MINE.agents
    assert built_in(own.name) == own
    assert suite_of([replace(TOOLED[0], suite=own.name)]) == own
    assert folder_name(own) == "mine-v0-paired"
    assert folder_name(Suite("my.jsonl paired", "", ())) == "my-paired"
    assert built_in("others paired") is None


def test_a_suite_that_is_played_without_tools_anyway_stays_as_it_is() -> None:
    assert paired(SUITES["calls-v0"]) is SUITES["calls-v0"]


def test_claims_are_left_to_the_suite_itself() -> None:
    assert SUITES["families-v0"].claims
    assert paired(SUITES["families-v0"]).claims == ()


def test_tasks_without_tools_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="--paired needs tasks to play with tools, got max_turns"):
        paired(Suite("mine", "", (Part(4, {**FLASH, "max_turns": 1}),)))


def refused(*records: Record) -> str:
    try:
        check_terms({f"{place}.jsonl": [record] for place, record in enumerate(records)})
    except RecordError as error:
        return str(error)
    return ""


def test_paired_records_may_differ_in_having_no_tools_and_in_no_other_rule() -> None:
    few, many = ALONE[0], TOOLED[0]
    assert refused(few, many) == ""
    assert refused(many, few) == ""
    unpaired = [replace(one, suite="mine") for one in (few, many)]
    assert "need the same rules, got max_turns 1 (agent a" in refused(*unpaired)
    more = replace(TOOLED[1], rules=replace(many.rules, max_turns=4))
    assert "need the same rules, got max_turns 3 (agent a" in refused(many, few, more)
    other = replace(few, rules=replace(few.rules, frames_per_zoom=8))
    assert "need the same rules, got frames_per_zoom 16 (agent a" in refused(many, other)
