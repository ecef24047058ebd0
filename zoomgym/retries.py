"""When an endpoint that failed is asked again, and how long after."""

__all__ = ["is_passing", "wait_after"]

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may go away when asked again."""


def is_passing(status: int) -> bool:
    """Returns whether a status of HTTP is a fault that may go away when asked again."""
    return status >= 500 or status in PASSING


def wait_after(num_before: int, retry_after: str | None = None) -> float:
    """Returns how many seconds to wait after a try that failed.

    Args:
        num_before: tries that failed before it.
        retry_after: what the endpoint said, in the header of this name. It is heard if it is a
            number of seconds, but makes no wait shorter, nor longer than the longest.
    """
    is_number = retry_after and len(retry_after) < 10 and retry_after.isdecimal()
    wanted_s = int(retry_after or 0) if is_number else 0
    return min(max(FIRST_WAIT_S * 2.0 ** min(num_before, 60), wanted_s), LONGEST_WAIT_S)
