"""Reads JSON by its standard, and refuses keys that come twice."""

import json
from typing import Any


def load_json(text: str) -> Any:
    """Returns the JSON value that text is, as a whole.

    Raises ValueError for anything else, also NaN, Infinity and a key that comes twice, and
    RecursionError for a value that is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_distinct_keys, parse_constant=_refuse_constant)


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Returns pairs as a dict. Raises ValueError if a key comes twice: which one counts?"""
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError("a key appears twice")
    return row


def _refuse_constant(name: str) -> float:
    """Refuses NaN and Infinity, which Python reads but JSON lacks."""
    raise ValueError(f"{name} is no JSON")
