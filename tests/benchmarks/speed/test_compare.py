"""Tests of the comparison with another commit, on a repository of two commits made here."""

import json
import subprocess
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.speed import compare as code
from benchmarks.speed.__main__ import main

pytestmark = pytest.mark.long
NOISE = (
    "import time\nstarted = time.process_time()\nwhile time.process_time() < started + {}:\n    0\n"
)
"""A program that works for so many seconds of processor time."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Returns a repository whose module `noise` takes .2 s in its first commit, and .02 s now."""
    root = tmp_path / "code"
    root.mkdir()
    for command in (
        ["init", "--quiet"],
        ["config", "user.email", "a@b.c"],
        ["config", "user.name", "a"],
    ):
        subprocess.run(["git", "-C", str(root), *command], check=True)
    (root / "noise.py").write_text(NOISE.format(0.2))
    subprocess.run(["git", "-C", str(root), "add", "."], check=True)
    subprocess.run(["git", "-C", str(root), "commit", "--quiet", "--message", "Slow"], check=True)
    (root / "noise.py").write_text(NOISE.format(0.02))
    monkeypatch.setattr(code, "ROOT", root)
    work = {
        "command": code.Work("a command", code._timed_command("noise")),
        "program": code.Work("a program", code._timed_code("def work():\n    import noise\n")),
        "broken": code.Work("a fault", code._timed_command("no_such_module")),
    }
    monkeypatch.setattr(code, "WORK", work)
    return root


def test_work_is_done_in_both_commits_by_turns_and_what_it_took_is_written(
    repository: Path, tmp_path: Path
) -> None:
    console = Console(width=120, record=True)
    code.compare(console, "HEAD", ["command", "program"], 2, out=tmp_path / "out" / "compare.json")
    written = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert written["before"] == "HEAD"
    taken = written["wall_and_cpu_s"]
    assert {
        name: {side: len(runs) for side, runs in sides.items()} for name, sides in taken.items()
    } == {
        "command": {"before": 2, "now": 2},
        "program": {"before": 2, "now": 2},
    }
    for sides in taken.values():
        assert all(cpu >= 0.2 for _, cpu in sides["before"])
        assert all(cpu >= 0.02 for _, cpu in sides["now"])
    assert min(cpu for _, cpu in taken["program"]["now"]) < min(
        cpu for _, cpu in taken["program"]["before"]
    )
    shown = console.export_text()
    assert "HEAD and now (medians)" in shown
    assert shown.index("command: 1 of 2, before") < shown.index("command: 1 of 2, now")
    assert shown.index("command: 1 of 2, now") < shown.index("command: 2 of 2, before")


def test_work_that_fails_is_left_out_and_leaves_no_files_behind(
    repository: Path, tmp_path: Path
) -> None:
    console = Console(width=300, record=True)
    code.compare(console, "HEAD", ["broken", "command"], 1, out=tmp_path / "compare.json")
    assert "broken is left out: " in (shown := console.export_text())
    assert "No module named no_such_module" in shown
    assert list(json.loads((tmp_path / "compare.json").read_text())["wall_and_cpu_s"]) == [
        "command"
    ]
    listed = subprocess.run(
        ["git", "-C", str(repository), "worktree", "list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert len(listed.splitlines()) == 1


@pytest.mark.parametrize("text", ["nope", "--all", ""])
def test_what_names_no_commit_is_refused(
    repository: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--", text])
    assert f"needed a commit of this repository, got {text!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        code.STEPS.replace("1000", "20"),
        code.VECTOR.replace("125", "6"),
        "SETTINGS = {}\n" + code.EPISODES.replace("40", "1"),
    ],
)
def test_programs_run(text: str, tmp_path: Path) -> None:
    seconds = code._timed_code(text)(code.ROOT, tmp_path)
    assert seconds.cpu > 0
