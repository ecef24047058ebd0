"""Checks of what is passed as an argument, by Python, by JSON or out of NumPy."""

import reprlib
from typing import Any

import numpy as np

__all__ = ["brief", "is_finite_number", "is_whole_number", "plain_number"]

MAX_MAGNITUDE = 1e300
"""Of numbers that are added up: their sums stay finite."""
MAX_SHOWN_CHARS = 600

_short = reprlib.Repr()
_short.maxstring = _short.maxother = 200
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = 30


def brief(value: object) -> str:
    """Returns value as a message shows it: short, whatever it is."""
    try:
        text = _short.repr(value)
    except ValueError:  # Python writes no whole number of more than 4,300 digits
        return "a number of thousands of digits"
    half = MAX_SHOWN_CHARS // 2
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:half]} ... {text[-half:]}"


def plain_number(value: Any) -> Any:
    """Returns a whole number of any kind (NumPy has many) as int, and all else as it is."""
    return int(value) if isinstance(value, np.integer) else value


def is_whole_number(value: object, least: int, most: int) -> bool:
    """Returns whether value is an int, and no bool, from least to most."""
    return type(value) is int and least <= value <= most


def is_finite_number(value: object) -> bool:
    """Returns whether value is a number, and no bool, that a float holds with room for sums."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < MAX_MAGNITUDE  # type: ignore[arg-type]
