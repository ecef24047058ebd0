"""Calls side by side: their order, their trouble, and Ctrl-C, which waits for none."""

import os
import signal
import threading
import time

import pytest

from zoomgym.io.calls import attempt, side_by_side


def test_what_a_call_raises_is_what_it_returns_but_for_ctrl_c() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    assert attempt(lambda: 5) == 5
    assert repr(attempt(lambda: [][0])) == "IndexError('list index out of range')"
    assert repr(attempt(lambda: exit(3))) == "SystemExit(3)"
    with pytest.raises(KeyboardInterrupt):
        attempt(interrupt)


def test_outcomes_come_in_order_and_trouble_in_its_place() -> None:
    outcomes = list(side_by_side(lambda number: 6 // number, [3, 0, 1, 2], 2))
    assert [repr(one) for one in outcomes] == [
        "2", "ZeroDivisionError('integer division or modulo by zero')", "6", "3",
    ]  # fmt: skip
    assert list(side_by_side(str, [], 2)) == []


@pytest.mark.parametrize("num_threads", [1, 3])
def test_so_many_calls_run_at_once_and_no_more(num_threads: int) -> None:
    barrier, lock = threading.Barrier(num_threads, timeout=30), threading.Lock()
    running = most = 0

    def call(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        barrier.wait()
        with lock:
            running -= 1

    assert list(side_by_side(call, range(6), num_threads)) == [None] * 6
    assert most == num_threads


def test_ctrl_c_and_closing_wait_for_no_call_and_begin_no_other() -> None:
    release = threading.Event()
    called = []

    def call(number: int) -> None:
        called.append(number)
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        release.wait(30)

    started_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(side_by_side(call, range(9), 2))
    assert time.monotonic() - started_s < 10
    release.set()
    assert set(called) <= {0, 1}
