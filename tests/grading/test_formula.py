"""MathGrader: what is equal is right, and hostile text costs seconds at most."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from zoomgym.errors import GradingError
from zoomgym.grading import formula
from zoomgym.grading.formula import MathGrader

pytest.importorskip("math_verify", reason="the extra `math` is not installed")


@pytest.mark.parametrize(
    ("truth", "text", "is_right"),
    [
        ("1/2", r"\frac{1}{2}", True),
        (r"$\frac{1}{2}$", "0.5", True),
        ("(x+1)^2", r"\boxed{x^2 + 2x + 1}", True),
        (r"\sqrt{2}/2", r"\(1/\sqrt{2}\)", True),
        ("50%", "0.5", True),
        ("1000", "1{,}000", True),
        ("5 km", "5.0 km", True),
        ("n^2", "$n^{2}$", True),
        ("Mount Everest", "mount everest", True),
        ("1/2", "2", False),
        ("(x+1)^2", "x^2 + 1", False),
        ("5 m", "5 g", False),
        ("5 m", "5", False),
        ("42", "42 apples", False),
        ("42", "The answer is 42", False),
        ("42", "I am sure: $42$", False),
        ("42", "$41$ or $42$", False),
        ("42", "41, 42", False),
        ("1, 2, 3", "3, 2, 1", False),
        ("42", r"\boxed{41}\boxed{42}", False),
        ("42", "", False),
        ("42", "$", False),
        ("42", "$$", False),
        ("a man", "man", False),
        # the same formula, written otherwise
        ("x+y", "y + x", True),
        ("a/b", r"\frac{a}{b}", True),
        ("2.5", r"2\frac{1}{2}", True),
        ("300000000", r"3 \times 10^8", True),
        ("300000000", r"3·10⁸", True),
        ("-3", "\N{MINUS SIGN}3", True),
        ("(x+1)(x-1)", "x^2-1", True),
        (r"4\pi r^2", r"\pi 4 r^2", True),
        ("1,000 m", "1000 m", True),
        ("sqrt(4)", "2", True),
        ("3-2x-y", "3 - y - 2x", True),
        (r"\cos -x", r"\cos(-x)", True),
        (r"\sin^2 x", r"(\sin x)^2", True),
        ("x^2_1", "x_1^2", True),
        ("-x-y", "-y-x", True),
        ("5 km", r"5\,\mathrm{km}", True),
        ("5 km/h", r"$5.0\text{ km}/\text{h}$", True),
        ("25°C", r"25^\circ C", True),
        ("5 N m", "5.0 N m", True),
        ("50%", r"50\%", True),
        ("50%", "1/2", True),
        # the same text, without its LaTeX or its blanks
        ("Paris", r"\boxed{\text{Paris}}", True),
        ("x=3", "$x = 3$", True),
        ("(1,2)", r"\left( 1, 2 \right)", True),
        ("2-1", "2 - 1", True),
        ("12:30", "12 : 30", True),
        # units, percentages
        ("50%", "50", False),
        ("50", "50%", False),
        ("50%", "0.5%", False),
        ("25°C", "25", False),
        ("90°", "90", False),
        ("5 km", "5000 m", False),
        ("5 m/s", "5 s/m", False),
        ("5 mW", "5 W", False),
        # other letters, other numbers
        ("x", "y", False),
        ("2x", "3x", False),
        ("e", "2.718281828", False),
        ("1/3", "0.33", False),
    ],
)
def test_formulas_that_are_equal_are_right(truth: str, text: str, is_right: bool) -> None:
    assert MathGrader().is_right("", truth, text) is is_right


# What arithmetic would make of these is not what they say.
NO_FORMULAS = [
    # words and letters in a row
    ("left then right", "right then left"),
    ("left+right", "right+left"),
    ("cat*dog", "dog*cat"),
    ("2 cats 3 dogs", "3 cats 2 dogs"),
    ("2 up*3 down", "3 up*2 down"),
    ("A B C", "C B A"),
    ("A-B-C", "A-C-B"),
    ("A/B/C", "A/C/B"),
    ("(A)(B)", "(B)(A)"),
    ("{A}{B}", "{B}{A}"),
    (r"\text{left}\text{right}", r"\text{right}\text{left}"),
    ("K2", "2K"),
    ("H_2O", "OH_2"),
    ("3 km left", "left 3 km"),
    ("2 log", "log 2"),
    (r"x \sin", r"\sin x"),
    ("5", r"5\sqrt"),
    ("5", r"5 (\ln)"),
    # other notations of numbers
    ("101_2", "101"),
    ("5", "5_{10}"),
    # numbers in a row, sizes
    ("2 1", "1 2"),
    ("(1)(2)", "(2)(1)"),
    ("2(3)", "3(2)"),
    ("12 h", "12 h 0"),
    ("5 m 30 s", "30 m 5 s"),
    ("1920x1080", "1080x1920"),
    ("1920×1080", "1080×1920"),
    ("1920*1080", "1080*1920"),
    (r"2 \times 3", r"3 \times 2"),
    ("1, 2", "2, 1"),
    ("1;2", "2;1"),
    ("(1,2)", "(2,1)"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("(1,200)", "1200"),
    ("1234,567", "1234567"),
    # scores, ranges, dates, times
    ("2-1", "1-0"),
    ("1", "2-1"),
    ("2-1", "1"),
    ("(2-1)", "(1-0)"),
    ("$2-1$", "$1-0$"),
    ("0-0", "3-3"),
    ("5-10", "-5"),
    ("5-10 m", "-5 m"),
    ("5-10 minutes", "10-15 minutes"),
    ("2\N{EN DASH}1", "1\N{EN DASH}0"),
    ("2\N{MINUS SIGN}1", "1\N{MINUS SIGN}0"),
    ("1-2-3", "1-3-2"),
    ("2024-01-02", "2024-02-01"),
    ("1/2/2024", "2/1/2024"),
    ("4/2/1", "8/4/1"),
    ("12:30", "2:5"),
    ("1:2", "1/2"),
    ("1/2", "2:4"),
    ("3:00 pm", "3 pm"),
    # equations, orders, arrows
    ("13", "12=13"),
    ("13", "13=13"),
    ("13", r"12 \neq 13"),
    ("3", "x=3"),
    ("x=3", "3"),
    ("a<b", "b>a"),
    ("x>3", "3<x"),
    (r"x \leq 3", r"3 \geq x"),
    ("A -> B", "B <- A"),
    ("1→2", "2→1"),
    (r"A \to B", r"B \to A"),
    (r"A \rightarrow B", r"B \leftarrow A"),
    ("2", r"\pm 2"),
    ("5", "~5"),
    ("5", r"\approx 5"),
    ("5", "$5"),
    ("5", "5+"),
    ("1, 2, \\ldots", "1, 2"),
]


@pytest.mark.parametrize(("truth", "text"), NO_FORMULAS)
@pytest.mark.parametrize("way", [1, -1])
def test_what_is_no_formula_is_not_worked_out(truth: str, text: str, way: int) -> None:
    assert not MathGrader().is_right("", *(truth, text)[::way])
    assert MathGrader().is_right("", truth, truth)


@pytest.mark.long
@pytest.mark.parametrize(
    "text",
    ["9^{9^{9^{9}}}", "999999999!", "(" * 200 + "5" + ")" * 190, "{" * 399, "\\" * 399,
     "\\frac" * 70, "5" * 5000, "\ud800", "\x00", "5\n$6$", r"\frac{5", "1/0",
     "5 km" + "(((( a" * 10 + "!"],
)  # fmt: skip
def test_hostile_text_is_wrong_in_bounded_time(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grader = MathGrader()
    assert grader.is_right("", "4", "2+2")  # the process has started
    monkeypatch.setattr(formula, "LIMIT_S", 0.5)
    started_s = time.monotonic()
    assert not grader.is_right("", "5", text)
    assert time.monotonic() - started_s < 5
    monkeypatch.undo()
    assert grader.is_right("", "4", "2+2")  # and lives on, or again


def worker_pid() -> int:
    [worker] = formula._workers.values()
    return worker.pid


def test_a_process_that_has_ended_is_started_again_and_asked() -> None:
    assert MathGrader().is_right("", "4", "2+2")
    before = worker_pid()
    os.kill(before, signal.SIGKILL)
    assert MathGrader().is_right("", "1/2", r"\frac{1}{2}")
    assert worker_pid() != before


def test_a_process_that_is_kept_from_working_is_replaced_and_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert MathGrader().is_right("", "4", "2+2")
    before = worker_pid()
    os.kill(before, signal.SIGSTOP)
    talk, limits_s = formula._talk, iter([0.2, 60.0])

    def impatient(worker: subprocess.Popen[str], line: str, limit_s: float) -> str:
        return talk(worker, line, next(limits_s) if line else limit_s)

    monkeypatch.setattr(formula, "_talk", impatient)
    assert MathGrader().is_right("", "1/2", r"\frac{1}{2}")
    assert worker_pid() != before
    assert list(limits_s) == []


def test_a_formula_that_ends_every_process_is_wrong_after_two(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    formula._stop()
    script = tmp_path / "worker.py"
    script.write_text("print('ready', 0.0, flush=True)\ninput()\n")
    monkeypatch.setattr(formula, "WORKER", script)
    asked: list[str] = []
    talk = formula._talk
    monkeypatch.setattr(formula, "_talk", lambda *args: (asked.append(args[1]), talk(*args))[1])
    assert not MathGrader().is_right("", "1/2", r"\frac{1}{2}")
    assert [bool(line) for line in asked] == [False, True, False, True]


@pytest.mark.slow
def test_a_formula_that_uses_its_processor_time_up_is_asked_once() -> None:
    assert MathGrader().is_right("", "4", "2+2")
    asked = 0
    talk = formula._talk

    def counted(worker: subprocess.Popen[str], line: str, limit_s: float) -> str:
        nonlocal asked
        asked += bool(line)
        return talk(worker, line, limit_s)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(formula, "_talk", counted)
        assert not MathGrader().is_right("", "5", "9^{9^{9^{9}}}")
    assert asked == 1
    assert MathGrader().is_right("", "4", "2+2")


def test_it_works_on_many_threads() -> None:
    cases = [(f"{n}/2", rf"\frac{{{n}}}{{2}}") for n in range(1, 20, 2)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda case: MathGrader().is_right("", *case), cases))


@pytest.mark.long
def test_it_ends_with_the_process_that_used_it() -> None:
    code = (
        "from zoomgym.grading.formula import MathGrader, _workers\n"
        "assert MathGrader().is_right('', '4', '2+2')\n"
        "print(*(worker.pid for worker in _workers.values()))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    listed = subprocess.run(["ps", "-p", run.stdout.strip()], capture_output=True, check=False)
    assert listed.returncode == 1


def test_without_math_verify_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(GradingError, match="pip install math-verify"):
        MathGrader()


def test_a_process_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    formula._stop()
    monkeypatch.setattr(formula, "WORKER", formula.WORKER.with_name("no_such_file.py"))
    with pytest.raises(GradingError, match="needed its process to start"):
        MathGrader().is_right("", "4", "2+2")
