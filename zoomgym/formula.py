"""Grades formulas: an answer is right too if math-verify finds it equal to the true one.

math-verify looks for a number in any prose, so it is asked only about texts that are formulas as a
whole, with the same words in them as the truth. It runs in a process of its own, which is ended
when it takes too long: a tower of powers keeps an interpreter busy where neither threads nor
signals reach.
"""

import atexit
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from zoomgym.errors import GradingError
from zoomgym.grading import is_correct

__all__ = ["MathGrader"]

MAX_FORMULA_CHARS = 400
LIMIT_S = 5.0
"""For one answer."""
START_LIMIT_S = 60.0
WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"))
BOXED = re.compile(r"\\boxed\{(.*)\}", re.DOTALL)
THOUSANDS = re.compile(r"(?<=\d)(?:,|\{,\})(?=\d{3}(?!\d))", re.ASCII)
COMMAND = re.compile(r"\\[a-zA-Z]+")
WORD = re.compile(r"[^\W\d_]+")
FUNCTIONS = frozenset({"sin", "cos", "tan", "log", "ln", "exp", "sqrt", "pi"})
WORKER = Path(__file__).with_name("formula_worker.py")


@dataclass(frozen=True, slots=True)
class MathGrader:
    """Grades answers strictly, and where that says no, as formulas.

    Raises:
        GradingError: math-verify is not installed.
    """

    name: str = "math"

    def __post_init__(self) -> None:
        """Looks for math-verify, without importing it."""
        if importlib.util.find_spec("math_verify") is None:
            raise GradingError(
                "the grader math needs math-verify, got none: pip install math-verify"
            )

    def is_right(self, question: str, truth: str, text: str) -> bool:
        """Returns whether text equals truth. An answer that takes too long to work out is wrong.

        Raises:
            GradingError: the process that works formulas out does not start.
        """
        if is_correct(text, truth):
            return True
        formulas = _formula(truth), _formula(text)
        if None in formulas or _words(truth) != _words(text):
            return False
        return _are_equal(json.dumps(formulas))


def _formula(text: str) -> str | None:
    """Returns text without what is put around a formula; None if it is no single short formula."""
    if len(text) > MAX_FORMULA_CHARS or not text.isprintable():
        return None
    text = text.strip()
    for start, end in WRAPPERS:
        if text.startswith(start) and text.endswith(end) and len(text) >= len(start + end):
            text = text[len(start) : -len(end)].strip()
            break
    if match := BOXED.fullmatch(text):
        text = match[1].strip()
    text = THOUSANDS.sub("", text)
    is_single = not any(mark in text for mark in ("$", "boxed", r"\(", r"\[", ",", ";"))
    return text if text and is_single else None


def _words(text: str) -> set[str]:
    """Returns the runs of letters in text that are no commands and no functions."""
    return set(WORD.findall(COMMAND.sub(" ", text))) - FUNCTIONS


_lock = threading.Lock()
_workers: dict[int, subprocess.Popen[str]] = {}
"""By the process that started it: a fork must not share its parent's."""


def _are_equal(case: str) -> bool:
    """Returns whether the two formulas in a line of JSON are equal, as far as can be worked out."""
    with _lock:
        worker = _workers.get(os.getpid()) or _start()
        reply = _talk(worker, f"{case}\n", LIMIT_S)
        if not reply:
            _stop()
    return reply == "true\n"


def _start() -> subprocess.Popen[str]:
    """Returns a new process that works formulas out. Raises GradingError if it does not start."""
    worker = subprocess.Popen(
        [sys.executable, "-P", str(WORKER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="ascii",
    )
    _workers[os.getpid()] = worker
    if _talk(worker, "", START_LIMIT_S) != "ready\n":
        _stop()
        raise GradingError(
            "the grader math needed its process to start, which it did not: try math-verify alone"
        )
    return worker


def _talk(worker: subprocess.Popen[str], line: str, limit_s: float) -> str:
    """Sends a line and returns the next one; empty if the process ended or had to be ended."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    timer = threading.Timer(limit_s, worker.kill)
    timer.start()
    try:
        worker.stdin.write(line)
        worker.stdin.flush()
        return worker.stdout.readline()
    except OSError:
        return ""
    finally:
        timer.cancel()


@atexit.register
def _stop() -> None:
    """Ends this process's worker."""
    worker = _workers.pop(os.getpid(), None)
    if worker is not None:
        worker.kill()
        worker.wait()
        for pipe in (worker.stdin, worker.stdout):
            try:
                assert pipe is not None
                pipe.close()
            except OSError:  # what it did not read any more cannot be flushed
                continue


def _forget_lock() -> None:
    """Gives a forked process a lock that nobody holds."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_forget_lock)
