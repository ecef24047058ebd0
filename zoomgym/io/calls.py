"""Makes calls whose errors are values: one, or many side by side."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def attempt(call: Callable[[], Result]) -> Result | BaseException:
    """Returns what a call returns or raises. Ctrl-C is raised: it ends the run."""
    try:
        return call()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - an episode's trouble must not be that of others
        return error


def side_by_side(
    call: Callable[[Item], Result], items: Sequence[Item], num_threads: int
) -> Iterator[Result | BaseException]:
    """Yields what a call returns or raises for each item, in the order of the items.

    Neither Ctrl-C nor closing the iterator waits for a call: a server may take minutes.
    """
    waiting = SimpleQueue[int]()
    outcomes = [SimpleQueue[Result | BaseException]() for _ in items]

    def work() -> None:
        with suppress(Empty):
            while True:
                index = waiting.get_nowait()
                outcomes[index].put(attempt(partial(call, items[index])))

    for index in range(len(items)):
        waiting.put(index)
    for _ in range(min(num_threads, len(items))):
        Thread(target=work, daemon=True).start()
    try:
        for outcome in outcomes:
            yield outcome.get()
    finally:
        with suppress(Empty):
            while True:
                waiting.get_nowait()
