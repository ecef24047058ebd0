"""What a synthetic video shows at any time: a pure function, drawn at any size.

A scene is a drifting, noisy background on which beacons are lit and plates are shown. Drawing
costs the frames that are asked for and nothing else, however long the scene is.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.tasks.synthetic.layout import FPS, SCENE_SIZE
from zoomgym.tasks.synthetic.marks import Beacon, Plate, draw_beacon, draw_plate

NUM_WAVES = 8
CYCLES = np.geomspace(1, 14, NUM_WAVES)[:, None]
STRENGTHS = np.geomspace(1, 0.4, NUM_WAVES)[:, None]
WAVE_SCALE = 1 << 8
"""Waves are counted in whole parts of so many."""
BATCH_PIXELS = 1 << 14
"""Pixels that are drawn at once: they should fit into the processor's cache."""
SMALL_PRODUCT = 1 << 18
"""Multiplications that OpenBLAS, which multiplies for NumPy, leaves to one thread."""
NOISE_LEVEL = 4.0
"""Standard deviation of the grain at full size, of 255; finer pictures would average it away."""
NUM_GRAINS = 8


class Tint(NamedTuple):
    """What becomes of a level of gray in each channel: base + level * gain / 256."""

    base: list[int]
    gain: list[int]


@dataclass(frozen=True)
class Scene:
    """A synthetic video: seeded background, beacons and plates, num_frames long at FPS."""

    seed: int
    num_frames: int
    beacons: tuple[Beacon, ...]
    plates: tuple[Plate, ...]
    contrast: float = 1.0
    """Opacity of the plates."""

    def draw(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames at indexes (N,) as (N, H, W, 3) uint8 RGB, drawn at size (H, W)."""
        images = self._background(indexes, size)
        for beacon in self.beacons:
            for i in np.flatnonzero((beacon.first <= indexes) & (indexes < beacon.end)):
                draw_beacon(images[i], beacon, int(indexes[i]))
        for plate in self.plates:
            draw_plate(images, indexes, plate, self.contrast)
        return images

    @cached_property
    def _tint(self) -> Tint:
        """The muted color of the background."""
        rng = np.random.default_rng([self.seed, 0])
        return Tint(rng.integers(72, 109, 3).tolist(), rng.integers(176, 257, 3).tolist())

    @cached_property
    def _waves(self) -> NDArray[np.float64]:
        """(NUM_WAVES, 5): x and y cycles, phase in turns, turns per second, strength."""
        rng = np.random.default_rng([self.seed, 1])
        cycles = rng.uniform(-1, 1, (NUM_WAVES, 2)) * CYCLES
        phase = rng.uniform(0, 1, (NUM_WAVES, 1))
        motion = rng.uniform(-0.15, 0.15, (NUM_WAVES, 1))
        strength = rng.uniform(10, 18, (NUM_WAVES, 1)) * STRENGTHS
        return np.hstack([cycles, phase, motion, strength])

    def _background(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns a drift of waves with grain, as (N, H, W, 3) uint8."""
        height, width = size
        images = np.empty((len(indexes), height, width, 3), np.uint8)
        rows, stays_in_range = self._of_size(size)
        columns, grain = self._columns(indexes, width), _grain(size)
        base, gain = np.array(self._tint, np.int16)[..., None, None]
        grains = (indexes * 5 + self.seed) % NUM_GRAINS
        batch = max(1, BATCH_PIXELS // (height * width))
        for first in range(0, len(indexes), batch):
            some = slice(first, first + batch)
            product = _multiply(rows, columns[some])
            field = np.floor(product, out=product).astype(np.int16)
            planes = field[:, None] * gain
            planes >>= 8
            planes += grain[grains[some]][:, None]
            planes += base
            if not stays_in_range:
                np.clip(planes, 0, 255, out=planes)
            for channel in range(3):  # three times as fast as all at once
                images[some, ..., channel] = planes[:, channel]
        return images

    def _of_size(self, size: tuple[int, int]) -> tuple[NDArray[np.float32], bool]:
        """Returns `_rows` of pictures of size (H, W), and whether all stay within 0 to 255."""
        if size not in self._sizes:
            most = float(self._waves[:, 4].sum()) + 1  # of all waves, and what rounding adds
            edge = int(np.abs(_grain(size)).max())
            stays_in_range = all(
                edge < base - most * gain / 256 - 1 and base + most * gain / 256 + edge < 255
                for base, gain in zip(*self._tint, strict=True)
            )
            self._sizes[size] = self._rows(size[0]), stays_in_range
        return self._sizes[size]

    @cached_property
    def _sizes(self) -> dict[tuple[int, int], tuple[NDArray[np.float32], bool]]:
        """What `_of_size` has computed."""
        return {}

    # A wave cos(x + y) is cos x cos y - sin x sin y: two products of a row and a column. They are
    # rounded first, to whole parts. The sums of all waves, within 127 of 0, have less than 2**24
    # parts, which float32 holds exactly in whatever order they are added, so that every machine
    # gets the same pixels.

    def _rows(self, height: int) -> NDArray[np.float32]:
        """Returns (H, 2 * NUM_WAVES): times `_columns`, it is the sum of all waves."""
        _, y_cycles, _, _, strength = self._waves.T[..., None]
        angle = 2 * np.pi * y_cycles * ((np.arange(height) + 0.5) / height)
        level = strength * WAVE_SCALE
        rows = np.concatenate([level * np.cos(angle), -level * np.sin(angle)]).T
        rounded: NDArray[np.float32] = (np.rint(rows) / WAVE_SCALE**2).astype(np.float32)
        return rounded

    def _columns(self, indexes: NDArray[np.int64], width: int) -> NDArray[np.float32]:
        """Returns (N, 2 * NUM_WAVES, W), see `_rows`."""
        x_cycles, _, phase, motion, _ = self._waves.T[..., None]
        x = 2 * np.pi * x_cycles * ((np.arange(width) + 0.5) / width)
        moment = (2 * np.pi * (phase + motion * indexes / FPS)).T[..., None]
        # cos(x + moment) and sin(x + moment), of N moments and W places and not of N x W angles
        turned = WAVE_SCALE * (np.cos(x) + 1j * np.sin(x)) * (np.cos(moment) + 1j * np.sin(moment))
        columns = np.empty((len(indexes), 2, NUM_WAVES, width), np.float32)
        np.rint(turned.real, out=columns[:, 0], casting="same_kind")
        np.rint(turned.imag, out=columns[:, 1], casting="same_kind")
        return columns.reshape(len(indexes), 2 * NUM_WAVES, width)


def _multiply(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the matrix left (H, K) times each of right (N, K, W): (N, H, W).

    In parts that are too small for threads: those would wait for each other on a busy machine.
    """
    (height, depth), (count, _, width) = left.shape, right.shape
    product = np.empty((count, height, width), np.float32)
    num_rows = max(1, SMALL_PRODUCT // (depth * width))
    for top in range(0, height, num_rows):
        np.matmul(left[top : top + num_rows], right, out=product[:, top : top + num_rows])
    return product


@lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> NDArray[np.int32]:
    """Returns pictures of gray noise, (NUM_GRAINS, H, W) int16, the same in every scene."""
    level = NOISE_LEVEL * min(1.0, size[0] / SCENE_SIZE[0], size[1] / SCENE_SIZE[1])
    rng = np.random.default_rng(0)
    return np.rint(level * rng.standard_normal((NUM_GRAINS, *size))).astype(np.int16)
