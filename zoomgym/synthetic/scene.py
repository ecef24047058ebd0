"""What a synthetic video shows at any time: a pure function, drawn at any size.

A scene is a drifting, noisy background on which beacons are lit and symbols are shown. Drawing
costs the frames that are asked for and nothing else, however long the scene is.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.synthetic.symbols import SYMBOLS, Color, symbol_mask
from zoomgym.timeline import Segment

__all__ = [
    "AMBER",
    "BARS",
    "BEACON",
    "BLUE",
    "FPS",
    "SCENE_SIZE",
    "Beacon",
    "Box",
    "Scene",
    "Sign",
    "sign_picture",
]

FPS = 12
SCENE_SIZE = (256, 256)
"""(H, W) of the picture that is written to a file."""

AMBER: Color = (255, 170, 0)
BLUE: Color = (70, 130, 255)
TRACK: Color = (16, 16, 20)
PLATE: Color = (24, 24, 28)
BAR: Color = (250, 250, 250)

NUM_WAVES = 8
WAVE_BITS = 8
WAVE_SCALE = 1 << WAVE_BITS
"""Waves are counted in whole parts of so many."""
BATCH_PIXELS = 1 << 17
"""Of the frames that are drawn at once: they should fit into the processor's cache."""
NOISE_LEVEL = 4.0
"""Standard deviation of the grain at full size, of 255; finer pictures would average it away."""
NUM_GRAINS = 8
FINE_PARTS = 16
"""The fine bar runs this many times while the coarse one runs once."""


class Tint(NamedTuple):
    """What becomes of a level of grey in each channel: base + level * gain / 256."""

    base: list[int]
    gain: list[int]


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
    full: int = 1
    """Frames to go when the coarse bar of the countdown is full."""


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
    def _tint(self) -> Tint:
        """The muted colour of the background."""
        rng = np.random.default_rng([self.seed, 0])
        return Tint(rng.integers(72, 109, 3).tolist(), rng.integers(176, 257, 3).tolist())

    @cached_property
    def _waves(self) -> NDArray[np.float64]:
        """(NUM_WAVES, 5): x and y cycles, phase in turns, turns per second, strength."""
        rng = np.random.default_rng([self.seed, 1])
        cycles = rng.uniform(-1, 1, (NUM_WAVES, 2)) * np.geomspace(1, 14, NUM_WAVES)[:, None]
        phase = rng.uniform(0, 1, (NUM_WAVES, 1))
        motion = rng.uniform(-0.15, 0.15, (NUM_WAVES, 1))
        strength = rng.uniform(10, 18, (NUM_WAVES, 1)) * np.geomspace(1, 0.4, NUM_WAVES)[:, None]
        return np.hstack([cycles, phase, motion, strength])

    def _background(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns a drift of waves with grain, as (N, H, W, 3) uint8."""
        height, width = size
        images = np.empty((len(indexes), height, width, 3), np.uint8)
        grain, (base, gain) = _grain(size), self._tint
        batch = max(1, BATCH_PIXELS // (height * width))
        for first in range(0, len(indexes), batch):
            some = indexes[first : first + batch]
            field = self._field(some, size)
            field_grain = grain[(some * 5 + self.seed) % NUM_GRAINS]
            for channel in range(3):
                plane = (field * gain[channel] >> 8) + field_grain + base[channel]
                images[first : first + batch, :, :, channel] = np.clip(plane, 0, 255)
        return images

    def _field(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.int32]:
        """Returns the sum of all waves at each pixel: (N, H, W) int32.

        A wave cos(x + y) is cos x cos y - sin x sin y: two products of a row and a column. They are
        rounded first and summed as whole numbers, so that every machine gets the same pixels.
        """
        height, width = size
        field = np.zeros((len(indexes), height, width), np.int32)
        y = (np.arange(height) + 0.5) / height
        x = (np.arange(width) + 0.5) / width
        for x_cycles, y_cycles, phase, motion, strength in self._waves:
            y_angle = 2 * np.pi * y_cycles * y
            moments = phase + motion * indexes / FPS
            x_angle = 2 * np.pi * (x_cycles * x + moments[:, None])
            for wave in (np.cos, np.sin):
                sign = 1 if wave is np.cos else -1
                rows = np.rint(sign * strength * WAVE_SCALE * wave(y_angle)).astype(np.int32)
                columns = np.rint(WAVE_SCALE * wave(x_angle)).astype(np.int32)
                field += rows[None, :, None] * columns[:, None, :]
        return field >> 2 * WAVE_BITS


@lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> NDArray[np.int32]:
    """Returns pictures of grey noise, (NUM_GRAINS, H, W) int32, the same in every scene."""
    level = NOISE_LEVEL * min(1.0, size[0] / SCENE_SIZE[0], size[1] / SCENE_SIZE[1])
    rng = np.random.default_rng(0)
    return np.rint(level * rng.standard_normal((NUM_GRAINS, *size))).astype(np.int32)


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
    share = Fraction(ahead[0] if ahead else 0, beacon.full)
    return min(1.0, float(share)), float(share * FINE_PARTS % 1)


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
        np.array(SYMBOLS[symbol].color, np.float32) - np.array(PLATE, np.float32)
    )
    picture.flags.writeable = False
    return picture
