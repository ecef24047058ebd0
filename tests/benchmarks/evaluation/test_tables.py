"""Who has played a part of a suite is said so wherever its numbers stand."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.evaluation.suites import SUITES, Part, Suite
from benchmarks.evaluation.tables import Coverage, shortfalls
from benchmarks.leaderboard import as_csv, as_markdown, blocks, show, show_ranking
from benchmarks.page.write import write_report
from tests.benchmarks.page.test_write import RIGHT, TASK, WRONG, played
from zoomgym.records import Record


@pytest.fixture(autouse=True)
def suite(monkeypatch: pytest.MonkeyPatch) -> None:
    """A suite of five tasks."""
    parts = (Part(3, {"tasks": "mine.jsonl"}), Part(2, {"tasks": "yours.jsonl"}))
    monkeypatch.setitem(SUITES, "mine-v0", Suite("mine-v0", "a test", parts))


def on(agent: str, *numbers: int, reply: str = WRONG) -> list[Record]:
    """Returns the records of an agent on tasks of the suite."""
    return [
        replace(played(agent, reply, task=replace(TASK, id=f"q{number}")), suite="mine-v0")
        for number in numbers
    ]


WHOLE = on("whole", *range(5))
PART = on("a|<b>[b]", 1, 2, reply=RIGHT)


def test_agents_that_have_played_less_than_their_suite_are_told() -> None:
    assert shortfalls([*WHOLE, *PART]) == [Coverage("a|<b>[b]", 2, 5)]
    again = [replace(record, seed=8) for record in PART]
    assert shortfalls([*PART, *again]) == [Coverage("a|<b>[b]", 2, 5)]


def test_nothing_is_told_of_whole_suites_and_of_those_that_nobody_knows() -> None:
    assert shortfalls(WHOLE) == []
    assert shortfalls([replace(record, suite="yours-v0") for record in PART]) == []
    assert shortfalls([]) == []
    [block] = blocks(WHOLE)
    assert [sheet.name for sheet in block.sheets][:2] == ["agents", "categories"]


def test_tasks_are_counted_by_the_rules_that_they_are_played_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = tuple(Part(number, {"max_turns": number}) for number in (1, 3))
    monkeypatch.setitem(SUITES, "mine-v0", Suite("mine-v0", "a test", parts))
    of_rules = [replace(one, rules=replace(one.rules, max_turns=3)) for one in PART]
    assert shortfalls(of_rules) == [Coverage("a|<b>[b]", 2, 3)]
    assert shortfalls(PART) == [Coverage("a|<b>[b]", 2, 4)]


def test_every_kind_of_table_says_how_much_was_played() -> None:
    found = blocks([*WHOLE, *PART])
    console = Console(width=132, file=io.StringIO())
    with console.capture() as capture:
        show(console, found)
        show_ranking(console, [*WHOLE, *PART])
    assert capture.get().count("│ a|<b>[b] │ 2 of 5 tasks │       3 │") == 2
    assert "| a\\|\\<b\\>\\[b\\] | 2 of 5 tasks | 3 |\n" in as_markdown(found)
    [line] = [line for line in as_csv(found).splitlines() if ",extent," in line]
    assert "a|<b>[b]" in line
    assert "2 of 5 tasks" in line


def test_the_page_says_how_much_was_played(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    write_report(path, "mine-v0", [*WHOLE, *PART], cache_dir=tmp_path)
    [note] = [line for line in path.read_text().splitlines() if "Not the whole suite" in line]
    assert "<bdi>a|&lt;b&gt;[b]</bdi></span> 2 of 5 tasks. The rest was not played" in note
    assert "whole</bdi>" not in note
    write_report(path, "mine-v0", WHOLE, cache_dir=tmp_path)
    assert "Not the whole suite" not in path.read_text()
