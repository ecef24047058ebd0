"""Grades formulas: an answer is right too if math-verify finds it equal to the true one.

math-verify looks for a number in any prose, works scores and dates out, and takes words for a
product, whose order does not matter. So it is asked only where both texts are formulas as a whole,
see `notation`. It runs in a process of its own, which is ended when it takes too long: a tower of
powers keeps an interpreter busy where neither threads nor signals reach.
"""

import atexit
import importlib.util
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

from zoomgym.errors import GradingError
from zoomgym.grading.notation import bare_text, read_formula, squeezed
from zoomgym.grading.strict import is_correct, normalize

LIMIT_S = 30.0
"""Wall clock of one try. The process ends itself after 5 s of processor time."""
START_LIMIT_S = 60.0
NUM_TRIES = 2
"""Tries of a formula: a process can fail for reasons of its own."""
BUSY_SHARE = 0.1
"""Share of the limit after which the formula, and not a blocked process, is to blame."""
WORKER = Path(__file__).with_name("formula_worker.py")


@dataclass(frozen=True, slots=True)
class MathGrader:
    """Grades answers strictly, then as formulas. Raises GradingError without math-verify."""

    name: str = "math"

    def __post_init__(self) -> None:
        """Looks for math-verify, without importing it."""
        if importlib.util.find_spec("math_verify") is None:
            raise GradingError(
                "the grader math needs math-verify, got none: pip install math-verify"
            )

    def is_right(self, question: str, truth: str, text: str) -> bool:
        """Returns whether text equals truth: strictly, without its LaTeX, or as a formula.

        A formula that takes too long, or ends the process twice, is wrong. Raises GradingError if
        the process does not start.
        """
        if is_correct(text, truth):
            return True
        given, true = bare_text(text), bare_text(truth)
        if given is None or true is None:
            return False
        if is_correct(given, true):
            return True
        if given and normalize(squeezed(given)) == normalize(squeezed(true)):
            return True
        answer, wanted = read_formula(given), read_formula(true)
        if answer is None or wanted is None or not answer.is_like(wanted):
            return False
        return _are_equal(json.dumps([wanted.text, answer.text]))


_lock = threading.Lock()
_workers: dict[int, subprocess.Popen[str]] = {}
"""The worker of each process that started one: a fork must not share its parent's."""
_used_s: dict[int, float] = {}
"""Processor time of each worker up to its last reply, as it says itself."""


def _are_equal(case: str) -> bool:
    """Returns whether the two formulas in a line of JSON are found equal."""
    with _lock:
        for _ in range(NUM_TRIES):
            worker = _workers.get(os.getpid()) or _start()
            reply = _talk(worker, f"{case}\n", LIMIT_S)
            if reply in ("true", "false"):
                return reply == "true"
            if _stop() > BUSY_SHARE * LIMIT_S:
                break
    return False


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
    if _talk(worker, "", START_LIMIT_S) != "ready":
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
        reply, _, used_s = worker.stdout.readline().partition(" ")
        _used_s[os.getpid()] = float(used_s)
    except (OSError, ValueError):
        return ""
    finally:
        timer.cancel()
    return reply


@atexit.register
def _stop() -> float:
    """Ends this process's worker. Returns the processor time, in seconds, since its last reply."""
    worker = _workers.pop(os.getpid(), None)
    if worker is None:
        return 0.0
    before_s = _children_s()
    worker.kill()  # does nothing to one that has ended
    for pipe in (worker.stdin, worker.stdout):
        try:
            assert pipe is not None
            pipe.close()
        except OSError:  # what it did not read any more cannot be flushed
            continue
    worker.wait()
    return _children_s() - before_s - _used_s.pop(os.getpid(), 0.0)


def _children_s() -> float:
    """Returns the processor time of all children that have ended, in seconds."""
    if sys.platform == "win32":
        return 0.0
    import resource

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _forget_lock() -> None:
    """Gives a forked process a free lock."""
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_forget_lock)
