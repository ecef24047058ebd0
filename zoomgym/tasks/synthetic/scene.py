"""What a synthetic video shows at any time: a pure function, drawn at any size.

A scene is a drifting, noisy background on which beacons are lit and plates are shown. Drawing
costs the frames that are asked for and nothing else, however long the scene is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from zoomgym.tasks.synthetic.layout import FPS, LARGE_SIZE, SCENE_SIZE
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


class WaveGrid(NamedTuple):
    """What the waves of a scene are at one size (H, W), whatever the moment.

    A wave cos(x + y) is cos x cos y - sin x sin y: two products of a row and a column. They are
    rounded first, to whole parts. Sums of all waves, within 127 of 0, have less than 2**24 parts,
    which float32 holds exactly in whatever order they are added, so that every machine gets the
    same pixels.
    """

    rows: NDArray[np.float32]
    """(H, 2 * NUM_WAVES)."""
    x: NDArray[np.complex128]
    """(NUM_WAVES, W): cos x and sin x of the still picture, in parts."""
    stays_in_range: bool
    """Whether no pixel can leave 0 to 255."""


@dataclass(frozen=True)
class Scene:
    """A synthetic video: seeded background, beacons and plates, num_frames long at FPS."""

    seed: int
    num_frames: int
    beacons: tuple[Beacon, ...]
    plates: tuple[Plate, ...]
    contrast: float = 1.0
    """Opacity of the plates."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of its picture in a file."""
        return SCENE_SIZE

    def draw(self, indexes: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames at indexes (N,) as (N, H, W, 3) uint8 RGB, drawn at size (H, W)."""
        return draw_all([Shot(self, indexes)], size)

    def draw_marks(self, images: NDArray[np.uint8], indexes: NDArray[np.int64]) -> None:
        """Draws beacons and plates into images (N, H, W, 3), those of the frames indexes (N,)."""
        for beacon in self.beacons:
            draw_beacon(images, indexes, beacon)
        for plate in self.plates:
            draw_plate(images, indexes, plate, self.contrast)

    @cached_property
    def tint(self) -> Tint:
        """The muted color of the background."""
        rng = np.random.default_rng([self.seed, 0])
        return Tint(rng.integers(72, 109, 3).tolist(), rng.integers(176, 257, 3).tolist())

    @cached_property
    def waves(self) -> NDArray[np.float64]:
        """(NUM_WAVES, 5): x and y cycles, phase in turns, turns per second, strength."""
        rng = np.random.default_rng([self.seed, 1])
        cycles = rng.uniform(-1, 1, (NUM_WAVES, 2)) * CYCLES
        phase = rng.uniform(0, 1, (NUM_WAVES, 1))
        motion = rng.uniform(-0.15, 0.15, (NUM_WAVES, 1))
        strength = rng.uniform(10, 18, (NUM_WAVES, 1)) * STRENGTHS
        return np.hstack([cycles, phase, motion, strength])

    def grid(self, size: tuple[int, int]) -> "WaveGrid":
        """Returns what the waves are at every size (H, W) alone, which is computed once."""
        if size not in self._grids:
            height, width = size
            x_cycles, y_cycles, _, _, strength = self.waves.T[..., None]
            y = _on_circle(y_cycles * ((np.arange(height) + 0.5) / height))
            level = strength * WAVE_SCALE
            rows = np.rint(np.concatenate([level * y.real, -level * y.imag]).T) / WAVE_SCALE**2
            x = WAVE_SCALE * _on_circle(x_cycles * ((np.arange(width) + 0.5) / width))
            self._grids[size] = WaveGrid(rows.astype(np.float32), x, self._stays_in_range(size))
        return self._grids[size]

    @cached_property
    def _grids(self) -> dict[tuple[int, int], "WaveGrid"]:
        """What `grid` has computed."""
        return {}

    def _stays_in_range(self, size: tuple[int, int]) -> bool:
        """Returns whether no pixel of a background of size (H, W) can leave 0 to 255."""
        most = float(self.waves[:, 4].sum()) + 1  # of all waves together, and what rounding adds
        edge = _largest_grain(size)
        return all(
            edge < base - most * gain / 256 - 1 and base + most * gain / 256 + edge < 255
            for base, gain in zip(*self.tint, strict=True)
        )


class LargeScene(Scene):
    """A scene with a larger picture, in which plates may be tiny. Its background is no finer."""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of its picture in a file."""
        return LARGE_SIZE


class Shot(NamedTuple):
    """Frames of a scene, (N,), that are to be drawn."""

    scene: Scene
    indexes: NDArray[np.int64]


def draw_all(shots: Sequence[Shot], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns the frames of all shots, one after the other: (N, H, W, 3) uint8, of size (H, W).

    Small frames cost less together: a call of NumPy takes as long as several of them.
    """
    images = _behind(shots, size)
    first = 0
    for scene, indexes in shots:
        scene.draw_marks(images[first : first + len(indexes)], indexes)
        first += len(indexes)
    return images


def _behind(shots: Sequence[Shot], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns what is behind the marks of every frame: of large scenes, enlarged where it must."""
    if not all(isinstance(scene, LargeScene) for scene, _ in shots):
        return _backgrounds(shots, size)
    drawn = min(size[0], SCENE_SIZE[0]), min(size[1], SCENE_SIZE[1])
    images = _backgrounds(shots, drawn)
    if drawn == size:
        return images
    rows, columns = (np.arange(to) * of // to for to, of in zip(size, drawn, strict=True))
    return images[:, rows[:, None], columns]


def _backgrounds(shots: Sequence[Shot], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns the drift of waves with grain that is behind every frame: (N, H, W, 3) uint8."""
    grids = [scene.grid(size) for scene, _ in shots]
    rows, x = np.stack([grid.rows for grid in grids]), np.stack([grid.x for grid in grids])
    tints = np.array([scene.tint for scene, _ in shots], np.int16)[..., None, None]
    stay_in_range = all(grid.stays_in_range for grid in grids)
    indexes = np.concatenate([indexes for _, indexes in shots])
    which = np.repeat(np.arange(len(shots)), [len(indexes) for _, indexes in shots])
    moments = _moments(np.stack([scene.waves for scene, _ in shots])[which], indexes)
    seeds = np.array([scene.seed for scene, _ in shots])
    grain, grains = _grain(size), (indexes * 5 + seeds[which]) % NUM_GRAINS
    images = np.empty((len(indexes), *size, 3), np.uint8)
    batch = max(1, BATCH_PIXELS // (size[0] * size[1]))
    for first in range(0, len(indexes), batch):
        some = slice(first, first + batch)
        scene = which[some] if len(shots) > 1 else slice(None)  # which spares copies
        field = _multiply(rows[scene], _columns(x[scene], moments[some]))
        level = np.floor(field, out=field).astype(np.int16)
        noise, plane = grain[grains[some]], np.empty_like(level)
        for channel in range(3):
            base, gain = tints[scene, 0, channel], tints[scene, 1, channel]
            np.multiply(level, gain, out=plane)
            plane >>= 8
            plane += noise
            plane += base
            if not stay_in_range:
                np.maximum(plane, 0, out=plane)
                np.minimum(plane, 255, out=plane)
            images[some, ..., channel] = plane
    return images


def _moments(waves: NDArray[np.float64], indexes: NDArray[np.int64]) -> NDArray[np.complex128]:
    """Returns the phase of each wave in each frame: (N, NUM_WAVES, 1), on a circle.

    Args:
        waves: (N, NUM_WAVES, 5), those of the frame's scene.
        indexes: (N,), of the frames.
    """
    phase, motion = waves[..., 2], waves[..., 3]
    return _on_circle(phase + motion * indexes[:, None] / FPS)[..., None]


def _columns(x: NDArray[np.complex128], moments: NDArray[np.complex128]) -> NDArray[np.float32]:
    """Returns what the rows of `WaveGrid` are multiplied with: (N, 2 * NUM_WAVES, W).

    Args:
        x: (N or 1, NUM_WAVES, W), of `WaveGrid`.
        moments: (N, NUM_WAVES, 1); a product of complex numbers adds their angles.
    """
    turned = x * moments
    count, _, width = turned.shape
    columns = np.empty((count, 2, NUM_WAVES, width), np.float32)
    np.rint(turned.real, out=columns[:, 0], casting="same_kind")
    np.rint(turned.imag, out=columns[:, 1], casting="same_kind")
    return columns.reshape(count, 2 * NUM_WAVES, width)


def _on_circle(turns: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Returns (cos, sin) of angles in turns, as a complex number."""
    angle = 2 * np.pi * turns
    return np.cos(angle) + 1j * np.sin(angle)


def _multiply(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns matrices left (N or 1, H, K) times right (N, K, W): (N, H, W).

    In parts that are too small for threads: those would wait for each other on a busy machine.
    """
    (_, height, depth), (count, _, width) = left.shape, right.shape
    product = np.empty((count, height, width), np.float32)
    num_rows = max(1, SMALL_PRODUCT // (depth * width))
    for top in range(0, height, num_rows):
        np.matmul(left[:, top : top + num_rows], right, out=product[:, top : top + num_rows])
    return product


@lru_cache(maxsize=8)
def _grain(size: tuple[int, int]) -> NDArray[np.int32]:
    """Returns pictures of gray noise, (NUM_GRAINS, H, W) int16, the same in every scene."""
    level = NOISE_LEVEL * min(1.0, size[0] / SCENE_SIZE[0], size[1] / SCENE_SIZE[1])
    rng = np.random.default_rng(0)
    return np.rint(level * rng.standard_normal((NUM_GRAINS, *size))).astype(np.int16)


@lru_cache(maxsize=8)
def _largest_grain(size: tuple[int, int]) -> int:
    """Returns how far the grain of pictures of size (H, W) goes from 0."""
    return int(np.abs(_grain(size)).max())
