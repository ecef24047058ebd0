import csv
import io
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.evaluation.failures import FAILURES
from benchmarks.evaluation.formats import Cell
from benchmarks.evaluation.statistics import wilson
from benchmarks.evaluation.suites import SUITES, Part, Suite
from benchmarks.leaderboard import as_csv, as_markdown, blocks, main, show, show_ranking
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played, with_evidence, zoom
from zoomgym.records import Record, write_records

THERE, AWAY = zoom(20, 21, 10), zoom(30, 31, 8)


def result(agent: str, number: int, *replies: str, **rules: int) -> Record:
    """Returns the record of an agent on the task of a number."""
    task = replace(TASK, id=f"q{number}", video=f"v{number}", category="cat")
    return played(*replies, task=task, agent=agent, **rules)


RECORDS = [
    result("good", 0, THERE, RIGHT),
    result("good", 1, AWAY, THERE, RIGHT),
    result("good", 2, AWAY, zoom(0, 8, 2), WRONG),
    replace(result("good", 3, RIGHT), usage={"tokens": 10.0}),
    *(result("blind", number, WRONG) for number in range(4)),
]


def lines(records: Sequence[Record], name: str) -> dict[tuple[str, ...], dict[str, Cell]]:
    """Returns what a table says: by labels, then by columns."""
    [sheet] = [one for block in blocks(records) for one in block.sheets if one.name == name]
    return {line.labels: dict(zip(sheet.columns, line.cells, strict=True)) for line in sheet.lines}


def test_the_ranking_has_a_line_for_each_agent() -> None:
    good, blind = lines(RECORDS, "agents").values()
    assert (good["tasks"], good["accuracy"]) == (4, wilson([1, 1, 1, 0]))
    assert blind["accuracy"] == wilson([0] * 4)
    assert list(good) == [
        "tasks", "accuracy", "reward", "format", "tool", "grounding", "zooms a task",
        "frames a task", "seconds a task",
    ]  # fmt: skip


def test_pairs_say_by_how_much_and_on_how_many_tasks() -> None:
    pair = lines(RECORDS, "pairs")["good", "blind"]
    assert (pair["tasks"], pair["better on"], pair["worse on"]) == (4, 3, 0)
    assert pair["difference"].mean == 0.75  # type: ignore[union-attr]


def test_grounding_is_told_of_agents_that_zoom() -> None:
    found = lines(RECORDS, "grounding")
    assert found == {
        ("good",): {
            "episodes": 3,
            "on evidence": wilson([1, 1, 0]),
            "first zoom right": wilson([1, 0, 0]),
            "recovered": wilson([1, 0]),
            "saw all": wilson([1, 1, 0]),
        }
    }


def in_cell(record: Record, category: str, difficulty: object, duration_s: float) -> Record:
    """Returns the record with its task in a cell of a suite."""
    return replace(
        record,
        suite="s",
        task=replace(record.task, id=f"{category}{difficulty}{duration_s}", category=category),
        settings={**record.settings, "difficulty": difficulty},
        duration_s=duration_s,
    )


def test_accuracy_is_told_by_category_difficulty_and_length_in_their_order() -> None:
    good, blind = RECORDS[0], RECORDS[-1]
    cells = [("b", "hard", 60.0), ("a", {"num_decoys": 8}, 60.0), ("a", "hard", 60.0)]
    cells += [("a", "easy", 3600.0), ("a", "easy", 60.0)]
    played = [in_cell(good, *cell) for cell in cells] + [in_cell(blind, *cells[-1])]
    short, long = "up to 2 min", "15-60 min"
    assert list(lines(played, "cells").items()) == [
        (("a", "easy", short), {"tasks": 1, "good": wilson([1]), "blind": wilson([0])}),
        (("a", "easy", long), {"tasks": 1, "good": wilson([1]), "blind": None}),
        (("a", "hard", short), {"tasks": 1, "good": wilson([1]), "blind": None}),
        (("a", '{"num_decoys": 8}', short), {"tasks": 1, "good": wilson([1]), "blind": None}),
        (("b", "hard", short), {"tasks": 1, "good": wilson([1]), "blind": None}),
    ]
    alike = [in_cell(good, *cell) for cell in cells[-2:]]
    assert list(lines(alike, "cells")) == [(short,), (long,)]


def test_cells_that_differ_in_their_category_alone_are_told_by_category() -> None:
    played = [in_cell(RECORDS[0], category, "easy", 60.0) for category in "ab"]
    [block] = blocks(played)
    assert [sheet.name for sheet in block.sheets][:3] == ["agents", "categories", "grounding"]


def test_accuracy_is_told_by_the_frames_that_were_used() -> None:
    assert lines(RECORDS, "frames") == {
        ("good", "64"): {"episodes": 1, "share": 0.25, "accuracy": wilson([1])},
        ("good", "65 to 80"): {"episodes": 1, "share": 0.25, "accuracy": wilson([1])},
        ("good", "81 to 96"): {"episodes": 2, "share": 0.5, "accuracy": wilson([1, 0])},
        ("blind", "64"): {"episodes": 4, "share": 1.0, "accuracy": wilson([0] * 4)},
    }
    most = [result("a", 0, *[zoom(k, k + 1, 9) for k in range(3)], RIGHT, frame_budget=92)]
    assert list(lines(most, "frames")) == [("a", "81 to 92")]


def test_failures_are_told_as_shares_of_the_episodes_that_can_tell() -> None:
    bare = replace(result("good", 4, WRONG), task=replace(with_evidence(), id="q4", video="v4"))
    good = lines([*RECORDS, bare], "failures")["good",]
    assert list(good) == ["episodes", *FAILURES, "none of them"]
    assert good["never zoomed"] == wilson([0, 0, 0, 1, 1])
    assert good["wrong segment"] == wilson([0, 0, 1, 0])
    assert good["none of them"] == wilson([1, 1, 0, 0, 0])


def test_costs_are_told_with_whatever_an_agent_counted() -> None:
    costs = lines(RECORDS, "costs")
    assert list(costs["good",]) == ["episodes", "wall s", "decode s", "model s", "tokens"]
    means = [cell.mean for cell in list(costs["good",].values())[1:]]  # type: ignore[union-attr]
    assert means == [3.0, 1.0, 2.0, 10.0]
    assert costs["good",]["tokens"].count == 1  # type: ignore[union-attr]
    assert costs["blind",]["tokens"] is None


def test_an_agent_alone_has_no_pairs_and_one_that_never_zooms_no_grounding() -> None:
    [block] = blocks(RECORDS[4:])
    names = [sheet.name for sheet in block.sheets]
    assert names == ["agents", "categories", "evidence", "frames", "failures", "costs"]


def test_suites_have_tables_of_their_own() -> None:
    records = [replace(record, suite=suite) for suite in ("b", "a") for record in RECORDS]
    first, second = blocks(records)
    assert first.title.startswith("suite a, version 1, grammar json, num_overview 64")
    assert (first.about["suite"], second.about["suite"]) == ("a", "b")
    assert first.sheets == second.sheets


def test_agents_on_other_tasks_are_said_to_be_compared_in_pairs_only() -> None:
    assert blocks(RECORDS)[0].notes == ()
    [note] = blocks(RECORDS[:-1])[0].notes
    assert note == "Not all agents have played the same tasks: compare these in pairs."
    assert note in as_markdown(blocks(RECORDS[:-1]))
    console = Console(width=132, file=io.StringIO())
    with console.capture() as capture:
        show(console, blocks(RECORDS[:-1]))
    assert note in capture.get()


def test_a_suite_with_several_rules_ends_with_accuracy_by_the_most_zooms() -> None:
    records = [
        replace(one, suite="s")
        for one in (
            result("a", 0, WRONG, max_turns=1),
            result("b", 0, RIGHT, max_turns=1),
            result("a", 0, THERE, RIGHT, max_turns=3),
            result("a", 1, AWAY, THERE, RIGHT, max_turns=3),
        )
    ]
    *apart, together = blocks(records)
    assert [block.about["max_turns"] for block in apart] == ["1", "3"]
    assert together.about == {"suite": "s", "version": "1"}
    table = {line.labels: line.cells for line in together.sheets[0].lines}
    assert list(table) == [("a", "0", "128"), ("a", "2", "128"), ("b", "0", "128")]
    assert table["a", "2", "128"][:2] == (2, wilson([1, 1]))
    assert [cell.mean for cell in table["a", "2", "128"][2:]] == [78.0, 1.5]  # type: ignore[union-attr]


def test_a_run_ends_with_a_ranking_by_each_of_the_rules() -> None:
    console = Console(width=132, file=io.StringIO())
    few, many = result("a", 0, WRONG, max_turns=1), result("a", 0, RIGHT, max_turns=3)
    with console.capture() as capture:
        show_ranking(console, [few])
    assert "max_turns" not in capture.get()
    with console.capture() as capture:
        show_ranking(console, [many, few])
    first, second = capture.get().split("max_turns ")[1:]
    assert (first[0], second[0]) == ("1", "3")
    assert "│ a     │     1 │ 0.00 (0.00..0.79) │" in first
    assert "│ a     │     1 │ 1.00 (0.21..1.00) │" in second


def test_a_run_shows_the_intervals_of_the_leaderboard_whatever_order_records_come_in() -> None:
    ordered = [replace(result("a", n, RIGHT), agent_s=n**2 / 7) for n in range(40)]
    mixed = random.Random(1).sample(ordered, len(ordered))
    console = Console(width=200, file=io.StringIO())
    with console.capture() as run:
        show_ranking(console, mixed)
    with console.capture() as board:
        show(console, blocks(ordered))
    assert run.get().count("\n") > 10
    assert run.get() in board.get()


def test_the_order_of_records_changes_nothing() -> None:
    records = [replace(record, suite=suite) for suite in ("a", "b") for record in RECORDS]
    texts = set()
    for seed in range(3):
        random.Random(seed).shuffle(records)
        texts.add((as_markdown(blocks(records)), as_csv(blocks(records))))
    assert len(texts) == 1


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_records(tmp_path / "records.jsonl", RECORDS)
    return tmp_path / "records.jsonl"


def test_the_command_shows_tables_and_writes_them(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markdown, numbers = path.with_name("board.md"), path.with_name("board.csv")
    assert main([str(path), "--markdown", str(markdown), "--csv", str(numbers)]) == 0
    printed = " ".join(capsys.readouterr().out.split())  # a title breaks at the terminal's edge
    for sheet in blocks(RECORDS)[0].sheets:
        assert sheet.title.partition(" (")[0] in printed
    assert markdown.read_bytes().decode() == as_markdown(blocks(RECORDS))
    assert "## version 1, grammar json, num_overview 64," in markdown.read_text()
    rows = list(csv.DictReader(io.StringIO(numbers.read_text())))
    [accuracy] = [
        row for row in rows
        if (row["table"], row["agent"], row["column"]) == ("agents", "good", "accuracy")
    ]  # fmt: skip
    assert (accuracy["version"], accuracy["max_turns"], accuracy["count"]) == ("1", "5", "4")
    assert accuracy["mean"] == "0.75"


def test_what_must_not_be_mixed_is_refused_by_the_command(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_records(path.with_name("new.jsonl"), [replace(RECORDS[0], agent="new", version="2")])
    with pytest.raises(SystemExit):
        main([str(path), str(path.with_name("new.jsonl"))])
    said = capsys.readouterr().err
    assert "records need the same package version, got version 1 (agent good in" in said
    copy = path.with_name("copy.jsonl")
    copy.write_bytes(path.read_bytes())
    with pytest.raises(SystemExit):
        main([str(path), str(copy)])
    assert "give each file once" in capsys.readouterr().err


def test_an_edited_episode_is_found_when_it_is_played_again(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(path), "--replay"]) == 0
    parts = replace(RECORDS[2].reward_parts, accuracy=1.0)
    write_records(path, [*RECORDS[:2], replace(RECORDS[2], reward_parts=parts)])
    assert main([str(path)]) == 0
    with pytest.raises(SystemExit):
        main([str(path), "--replay"])
    said = capsys.readouterr().err
    assert f"{path}:3: agent good on q2: key: needed the turns and scores of version 1" in said
    assert "the rules have changed, or the record was edited" in said


def test_a_file_that_cannot_be_read_or_written_is_named(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.with_name("empty.jsonl").write_text("")
    for arguments, message in (
        (["empty.jsonl"], "at least one record, got none: run"),
        (["none.jsonl"], "records file"),
        (["records.jsonl", "--csv", "nowhere/board.csv"], "nowhere/board.csv"),
    ):
        with pytest.raises(SystemExit):
            main([one if one[0] == "-" else str(path.parent / one) for one in arguments])
        assert message in capsys.readouterr().err


def test_benchmarks_own_scores_and_what_is_ungraded_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    task = replace(TASK, answer="B", options=("x", "y"), labels=(("duration", "long"),))
    answers = {"q1": "B", "q2": "It is B", "q3": "C"}
    records = [
        replace(
            played(f'{{"answer": "{answer}"}}', task=replace(task, id=name)), task_set="videomme"
        )
        for name, answer in answers.items()
    ]
    records[2] = replace(records[2], grading="ungraded")
    write_records(tmp_path / "records.jsonl", records)
    assert main([str(tmp_path / "records.jsonl")]) == 0
    shown = [" ".join(line.strip("│").split()) for line in capsys.readouterr().out.splitlines()]
    assert "videomme │ a │ all │ 3 │ 1 │ 0.500 │ 1.000" in shown
    assert any(line.endswith("duration: long │ 2 │ - │ 0.500 │ 1.000") for line in shown)


def test_a_suite_may_be_played_by_several_rules_of_its_own(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    records = [replace(result("a", 0, RIGHT, max_turns=turns), suite="s-v0") for turns in (1, 2)]
    write_records(path, records)
    with pytest.raises(SystemExit):
        main([str(path)])
    assert "got max_turns 1 (agent a" in capsys.readouterr().err
    parts = tuple(Part(4, {"tasks": "mine", "max_turns": turns}) for turns in (1, 2))
    monkeypatch.setitem(SUITES, "s-v0", Suite("s-v0", "a test", parts))
    assert main([str(path)]) == 0
    assert "Accuracy by the most zooms and frames" in capsys.readouterr().out
