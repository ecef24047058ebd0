"""What makes a synthetic task hard, but for its duration: presets, and settings of one's own."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.io import brief, is_number_within, is_whole_number
from zoomgym.tasks.synthetic.symbols import SYMBOLS

MIN_SYMBOLS = 5
"""`overview` goes round five: the one that is asked about, and four options."""
EVENT_S = (0.25, 1.0)
"""Bounds of a brief event: a shorter one could be missed by 64 clip frames."""
LIT_STEPS = (1.25, 2.0)
"""Bounds: the overview has to show a beacon, and a countdown holds two steps."""
CONTRAST = (0.1, 1.0)
MOST_DECOYS = 20


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What makes a synthetic task hard, but for its duration."""

    event_s: tuple[float, float]
    """Shortest and longest brief event, before the bound of 0.8 overview steps."""
    lit_steps: float
    """How long a beacon is lit, in overview steps (at least 4 s, and at least 1 step)."""
    num_decoys: int
    """Events that are not asked for, as many as fit: under blue beacons, or in `relay` others."""
    contrast: float
    """Opacity of everything but the beacons."""
    symbols: tuple[str, ...] = tuple(SYMBOLS)
    """The symbols that may show."""


DIFFICULTIES = {
    "easy": Difficulty(event_s=(0.7, 1.0), lit_steps=1.5, num_decoys=0, contrast=1.0),
    "medium": Difficulty(event_s=(0.5, 0.8), lit_steps=1.4, num_decoys=2, contrast=0.9),
    "hard": Difficulty(event_s=(0.3, 0.5), lit_steps=1.3, num_decoys=4, contrast=0.8),
}


def named_difficulty(given: str | Mapping[str, Any]) -> tuple[str, Difficulty]:
    """Returns a difficulty and a name for it that no other one has.

    Args:
        given: a preset's name, or fields of `Difficulty` that are merged over the preset that the
            key `preset` names (`easy` if none is named). `symbols` may be a number: the first ones.

    Raises:
        TaskError: a name or a value is invalid.
    """
    if isinstance(given, str):
        return given, _preset(given)
    if not isinstance(given, Mapping):
        raise TaskError(
            f"difficulty needs one of {', '.join(DIFFICULTIES)}, or a mapping of "
            f"{_known_keys()}, got {brief(given)}"
        )
    preset = given.get("preset", "easy")
    base = _preset(preset)
    values = {key: value for key, value in given.items() if key != "preset"}
    for key in values:
        if key not in READERS:
            raise TaskError(f"difficulty needs keys among {_known_keys()}, got {brief(key)}")
    difficulty = replace(base, **{key: READERS[key](value) for key, value in values.items()})
    if difficulty == base:
        return preset, base
    digest = hashlib.sha256(json.dumps(asdict(difficulty)).encode()).hexdigest()
    return f"{preset}_{digest[:8]}", difficulty


def _preset(name: object) -> Difficulty:
    """Returns the preset called name. Raises TaskError if there is none."""
    if not isinstance(name, str) or name not in DIFFICULTIES:
        raise TaskError(f"difficulty needs one of {', '.join(DIFFICULTIES)}, got {brief(name)}")
    return DIFFICULTIES[name]


def _known_keys() -> str:
    """Returns the keys of a mapping, as a message names them."""
    return ", ".join(["preset", *(field.name for field in fields(Difficulty))])


def _event_s(value: Any) -> tuple[float, float]:
    """Reads the shortest and the longest event."""
    if isinstance(value, list | tuple) and len(value) == 2:
        shortest, longest = value
        if is_number_within(shortest, *EVENT_S) and is_number_within(longest, shortest, EVENT_S[1]):
            return float(shortest), float(longest)
    raise TaskError(
        f"event_s needs the shortest and the longest event, [{EVENT_S[0]}, {EVENT_S[1]}] at most, "
        f"got {brief(value)}"
    )


def _lit_steps(value: Any) -> float:
    """Reads how long a beacon is lit."""
    if not is_number_within(value, *LIT_STEPS):
        raise TaskError(f"lit_steps needs {LIT_STEPS[0]:g} to {LIT_STEPS[1]:g}, got {brief(value)}")
    return float(value)


def _num_decoys(value: Any) -> int:
    """Reads how many decoys there are."""
    if not is_whole_number(value, 0, MOST_DECOYS):
        raise TaskError(
            f"num_decoys needs a whole number from 0 to {MOST_DECOYS}, got {brief(value)}"
        )
    return value  # type: ignore[no-any-return]


def _contrast(value: Any) -> float:
    """Reads the opacity."""
    if not is_number_within(value, *CONTRAST):
        raise TaskError(f"contrast needs {CONTRAST[0]:g} to {CONTRAST[1]:g}, got {brief(value)}")
    return float(value)


def _symbols(value: Any) -> tuple[str, ...]:
    """Reads which symbols may show: a number of them, or their names."""
    if is_whole_number(value, MIN_SYMBOLS, len(SYMBOLS)):
        return tuple(SYMBOLS)[:value]
    if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        is_known = len(set(value)) == len(value) and set(value) <= set(SYMBOLS)
        if is_known and len(value) >= MIN_SYMBOLS:
            return tuple(name for name in SYMBOLS if name in value)
    raise TaskError(
        f"symbols needs {MIN_SYMBOLS} to {len(SYMBOLS)}, or so many different ones of "
        f"{', '.join(SYMBOLS)}, got {brief(value)}"
    )


READERS: dict[str, Callable[[Any], Any]] = {
    "event_s": _event_s,
    "lit_steps": _lit_steps,
    "num_decoys": _num_decoys,
    "contrast": _contrast,
    "symbols": _symbols,
}
