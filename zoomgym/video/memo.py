"""Remembers what is expensive to make: bounded, shared by threads, each value made once."""

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from zoomgym.video.cost import charge, cost_s

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Made(NamedTuple, Generic[V]):
    """A value, and the seconds that it took to make."""

    value: V
    took_s: float


class Memo(Generic[K, V]):
    """Values by key, up to a total weight; what was used longest ago goes first.

    Threads that ask for one key at once wait for one of them to make it (single flight). An error
    reaches all of them and is not remembered.
    """

    def __init__(self, max_weight: int, weigh: Callable[[V], int]) -> None:
        """Starts empty. weigh says what a value counts of max_weight."""
        self._max_weight = max_weight
        self._weigh = weigh
        self._made: OrderedDict[K, Made[V]] = OrderedDict()
        self._in_flight: dict[K, Future[Made[V]]] = {}
        self._weight = 0
        self._lock = Lock()

    @property
    def max_weight(self) -> int:
        """The bound."""
        return self._max_weight

    @property
    def weight(self) -> int:
        """Weight of the values at hand, never more than the bound."""
        return self._weight

    def get(self, key: K, make: Callable[[], V]) -> V:
        """Returns the value of key, made now, earlier, or by another thread meanwhile."""
        return self._get(key, make).value

    def get_charged(self, key: K, make: Callable[[], V]) -> V:
        """Does what `get` does, and has `cost_s` count what the value took to make."""
        started_s = cost_s()
        value, took_s = self._get(key, make)
        charge(max(0.0, took_s - (cost_s() - started_s)))
        return value

    def _get(self, key: K, make: Callable[[], V]) -> Made[V]:
        """Returns what is made of key."""
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

    def put(self, key: K, make: Callable[[], V]) -> V:
        """Makes the value of key and keeps it, in the place of what was known of key before."""
        made = _made(make)
        with self._lock:
            if key in self._made:
                self._weight -= self._weigh(self._made.pop(key).value)
            self._keep(key, made)
        return made.value

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
        self._weight = sum(self._weigh(made.value) for made in self._made.values())

    def _fly(self, key: K, make: Callable[[], V], flight: Future[Made[V]]) -> Made[V]:
        """Makes the value of key and tells those who wait for flight."""
        try:
            made = _made(make)
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
            self._keep(key, made)
        flight.set_result(made)
        return made

    def _keep(self, key: K, made: Made[V]) -> None:
        """Adds a value unless it would push out all others. Needs the lock."""
        if self._weigh(made.value) <= self._max_weight:
            self._made[key] = made
            self._weight += self._weigh(made.value)
            self._shrink()

    def _shrink(self) -> None:
        """Forgets what was used longest ago until the rest fits. Needs the lock."""
        while self._weight > self._max_weight:
            _, made = self._made.popitem(last=False)
            self._weight -= self._weigh(made.value)


def _made(make: Callable[[], V]) -> Made[V]:
    """Makes a value."""
    started_s = cost_s()
    value = make()
    return Made(value, cost_s() - started_s)


def after_fork(act: Callable[[], None]) -> None:
    """Has every forked child of this process call act, where processes can fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=act)
