"""What a synthetic video shows at any time: a pure function, drawn at any size.

A scene is a drifting, noisy background on which beacons are lit and symbols are shown. Drawing costs
the frames that are asked for and nothing else, however long the scene is.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.synthetic.symbols import SYMBOLS, Color, symbol_mask
from zoomgym.timeline import Segment

__all__ = ["AMBER", "BARS", "BEACON", "BLUE", "FPS", "SCENE_SIZE", "Beacon", "Box", "Scene", "Sign", "sign_picture"]

FPS = 12
SCENE_SIZE = (256, 256)
"""(H, W) of the picture that is written to a file."""

AMBER: Color = (255, 170, 0)
BLUE: Color = (70, 130, 255)
TRACK: Color = (16, 16, 20)
PLATE: Color = (24, 24, 28)
BAR: Color = (250, 250, 250)

NUM_WAVES = 10
NOISE_LEVEL = 4.0
"""Standard deviation of the grain at full size, of 255; finer pictures would average it away."""
NUM_GRAINS = 8
FINE_PARTS = 16
"""The fine bar runs this many times while the coarse one runs once."""


class Box(NamedTuple):
    """A rectangle in the unit square, from the top left."""

    left: float
    top: float
    right: float
    bottom: float

    def pixels(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Returns the (rows, columns) that the box covers in a picture of size (H, W)."""
        height, width = size
        return (
            slice(round(self.top * height), round(self.bottom * height)),
            slice(round(self.left * width), round(self.right * width)),
        )


BEACON = Box(0.06, 0.02, 0.94, 0.14)
BARS = (Box(0.06, 0.16, 0.94, 0.24), Box(0.06, 0.26, 0.94, 0.34))
"""Of a countdown: the coarse bar and the fine one."""
SIGN_SIDE = 0.56
SIGN_TOP = 0.38


@dataclass(frozen=True, slots=True)
class Beacon:
    """A lamp that is lit in the frames [first, end)."""

    first: int
    end: int
    color: Color
    targets: tuple[int, ...] = ()
    """Frames that the countdown runs to, one after the other; none: no countdown."""


@dataclass(frozen=True, slots=True)
class Sign:
    """A symbol on a dark plate, shown in the frames [first, end)."""

    first: int
    end: int
    symbol: str
    left: float
    """Where the plate begins, as a share of the width."""

    @property
    def segment(self) -> Segment:
        """The stretch of time in which it is shown."""
        return Segment(self.first / FPS, self.end / FPS)

    @property
    def box(self) -> Box:
        """Where the plate is."""
        return Box(self.left, SIGN_TOP, self.left + SIGN_SIDE, SIGN_TOP + SIGN_SIDE)


@dataclass(frozen=True)
class Scene:
    """A synthetic video: seeded background, beacons and signs, num_frames long at FPS."""

    seed: int
    num_frames: int
    beacons: tuple[Beacon, ...]
    signs: tuple[Sign, ...]
    contrast: float = 1.0
    """Opacity of the signs."""

    def draw(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames at indexes (N,) as (N, H, W, 3) uint8 RGB, drawn at size (H, W)."""
        images = self._background(indexes, size)
        for beacon in self.beacons:
            for i in np.flatnonzero((beacon.first <= indexes) & (indexes < beacon.end)):
                _draw_beacon(images[i], beacon, int(indexes[i]))
        for sign in self.signs:
            shown = np.flatnonzero((sign.first <= indexes) & (indexes < sign.end))
            _draw_sign(images, shown, sign, self.contrast)
        return images

    @cached_property
    def _color(self) -> NDArray[np.float32]:
        """(3,) RGB: the muted colour of the background."""
        return np.random.default_rng([self.seed, 0]).uniform(72, 108, 3).astype(np.float32)

    @cached_property
    def _waves(self) -> NDArray[np.float64]:
        """(NUM_WAVES, 7): x and y cycles, phase in turns, turns per second, RGB strength."""
        rng = np.random.default_rng([self.seed, 1])
        cycles = rng.uniform(-1, 1, (NUM_WAVES, 2)) * np.geomspace(1, 14, NUM_WAVES)[:, None]
        motion = rng.uniform(-0.15, 0.15, (NUM_WAVES, 1))
        strength = rng.uniform(8, 16, (NUM_WAVES, 1)) * np.geomspace(1, 0.4, NUM_WAVES)[:, None]
        tint = rng.uniform(0.75, 1.0, (NUM_WAVES, 3))
        phase = rng.uniform(0, 1, (NUM_WAVES, 1))
        return np.hstack([cycles, phase, motion, strength * tint])

    def _background(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns a drift of waves with grain, as (N, H, W, 3) uint8.

        A wave cos(x + y) is cos x cos y - sin x sin y, so a sum of waves is one matrix product.
        """
        height, width = size
        waves, turn = self._waves, 2 * np.pi
        y_turns = turn * np.outer((np.arange(height) + 0.5) / height, waves[:, 1])
        rows = np.hstack([np.cos(y_turns), np.sin(y_turns)]).astype(np.float32)
        moments = np.outer(indexes / FPS, waves[:, 3]) + waves[:, 2]
        x_turns = turn * np.outer(waves[:, 0], (np.arange(width) + 0.5) / width)
        x_turns = x_turns + turn * moments[:, :, None]
        columns = np.concatenate([np.cos(x_turns), -np.sin(x_turns)], axis=1)
        tints = np.vstack([waves[:, 4:], waves[:, 4:]])
        tinted = (columns[..., None] * tints[:, None]).astype(np.float32)
        field = np.matmul(rows, tinted.reshape(len(indexes), 2 * NUM_WAVES, width * 3))
        field += _grain(size)[(indexes * 5 + self.seed) % NUM_GRAINS]
        field += np.tile(self._color, width)
        images: NDArray[np.uint8] = np.clip(field, 0, 255, out=field).astype(np.uint8)
        return images.reshape(len(indexes), height, width, 3)


@lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns pictures of grey noise, (NUM_GRAINS, H, 3 * W) float32, the same in every scene."""
    level = NOISE_LEVEL * min(1.0, size[0] / SCENE_SIZE[0], size[1] / SCENE_SIZE[1])
    rng = np.random.default_rng(0)
    noise = level * rng.standard_normal((NUM_GRAINS, *size))
    return noise.astype(np.float32).repeat(3, axis=2)


def _draw_beacon(image: NDArray[np.uint8], beacon: Beacon, index: int) -> None:
    """Draws a lit beacon, and its countdown if it has one, into image (H, W, 3)."""
    size = (image.shape[0], image.shape[1])
    image[BEACON.pixels(size)] = beacon.color
    if not beacon.targets:
        return
    for box, share in zip(BARS, _countdown(beacon, index), strict=True):
        image[box.pixels(size)] = TRACK
        full = box._replace(right=box.left + share * (box.right - box.left))
        image[full.pixels(size)] = BAR


def _countdown(beacon: Beacon, index: int) -> tuple[float, float]:
    """Returns how full the coarse and the fine bar are; both are empty after the last target."""
    ahead = [target - index for target in beacon.targets if target >= index]
    share = Fraction(ahead[0] if ahead else 0, beacon.end - beacon.first)
    return float(share), float(share * FINE_PARTS % 1)


def _draw_sign(
    images: NDArray[np.uint8], shown: NDArray[np.int64], sign: Sign, opacity: float
) -> None:
    """Draws a sign into the images (N, H, W, 3) that show it."""
    if not len(shown):
        return
    rows, columns = sign.box.pixels((images.shape[1], images.shape[2]))
    plate = sign_picture(sign.symbol, (rows.stop - rows.start, columns.stop - columns.start))
    under = images[shown, rows, columns].astype(np.float32)
    images[shown, rows, columns] = (under + opacity * (plate - under) + 0.5).astype(np.uint8)


@lru_cache(maxsize=256)
def sign_picture(symbol: str, size: tuple[int, int]) -> NDArray[np.float32]:
    """Returns a symbol on its plate, with a margin of an eighth: (H, W, 3) float32, read-only."""
    height, width = size
    top, left = height // 8, width // 8
    inner = symbol_mask(symbol, (max(1, height - 2 * top), max(1, width - 2 * left)))[..., None]
    picture = np.full((height, width, 3), PLATE, np.float32)
    picture[top : top + inner.shape[0], left : left + inner.shape[1]] += inner * (
        np.float32(SYMBOLS[symbol].color) - np.float32(PLATE)
    )
    picture.flags.writeable = False
    return picture
