"""An OpenAI-compatible endpoint: its address, its key, and when it is asked again."""

import os
import urllib.parse

__all__ = ["check_address", "is_passing", "read_key", "wait_after"]

FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 30.0
PASSING = frozenset({408, 409, 425, 429})
"""Statuses below 500 that may go away when asked again."""


def check_address(url: object, whose: str) -> None:
    """Refuses what is no address of an endpoint, up to the version: `http://localhost:8000/v1`.

    Raises:
        ValueError: url is none, or holds more, which may be a secret; names whose it is, not url.
    """
    parts = urllib.parse.urlsplit(url) if isinstance(url, str) else None
    if not (parts and parts.scheme in ("http", "https") and parts.hostname):
        raise ValueError(f"{whose} url needs to be like http://localhost:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            f"{whose} url needs no user, query or fragment: name the variable with the key by "
            "key_variable"
        )


def read_key(variable: str) -> str:
    """Returns the key in an environment variable; empty if there is none that could be sent."""
    key = os.environ.get(variable, "").strip()
    return key if key.isascii() and key.isprintable() else ""


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
