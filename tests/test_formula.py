"""MathGrader: what is equal is right, and hostile text costs seconds at most."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from zoomgym import formula
from zoomgym.errors import GradingError
from zoomgym.formula import MathGrader

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
    ],
)
def test_formulas_that_are_equal_are_right(truth: str, text: str, is_right: bool) -> None:
    assert MathGrader().is_right("", truth, text) is is_right


@pytest.mark.parametrize(
    "text",
    ["9^{9^{9^{9}}}", "999999999!", "(" * 200 + "5" + ")" * 190, "{" * 399, "\\" * 399,
     "\\frac" * 70, "5" * 5000, "\ud800", "\x00", "5\n$6$", r"\frac{5", "1/0"],
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


def test_it_works_on_many_threads() -> None:
    cases = [(f"{n}/2", rf"\frac{{{n}}}{{2}}") for n in range(1, 20, 2)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda case: MathGrader().is_right("", *case), cases))


def test_it_ends_with_the_process_that_used_it() -> None:
    code = (
        "from zoomgym.formula import MathGrader, _workers\n"
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
    with pytest.raises(GradingError, match=r"pip install 'zoomgym\[math\]'"):
        MathGrader()


def test_a_process_that_does_not_start_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    formula._stop()
    monkeypatch.setattr(formula, "WORKER", formula.WORKER.with_name("no_such_file.py"))
    with pytest.raises(GradingError, match="needed its process to start"):
        MathGrader().is_right("", "4", "2+2")
