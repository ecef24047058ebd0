"""What is drawn over a scene's background: beacons, and plates that show something briefly."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoomgym.rules import Segment
from zoomgym.tasks.synthetic.layout import (
    BAR,
    BARS,
    BEACON,
    FPS,
    LARGE_SIZE,
    PLATE,
    TINY,
    TRACK,
    Box,
    sign_box,
)
from zoomgym.tasks.synthetic.symbols import PICTURES, Color, symbol_mask
from zoomgym.video import resized

FINE_PARTS = 16
"""The fine bar runs this many times while the coarse one runs once."""
RIM: Color = (96, 96, 104)
SECTOR: Color = (245, 245, 245)
BLOCK = 4
"""Pixels a side of the blocks of a `Speck`, in the picture of a `LargeScene`."""
SPECK_MEAN = 127
"""Mean of every block in every channel."""
SECTOR_TURNS = 0.25
"""How much of a wheel is marked."""


@dataclass(frozen=True, slots=True)
class Beacon:
    """A lamp that is lit in the frames [first, end)."""

    first: int
    end: int
    color: Color
    targets: tuple[int, ...] = ()
    """Frames that the countdown runs to, one after the other; none: no countdown."""
    full: int = 1
    """Frames to go when the coarse bar of the countdown is full."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A symbol or a pulse on a dark plate, shown in the frames [first, end)."""

    first: int
    end: int
    symbol: str
    left: float
    """Where the plate begins, as a share of the width."""

    @property
    def segment(self) -> Segment:
        """The stretch of time in which it is shown."""
        return Segment(self.first / FPS, self.end / FPS)

    def pictures(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.float32]:
        """Returns the plate of size (H, W) for every frame: (1, H, W, 3) float32."""
        return sign_picture(self.symbol, size)[None]


@dataclass(frozen=True, slots=True)
class Board:
    """Four small plates in a square, shown in the frames [first, end)."""

    first: int
    end: int
    tiles: tuple[str, str, str, str]
    """Row by row: symbols, the colors of lamps, or empty texts."""
    left: float
    """Where the square begins, as a share of the width."""

    @property
    def segment(self) -> Segment:
        """The stretch of time in which it is shown."""
        return Segment(self.first / FPS, self.end / FPS)

    def pictures(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.float32]:
        """Returns the square of size (H, W) for every frame: (1, H, W, 3) float32."""
        return board_picture(self.tiles, size)[None]


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel with one marked part that turns in the frames [first, end)."""

    first: int
    end: int
    phase: float
    """Where the mark is in the first frame, in turns clockwise."""
    speed: float
    """Turns a frame, clockwise."""
    left: float
    """Where the plate begins, as a share of the width."""

    @property
    def segment(self) -> Segment:
        """The stretch of time in which it is shown."""
        return Segment(self.first / FPS, self.end / FPS)

    def pictures(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.float32]:
        """Returns the plate of size (H, W) in each of the frames: (N, H, W, 3) float32."""
        angles = [self.phase + self.speed * (int(index) - self.first) for index in indexes]
        return np.stack([wheel_picture(angle, size) for angle in angles])


@dataclass(frozen=True, slots=True)
class Speck:
    """A symbol on a tiny plate, shown in the frames [first, end): see `speck_picture`."""

    first: int
    end: int
    symbol: str

    @property
    def segment(self) -> Segment:
        """The stretch of time in which it is shown."""
        return Segment(self.first / FPS, self.end / FPS)

    def pictures(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.float32]:
        """Returns the plate of size (H, W) for every frame: (1, H, W, 3) float32."""
        return speck_picture(self.symbol, size)[None]


Plate: TypeAlias = Sign | Board | Wheel | Speck


def draw_beacon(images: NDArray[np.uint8], indexes: NDArray[np.int64], beacon: Beacon) -> None:
    """Draws a beacon, and its countdown, into those of the images (N, H, W, 3) that show it lit."""
    lit = shown_in(beacon, indexes)
    size = (images.shape[1], images.shape[2])
    rows, columns = BEACON.pixels(size)
    images[lit, rows, columns] = beacon.color
    if not beacon.targets:
        return
    for image, index in zip(lit, indexes[lit].tolist(), strict=True):
        for box, share in zip(BARS, _countdown(beacon, index), strict=True):
            images[image][box.pixels(size)] = TRACK
            full = box._replace(right=box.left + share * (box.right - box.left))
            images[image][full.pixels(size)] = BAR


def shown_in(mark: Beacon | Plate, indexes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns which of the frames indexes (N,) show a mark, as places in indexes."""
    return ((mark.first <= indexes) & (indexes < mark.end)).nonzero()[0]


def _countdown(beacon: Beacon, index: int) -> tuple[float, float]:
    """Returns how full the coarse and the fine bar are; both are empty after the last target."""
    ahead = [target - index for target in beacon.targets if target >= index]
    share = Fraction(ahead[0] if ahead else 0, beacon.full)
    return min(1.0, float(share)), float(share * FINE_PARTS % 1)


def draw_plate(
    images: NDArray[np.uint8], indexes: NDArray[np.int64], plate: Plate, opacity: float
) -> None:
    """Draws a plate into those of the images (N, H, W, 3) of the frames indexes that show it."""
    shown = shown_in(plate, indexes)
    if not len(shown):
        return
    rows, columns = _box_of(plate).pixels((images.shape[1], images.shape[2]))
    size = (rows.stop - rows.start, columns.stop - columns.start)
    pictures = plate.pictures(indexes[shown], size)
    under = images[shown, rows, columns].astype(np.float32)
    images[shown, rows, columns] = (under + opacity * (pictures - under) + 0.5).astype(np.uint8)


def _box_of(plate: Plate) -> Box:
    """Returns where a plate is."""
    return TINY if isinstance(plate, Speck) else sign_box(plate.left)


@lru_cache(maxsize=64)
def speck_picture(symbol: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns a symbol that only shows at the size of a `LargeScene`: (H, W, 3) float32, read-only.

    Blocks of four pixels a side are gray, or checked with the color of the symbol and its opposite.
    All have the same mean, so that smaller pictures of all symbols are alike.
    """
    rows, _ = TINY.pixels(LARGE_SIZE)
    across = (rows.stop - rows.start) // BLOCK
    blocks = np.zeros((across, across), bool)
    blocks[1:-1, 1:-1] = symbol_mask(symbol, (across - 2, across - 2)) >= 0.5
    inside = blocks.repeat(BLOCK, 0).repeat(BLOCK, 1)[..., None]
    place = np.arange(across * BLOCK) // (BLOCK // 2)
    is_color = ((place[:, None] + place) % 2 == 0)[..., None]
    color = np.minimum(PICTURES[symbol].color, 2 * SPECK_MEAN)
    checked = np.where(is_color, color, 2 * SPECK_MEAN - color)
    whole = np.where(inside, checked, SPECK_MEAN).astype(np.uint8)
    picture = resized(whole, size, Image.Resampling.BOX).astype(np.float32)
    picture.flags.writeable = False
    return picture


@lru_cache(maxsize=256)
def sign_picture(symbol: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns a symbol on its plate, with a margin of an eighth: (H, W, 3) float32, read-only."""
    height, width = size
    top, left = height // 8, width // 8
    inner = symbol_mask(symbol, (max(1, height - 2 * top), max(1, width - 2 * left)))[..., None]
    picture = np.full((height, width, 3), PLATE, np.float32)
    picture[top : top + inner.shape[0], left : left + inner.shape[1]] += inner * (
        np.array(PICTURES[symbol].color, np.float32) - np.array(PLATE, np.float32)
    )
    picture.flags.writeable = False
    return picture


@lru_cache(maxsize=64)
def board_picture(tiles: tuple[str, str, str, str], size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns four plates, empty where a tile has no name: (H, W, 3) float32, read-only."""
    height, width = size
    picture = np.full((height, width, 3), PLATE, np.float32)
    for index, name in enumerate(tiles):
        top, left = index // 2 * (height // 2), index % 2 * (width // 2)
        if name:
            picture[top : top + height // 2, left : left + width // 2] = sign_picture(
                name, (height // 2, width // 2)
            )
    picture.flags.writeable = False
    return picture


def wheel_picture(angle: float, size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns a wheel on its plate whose mark is at angle, in turns: (H, W, 3) float32."""
    height, width = size
    y = (2 * np.arange(height)[:, None] + 1) / height - 1
    x = (2 * np.arange(width)[None, :] + 1) / width - 1
    pixel = 2 / min(size)
    radius = np.hypot(x, y)
    inside = np.clip((0.85 - radius) / pixel + 0.5, 0, 1)[..., None]
    away = np.abs((np.arctan2(y, x) / (2 * np.pi) - angle + 0.5) % 1 - 0.5)  # turns from the mark
    edge = (SECTOR_TURNS / 2 - away) * 2 * np.pi * radius
    marked = np.clip(edge / pixel + 0.5, 0, 1)[..., None]
    plate, rim, sector = (np.array(color, np.float64) for color in (PLATE, RIM, SECTOR))
    wheel = rim + marked * (sector - rim)
    picture: NDArray[np.float32] = (plate + inside * (wheel - plate)).astype(np.float32)
    return picture
