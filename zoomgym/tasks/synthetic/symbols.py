"""What synthetic videos show: symbols, each its own shape in its own color, pulses and lamps."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Color: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]

SUPERSAMPLING = 4


@dataclass(frozen=True, slots=True)
class Symbol:
    """A shape in a color, called by both: `red circle`."""

    name: str
    color: Color
    outlines: tuple[tuple[Point, ...], ...]
    """Polygons (x, y) in the unit square; where two overlap there is a hole."""


def _around(num_points: int, radius: float = 0.48, turn: float = -0.25) -> tuple[Point, ...]:
    """Returns the corners of a regular polygon; turn is its first corner, in whole turns."""
    angles = [2 * math.pi * (turn + i / num_points) for i in range(num_points)]
    return tuple((0.5 + radius * math.cos(a), 0.5 + radius * math.sin(a)) for a in angles)


def _cross(arm: float) -> tuple[Point, ...]:
    """Returns the outline of an upright cross whose arms are 2 * arm wide."""
    near, far, a, b = 0.02, 0.98, 0.5 - arm, 0.5 + arm
    return (
        (a, near), (b, near), (b, a), (far, a), (far, b), (b, b),
        (b, far), (a, far), (a, b), (near, b), (near, a), (a, a),
    )  # fmt: skip


def _star() -> tuple[Point, ...]:
    """Returns the outline of a five-pointed star."""
    tips, dents = _around(5), _around(5, radius=0.2, turn=-0.15)
    return tuple(point for pair in zip(tips, dents, strict=True) for point in pair)


def _hourglass() -> tuple[Point, ...]:
    """Returns the outline of two triangles that meet in the middle."""
    return ((0.06, 0.04), (0.94, 0.04), (0.06, 0.96), (0.94, 0.96))


SYMBOLS = {
    symbol.name: symbol
    for symbol in (
        Symbol("red circle", (225, 35, 35), (_around(48),)),
        Symbol("green triangle", (35, 190, 60), (((0.5, 0.03), (0.98, 0.95), (0.02, 0.95)),)),
        Symbol("blue square", (50, 80, 240), (_around(4, radius=0.6, turn=-0.125),)),
        Symbol("yellow diamond", (245, 225, 40), (_around(4),)),
        Symbol("cyan ring", (40, 220, 230), (_around(48), _around(48, radius=0.26))),
        Symbol("magenta star", (225, 50, 215), (_star(),)),
        Symbol("white cross", (245, 245, 245), (_cross(0.17),)),
        Symbol("orange hourglass", (255, 130, 20), (_hourglass(),)),
    )
}  # fmt: skip
"""Symbols by name. Eight, so that four options leave four that are wrong and not offered."""

PULSES = {
    symbol.name: symbol
    for symbol in (
        Symbol("red pulse", (225, 35, 35), (_around(48),)),
        Symbol("blue pulse", (50, 85, 236), (_around(48),)),
    )
}
"""Pulses by name. Equally bright (a luma of 91.8): no picture's brightness tells how many."""

LAMPS: dict[str, Color] = {
    "amber": (255, 170, 0),
    "blue": (70, 130, 255),
    "green": (40, 200, 80),
    "pink": (255, 105, 190),
    "white": (245, 245, 245),
    "violet": (140, 50, 215),
    "red": (215, 30, 30),
}
"""The colors of beacons, by name."""

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
PICTURES = {
    **SYMBOLS,
    **PULSES,
    **{name: Symbol(name, color, (SQUARE,)) for name, color in LAMPS.items()},
}
"""Everything that a plate can show, by name: a lamp's is a square in its color."""


@lru_cache(maxsize=256)
def symbol_mask(name: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns how much of each pixel a picture covers: (H, W) float32 in [0, 1], read-only."""
    height, width = size
    wide, high = width * SUPERSAMPLING, height * SUPERSAMPLING
    fine = np.zeros((high, wide), dtype=bool)
    for outline in PICTURES[name].outlines:
        image = Image.new("1", (wide, high))
        points = [(x * wide - 0.5, y * high - 0.5) for x, y in outline]
        ImageDraw.Draw(image).polygon(points, fill=1)
        fine ^= np.asarray(image)
    blocks = fine.reshape(height, SUPERSAMPLING, width, SUPERSAMPLING)
    mask: NDArray[np.float32] = blocks.mean(axis=(1, 3), dtype=np.float32)
    mask.flags.writeable = False
    return mask
