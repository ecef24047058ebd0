"""A clock that counts what work takes, also where its result is at hand from earlier.

Who asks second for what is shared pays the same as who asked first, so that seconds compare.
"""

import time
from threading import local

_SPARED = local()


def cost_s() -> float:
    """Returns the time of this thread's clock: wall clock, and what it was charged."""
    return time.perf_counter() + getattr(_SPARED, "seconds", 0.0)


def charge(seconds: float) -> None:
    """Puts this thread's clock forward."""
    _SPARED.seconds = getattr(_SPARED, "seconds", 0.0) + seconds
