"""`benchmarks.run --paired`: every task also without tools, in one folder."""

from collections import Counter
from pathlib import Path

import pytest

from benchmarks import run
from benchmarks.evaluation.suites import SUITES, Part, Suite
from zoomgym.records import Record, read_records

SMALL = {"source": "scene", "split": "test", "max_pixels": 1024}
TINY = Suite(
    "tiny-v0",
    "a test",
    (
        Part(4, {"tasks": "synthetic:flash", **SMALL}),
        Part(2, {"tasks": "synthetic:overview", **SMALL}),
    ),
    agents=("glance", "oracle"),
)
TITLE = "With tools and without, on the same tasks"


@pytest.fixture(autouse=True)
def tiny(here: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SUITES, TINY.name, TINY)


@pytest.fixture
def no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "write_report", lambda path, *_, **__: path.write_text("a page"))


def run_tiny(folder: Path, *arguments: str) -> int:
    return run.main(["tiny-v0", "--out", str(folder), *arguments])


def recorded(folder: Path) -> list[Record]:
    return list(read_records(folder / "records.jsonl"))


def paired_table(printed: str) -> list[str]:
    """Returns the table of the accuracies without tools and with them, and nothing after it."""
    table = printed.partition(TITLE)[2].partition("What it shows")[0].splitlines()
    assert sum("│" in line for line in table) >= 4
    return table


def test_every_task_is_played_with_tools_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    assert run_tiny(tmp_path, "--paired") == 0
    records = recorded(tmp_path)
    assert Counter((one.agent, one.rules.max_turns) for one in records) == {
        (agent, turns): 6 for agent in ("glance", "oracle") for turns in (1, 5)
    }
    assert {one.suite for one in records} == {"tiny-v0 paired"}
    assert {(one.settings["max_turns"], one.rules.max_turns) for one in records} == {(1, 1), (5, 5)}
    shown = [" ".join(line.strip("│").split()) for line in capsys.readouterr().out.splitlines()]
    [oracle] = [line for line in shown if line.startswith("oracle │ 4 │ loose │ 6")]
    told = {
        agent: {turns: right(records, agent, turns) for turns in (1, 5)}
        for agent in ("glance", "oracle")
    }
    assert told["oracle"][5] == set(range(6))  # the oracle needs its zoom for `flash`
    assert told["glance"][1] == told["glance"][5]
    gained = len(told["oracle"][5] - told["oracle"][1])
    assert gained >= 2
    assert f"│ {gained / 6:.3f} (" in oracle
    page = (tmp_path / "report.html").read_text()
    assert TITLE in page
    assert "24, of 2 agents on 6 tasks" in page
    assert "tools are too close to call for oracle* and glance (in accuracy" in page


def right(records: list[Record], agent: str, max_turns: int) -> set[int]:
    """Returns the places of the tasks that an agent answers right."""
    own = [one for one in records if one.agent == agent and one.rules.max_turns == max_turns]
    own.sort(key=lambda one: (one.task_set, one.task.id))
    return {place for place, one in enumerate(own) if one.reward_parts.accuracy}


@pytest.mark.long
@pytest.mark.usefixtures("no_page")
def test_a_paired_run_that_was_stopped_is_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path, "--paired") == 0
    whole = paired_table(capsys.readouterr().out)
    path = tmp_path / "records.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:9]) + lines[9][:50])
    assert run_tiny(tmp_path, "--paired") == 0
    printed = capsys.readouterr().out
    assert "15 new, 9 kept" in printed
    assert paired_table(printed) == whole
    assert run_tiny(tmp_path, "--paired") == 0
    assert "0 new, 24 kept" in capsys.readouterr().out


@pytest.mark.usefixtures("no_page")
def test_paired_and_other_runs_are_not_mixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_tiny(tmp_path / "plain", "--agents", "glance") == 0
    assert run_tiny(tmp_path / "paired", "--agents", "glance", "--paired") == 0
    for folder, arguments, told in (
        ("plain", ["--paired"], "another run: suite tiny-v0, not tiny-v0 paired"),
        ("paired", [], "another run: suite tiny-v0 paired, not tiny-v0"),
        ("paired", ["--paired", "--seed", "1"], "another run: seed 0, not 1"),
    ):
        with pytest.raises(SystemExit):
            run_tiny(tmp_path / folder, *arguments)
        assert told in capsys.readouterr().err
    assert len(recorded(tmp_path / "paired")) == 12


@pytest.mark.usefixtures("no_page")
def test_a_paired_run_has_a_folder_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run.main(["tiny-v0", "--paired", "--limit", "1", "--agents", "glance"]) == 0
    assert len(recorded(tmp_path / "results" / "tiny-v0-paired")) == 4
    capsys.readouterr()
    assert run.main(["tiny-v0", "--paired", "--page-only"]) == 0
    assert TITLE in capsys.readouterr().out


def test_tasks_without_tools_have_nothing_to_pair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tasks", "synthetic:flash", "--paired", "--out", str(tmp_path)]
    with pytest.raises(SystemExit):
        run.main([*arguments, "--env", 'source="scene"', "max_turns=1"])
    assert "--paired needs tasks to play with tools, got max_turns 1" in capsys.readouterr().err
