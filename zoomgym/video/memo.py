"""Remembers what is expensive to make: bounded, shared by threads, each value made once."""

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memo(Generic[K, V]):
    """Values by key, up to a total weight; what was used longest ago goes first.

    Threads that ask for one key at once wait for one of them to make it (single flight). An error
    reaches all of them and is not remembered.
    """

    def __init__(self, max_weight: int, weigh: Callable[[V], int]) -> None:
        """Starts empty. weigh says what a value counts of max_weight."""
        self._max_weight = max_weight
        self._weigh = weigh
        self._made: OrderedDict[K, V] = OrderedDict()
        self._in_flight: dict[K, Future[V]] = {}
        self._weight = 0
        self._lock = Lock()

    @property
    def weight(self) -> int:
        """Weight of the values at hand, never more than the bound."""
        return self._weight

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Returns the value of key, made now, earlier, or by another thread meanwhile."""
        while True:
            with self._lock:
                if key in self._made:
                    self._made.move_to_end(key)
                    return self._made[key]
                awaited = self._in_flight.get(key)
                flight = self._in_flight.setdefault(key, Future())
            if awaited is None:
                return self._fly(key, make, flight)
            try:
                return awaited.result()
            except CancelledError:  # the thread that was making it was interrupted
                continue

    def put(self, key: K, value: V) -> None:
        """Keeps value, in the place of what was known of key before."""
        with self._lock:
            if key in self._made:
                self._weight -= self._weigh(self._made.pop(key))
            self._keep(key, value)

    def resize(self, max_weight: int) -> None:
        """Sets the bound, and forgets what is over it."""
        with self._lock:
            self._max_weight = max_weight
            self._shrink()

    def clear(self) -> None:
        """Forgets every value, but none that is being made."""
        with self._lock:
            self._made.clear()
            self._weight = 0

    def reset_in_child(self) -> None:
        """Gives up, in a forked child, what belongs to threads that only its parent has."""
        self._lock = Lock()
        self._in_flight = {}
        self._weight = sum(self._weigh(value) for value in self._made.values())

    def _fly(self, key: K, make: Callable[[], V], flight: Future[V]) -> V:
        """Makes the value of key and tells those who wait for flight."""
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                self._in_flight.pop(key, None)
            if isinstance(error, Exception):
                flight.set_exception(error)
            else:
                flight.cancel()  # an interrupt is meant for this thread only
            raise
        with self._lock:
            self._in_flight.pop(key, None)
            self._keep(key, value)
        flight.set_result(value)
        return value

    def _keep(self, key: K, value: V) -> None:
        """Adds a value unless it would push out all others. Needs the lock."""
        if self._weigh(value) <= self._max_weight:
            self._made[key] = value
            self._weight += self._weigh(value)
            self._shrink()

    def _shrink(self) -> None:
        """Forgets what was used longest ago until the rest fits. Needs the lock."""
        while self._weight > self._max_weight:
            _, value = self._made.popitem(last=False)
            self._weight -= self._weigh(value)


def after_fork(act: Callable[[], None]) -> None:
    """Has every forked child of this process call act, where processes can fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=act)
