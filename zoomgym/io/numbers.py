"""Checks numbers that come as arguments, from Python, JSON or NumPy."""

import math
from typing import Any

import numpy as np

MAX_MAGNITUDE = math.nextafter(1e300, 0)
"""Largest number that is added up: sums stay finite."""


def plain_number(value: Any) -> Any:
    """Returns a whole number of NumPy as int, and anything else as it is."""
    return int(value) if isinstance(value, np.integer) else value


def is_whole_number(value: object, least: int, most: int) -> bool:
    """Returns whether value is an int, and no bool, from least to most."""
    return type(value) is int and least <= value <= most


def is_number_within(value: object, least: float, most: float) -> bool:
    """Returns whether value is a number, and no bool, from least to most."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and least <= value <= most  # type: ignore[operator]


def is_finite_number(value: object) -> bool:
    """Returns whether value is a number, and no bool, that a float holds with room for sums."""
    return is_number_within(value, -MAX_MAGNITUDE, MAX_MAGNITUDE)
