"""A wrong argument is refused in one line, and a command whose output is cut off ends quietly."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TASK
from zoomgym.cli import main
from zoomgym.io.commands import PIPE_CLOSED, Parser, whole_number
from zoomgym.tasks.datasets import write_manifest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("given", "command", "message"),
    [
        ([], "zoomgym", "needed COMMAND, got none"),
        (
            ["chek", "my.jsonl"],
            "zoomgym",
            "argument COMMAND: needed one of check, tasks, play, grade, view, synth, got 'chek': "
            "did you mean 'check'?",
        ),
        (["grade", "x"], "zoomgym grade", "needed --judge-url, --model, got none"),
        (["check", "a", "b"], "zoomgym check", "needed no more arguments, got 'b'"),
        (["play", "--sed=3"], "zoomgym play", "there is no option --sed: did you mean '--seed'?"),
        (["play", "--xyz"], "zoomgym play", "there is no option --xyz: check its name"),
        (
            ["tasks", "synthetic", "--split", "tran"],
            "zoomgym tasks",
            "argument --split: needed one of train, test, got 'tran': did you mean 'train'?",
        ),
        (
            ["tasks", "synthetic", "--duration", "1m"],
            "zoomgym tasks",
            "argument --duration: needed a number, got '1m'",
        ),
        (
            ["grade", "x", "--tries", "2.5"],
            "zoomgym grade",
            "argument --tries: needed a whole number from 1 on, got '2.5'",
        ),
        (["play", "--\x1b[31m"], "zoomgym play", r"there is no option --\x1b[31m: check its name"),
    ],
)  # fmt: skip
def test_a_wrong_argument_is_refused_in_one_line_that_points_to_the_help(
    given: list[str], command: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(given)
    assert capsys.readouterr() == ("", f"{command}: {message}\nsee {command} --help\n")


def test_a_number_of_an_argument_is_read_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog="draw")
    parser.add_argument("--num", type=int)
    parser.add_argument("--group", type=whole_number(2))
    assert vars(parser.parse_args(["--num", "-3", "--group", "2"])) == {"num": -3, "group": 2}
    for given, needed in (
        (["--num", "two"], "argument --num: needed a whole number, got 'two'"),
        (["--group", "1"], "argument --group: needed a whole number from 2 on, got '1'"),
        (["--group", "2.0"], "argument --group: needed a whole number from 2 on, got '2.0'"),
        (["--group", "-2"], "argument --group: needed a whole number from 2 on, got '-2'"),
    ):
        with pytest.raises(SystemExit, match="2"):
            parser.parse_args(given)
        assert capsys.readouterr().err == f"draw: {needed}\nsee draw --help\n"


def test_what_else_is_wrong_is_said_without_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        Parser(prog="draw").fail(ValueError("runs/a: needed a log, got none"))
    assert capsys.readouterr() == ("", "draw: runs/a: needed a log, got none\n")


def test_every_command_refuses_arguments_in_the_same_way() -> None:
    folders = ("zoomgym", "agents", "benchmarks", "examples")
    sources = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    makes = re.compile(r"argparse\.ArgumentParser\(|\(argparse\.ArgumentParser\):")
    own = [path.name for path in sources if makes.search(path.read_text("utf-8"))]
    assert own == ["commands.py"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("command", "unbuffered"),
    [
        (("zoomgym", "tasks", "my.jsonl"), ""),  # it fails at the end, when all is sent
        (("zoomgym", "tasks", "my.jsonl"), "1"),  # it fails in `print`
        (("zoomgym", "--help"), ""),
        (("examples.own_agent",), "1"),
    ],
)
def test_a_command_ends_quietly_where_nobody_reads_on(
    command: tuple[str, ...], unbuffered: str, tmp_path: Path
) -> None:
    write_manifest(tmp_path / "my.jsonl", [TASK])
    reading, writing = os.pipe()
    os.close(reading)  # as `| head` does when it has its lines
    run = subprocess.run(
        [sys.executable, "-m", *command],
        stdout=writing, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered},
    )  # fmt: skip
    os.close(writing)
    assert (run.stderr, run.returncode) == ("", PIPE_CLOSED)


@pytest.mark.long
@pytest.mark.parametrize("name", ["own_agent", "play_an_episode"])
def test_an_example_tells_what_it_does_instead_of_doing_it(name: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", f"examples.{name}", "--help"],
        capture_output=True, text=True, check=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"},
    )  # fmt: skip
    assert run.stdout.startswith(f"usage: python -m examples.{name} [-h]")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    run = subprocess.run(
        [sys.executable, "-m", "examples.draw_families", tmp_path / "a.png"],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert run.stderr == (
        f"python -m examples.draw_families: {tmp_path / 'a.png'}: needed a folder, got a file "
        "there: choose another name\n"
    )
