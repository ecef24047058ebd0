"""Memo: bounded, single flight, errors shared and not remembered."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from zoomgym.video import charge, cost_s
from zoomgym.video.memo import Memo


class Maker:
    """Makes a value when it is let go, and counts how often it was asked to."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        self.num_made = 0
        self.has_begun, self.may_end = threading.Event(), threading.Event()
        self._make = make

    def __call__(self) -> bytes:
        self.num_made += 1
        self.has_begun.set()
        assert self.may_end.wait(20)
        return self._make()


class WatchedMemo(Memo[str, bytes]):
    """Tells when somebody has to wait."""

    def __init__(self, num_expected: int) -> None:
        super().__init__(100, len)
        self.all_came = threading.Semaphore(0)
        self.num_expected = num_expected

    def get(self, key: str, make: Callable[[], bytes]) -> bytes:
        self.all_came.release()
        return super().get(key, make)


def asked_at_once(maker: Maker, num_threads: int) -> list[object]:
    """Returns what each thread got that asked for one key before it was made."""
    memo = WatchedMemo(num_threads)
    with ThreadPoolExecutor(num_threads) as threads:
        answers = [threads.submit(memo.get, "key", maker) for _ in range(num_threads)]
        for _ in range(num_threads):
            assert memo.all_came.acquire(timeout=20)
        assert maker.has_begun.wait(20)
        maker.may_end.set()
    return [answer.exception() or answer.result() for answer in answers]


def test_what_many_ask_for_at_once_is_made_once() -> None:
    maker = Maker(lambda: b"frames")
    assert asked_at_once(maker, 8) == [b"frames"] * 8
    assert maker.num_made == 1


def test_error_reaches_all_who_wait_and_is_not_remembered() -> None:
    memo: Memo[str, bytes] = Memo(100, len)
    maker = Maker(lambda: bytes([1000]))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(memo.get, "key", maker)
        assert maker.has_begun.wait(20)
        flight = memo._in_flight["key"]
        waiting = threads.submit(memo.get, "key", lambda: b"never made")
        while not flight._condition._waiters:  # type: ignore[attr-defined]
            pass
        maker.may_end.set()
    for answer in (first, waiting):
        with pytest.raises(ValueError, match="bytes must be in range"):
            answer.result()
    assert memo.get("key", lambda: b"again") == b"again"


def test_interrupt_of_the_maker_makes_the_next_one_the_maker() -> None:
    def interrupted() -> bytes:
        raise KeyboardInterrupt

    memo: Memo[str, bytes] = Memo(100, len)
    maker = Maker(interrupted)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(memo.get, "key", maker)
        assert maker.has_begun.wait(20)
        flight = memo._in_flight["key"]
        waiting = threads.submit(memo.get, "key", lambda: b"made after all")
        while not flight._condition._waiters:  # type: ignore[attr-defined]
            pass
        maker.may_end.set()
    assert isinstance(first.exception(), KeyboardInterrupt)
    assert waiting.result() == b"made after all"


def test_what_was_used_longest_ago_goes_first() -> None:
    memo: Memo[str, bytes] = Memo(10, len)
    for key in ("a", "b", "a", "c"):
        memo.get(key, lambda: b"1234")
    assert memo.weight == 8
    made = []
    for key in ("a", "c", "b"):
        memo.get(key, lambda key=key: made.append(key) or b"1234")  # type: ignore[misc]
    assert made == ["b"]


def test_what_is_over_the_bound_by_itself_pushes_nothing_out() -> None:
    memo: Memo[str, bytes] = Memo(10, len)
    memo.get("small", lambda: b"12345678")
    assert memo.get("large", lambda: b"12345678901") == b"12345678901"
    assert memo.get("small", lambda: b"made anew") == b"12345678"


def test_bound_can_be_changed() -> None:
    memo: Memo[str, bytes] = Memo(10, len)
    for key in "abc":
        memo.get(key, lambda: b"123")
    memo.resize(5)
    assert (memo.weight, memo.get("c", lambda: b"new")) == (3, b"123")
    memo.resize(0)
    assert (memo.weight, memo.get("c", lambda: b"new")) == (0, b"new")


def test_child_of_a_fork_does_not_wait_for_its_parents_threads() -> None:
    memo: Memo[str, bytes] = Memo(10, len)
    memo.get("kept", lambda: b"123")
    memo._lock.acquire()
    memo._in_flight["key"] = None  # type: ignore[assignment]
    memo.reset_in_child()
    assert (memo.get("key", lambda: b"own"), memo.get("kept", lambda: b"new")) == (b"own", b"123")
    assert memo.weight == 6


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the wall clock stand still, so that only what is charged counts."""
    monkeypatch.setattr(time, "perf_counter", lambda: 7.0)


def seconds_of(call: Callable[[], object]) -> float:
    started_s = cost_s()
    call()
    return cost_s() - started_s


def takes(seconds: float) -> Callable[[], bytes]:
    return lambda: charge(seconds) or b"frames"  # type: ignore[func-returns-value]


@pytest.mark.usefixtures("still")
def test_who_asks_later_is_charged_what_the_value_took_to_make() -> None:
    memo: Memo[str, bytes] = Memo(10, len)
    costs = [seconds_of(lambda: memo.get_charged("key", takes(4))) for _ in range(3)]
    assert costs == [4, 4, 4]
    assert seconds_of(lambda: memo.get("key", takes(4))) == 0
    memo.put("key", takes(2))
    assert seconds_of(lambda: memo.get_charged("key", takes(4))) == 2


@pytest.mark.usefixtures("still")
def test_who_waits_for_another_thread_is_charged_what_the_value_takes() -> None:
    memo: Memo[str, bytes] = Memo(10, len)
    maker = Maker(takes(4))
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(seconds_of, lambda: memo.get_charged("key", maker))
        assert maker.has_begun.wait(20)
        flight = memo._in_flight["key"]
        waiting = threads.submit(seconds_of, lambda: memo.get_charged("key", maker))
        while not flight._condition._waiters:  # type: ignore[attr-defined]
            pass
        maker.may_end.set()
    assert (first.result(), waiting.result(), maker.num_made) == (4, 4, 1)
