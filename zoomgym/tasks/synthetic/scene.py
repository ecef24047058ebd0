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
WAVE_SCALE = 1 << 8
"""Waves are counted in whole parts of so many."""
BATCH_PIXELS = 1 << 17
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
        rows, columns = self._rows_and_columns(indexes, size)
        batch = max(1, BATCH_PIXELS // (height * width))
        for first in range(0, len(indexes), batch):
            some = indexes[first : first + batch]
            product = _multiply(rows, columns[first : first + batch])
            field = np.floor(product, out=product).astype(np.int16)
            field_grain = grain[(some * 5 + self.seed) % NUM_GRAINS]
            for channel in range(3):
                plane = (field * np.int16(gain[channel]) >> 8) + field_grain
                plane += np.int16(base[channel])
                images[first : first + batch, :, :, channel] = np.clip(plane, 0, 255, out=plane)
        return images

    def _rows_and_columns(
        self, indexes: NDArray[np.int64], size: tuple[int, int]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Returns (H, K) and (N, K, W): their product is the sum of all waves, within 127 of 0.

        A wave cos(x + y) is cos x cos y - sin x sin y: two products of a row and a column. They are
        rounded first, to whole parts. Their sums have less than 2**24 parts, which float32 holds
        exactly in whatever order they are added, so that every machine gets the same pixels.
        """
        height, width = size
        y = (np.arange(height) + 0.5) / height
        x = (np.arange(width) + 0.5) / width
        x_cycles, y_cycles, phase, motion, strength = self._waves.T[..., None]
        y_angle = 2 * np.pi * y_cycles * y
        moments = phase + motion * indexes / FPS
        x_angle = 2 * np.pi * (x_cycles * x + moments.T[..., None])
        level = strength * WAVE_SCALE
        rows = np.concatenate([level * np.cos(y_angle), -level * np.sin(y_angle)]).T
        columns = WAVE_SCALE * np.concatenate([np.cos(x_angle), np.sin(x_angle)], axis=1)
        return (
            (np.rint(rows) / WAVE_SCALE**2).astype(np.float32),
            np.rint(columns).astype(np.float32),
        )


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
