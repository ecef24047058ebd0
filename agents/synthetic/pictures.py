"""Reads synthetic pictures by pixels alone: lamps, countdowns, symbols, pulses, wheels.

It knows only how these look and where they may be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Generic, NamedTuple, TypeVar
from weakref import WeakKeyDictionary, finalize

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoomgym.agent import Frames, Observation
from zoomgym.tasks import (
    BARS,
    BEACON,
    COUNTDOWN_STEPS,
    FINE_PARTS,
    FPS,
    LAMPS,
    LARGE_SIZE,
    OVERVIEW_STEPS,
    PULSES,
    SIGN_SIDE,
    SIGN_TOP,
    SYMBOLS,
    TINY,
    board_picture,
    sign_picture,
    speck_picture,
    wheel_picture,
)
from zoomgym.video import charge, cost_s, resized

Thing = TypeVar("Thing")

SIDE = 32
"""Pixels a side at which pictures are read: symbols stay legible at 28."""
MIN_CORRELATION = 0.8
"""Least correlation of a part of the picture with a plate; the background is below 0.5."""
MAX_COLOR_DISTANCE = 60.0
NUM_ANGLES = 24
DARK, BRIGHT = 40, 220
"""Levels, of 255: each column of a bar is below DARK or above BRIGHT."""
TOP_PX = round(SIGN_TOP * SIDE)
PLATE_PX = round((SIGN_TOP + SIGN_SIDE) * SIDE) - TOP_PX
TILE_PX = PLATE_PX // 2
_ROWS, _COLUMNS = TINY.pixels(LARGE_SIZE)
SPECK_SIZE = _ROWS.stop - _ROWS.start, _COLUMNS.stop - _COLUMNS.start
"""(H, W) of a tiny plate in the pixels of its video."""
FAST_BOXES = {1, 2, 3, 4, 5, 7, 8}
"""Pixels a side of boxes whose means are exact in float32, and faster than Pillow's."""


class Shrunken(NamedTuple):
    """Pictures at (N, SIDE, SIDE, 3), read-only, and the seconds that shrinking them took."""

    images: NDArray[np.float32]
    took_s: float


_SHRUNKEN: WeakKeyDictionary[Frames, NDArray[np.float32]] = WeakKeyDictionary()
_SHARED: dict[int, Shrunken] = {}
"""By the id of an array of pictures, as long as it lives."""


@dataclass(frozen=True, slots=True)
class Vocabulary(Generic[Thing]):
    """Things that a plate may show, and how they look."""

    things: tuple[Thing, ...]
    templates: NDArray[np.float32]
    """(things, pixels), standardized."""


def shrink(frames: Frames) -> NDArray[np.float32]:
    """Returns pictures at (N, SIDE, SIDE, 3), each pixel a mean.

    They are read-only, and cached as long as the frames live: agents need them in every turn.
    """
    if frames not in _SHRUNKEN:
        _SHRUNKEN[frames] = _shared(frames.images)
    return _SHRUNKEN[frames]


def _shared(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the shrunken pictures; episodes that are shown the same array share them.

    Each is charged for them, so that the seconds of agents compare.
    """
    key = id(images)
    if key in _SHARED:
        charge(_SHARED[key].took_s)
        return _SHARED[key].images
    started_s = cost_s()
    shrunken = _boxes(images)
    shrunken.flags.writeable = False
    _SHARED[key] = Shrunken(shrunken, cost_s() - started_s)
    finalize(images, _SHARED.pop, key, None).atexit = False
    return shrunken


def _boxes(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Returns the means of boxes, (N, SIDE, SIDE, 3), as Pillow rounds them: rows first."""
    num_images, height, width, _ = images.shape
    boxes = np.empty((num_images, SIDE, SIDE, 3), np.float32)
    if not {height / SIDE, width / SIDE} <= FAST_BOXES:
        for image, box in zip(images, boxes, strict=True):
            box[:] = resized(image, (SIDE, SIDE), Image.Resampling.BOX)
        return boxes
    down, across = height // SIDE, width // SIDE
    sums = np.tile(np.eye(3, dtype=np.float32), (across, 1))
    for image, box in zip(images, boxes, strict=True):  # one by one, in the processor's cache
        rows = image.reshape(-1, 3 * across).astype(np.float32) @ sums
        rows = np.floor((rows + across / 2) / across).reshape(SIDE, down, 3 * SIDE)
        box[:] = np.floor((rows.sum(axis=1) + down / 2) / down).reshape(SIDE, SIDE, 3)
    return boxes


def read_speck(image: NDArray[np.uint8]) -> str | None:
    """Returns the symbol of a tiny plate that fills a picture (H, W, 3), if it shows."""
    if image.shape[:2] != SPECK_SIZE:
        return None
    names = list(SYMBOLS)
    seen = _templates([image.astype(np.float32)])[0]
    likeness = _templates([speck_picture(name, SPECK_SIZE) for name in names]) @ seen
    return names[likeness.argmax()] if likeness.max() >= MIN_CORRELATION else None


def read_beacons(small: NDArray[np.float32]) -> list[str | None]:
    """Returns the color of the lit beacon in each of the shrunken pictures, if any."""
    names, colors = list(LAMPS), np.array(list(LAMPS.values()), np.float32)
    lamps = small[:, *BEACON.pixels((SIDE, SIDE))].mean(axis=(1, 2))
    distances = np.linalg.norm(lamps[:, None] - colors, axis=2)
    return [names[row.argmin()] if row.min() < MAX_COLOR_DISTANCE else None for row in distances]


@dataclass(frozen=True, slots=True)
class Lit:
    """A frame in which a beacon is lit."""

    time_s: float
    coarse: float | None
    fine: float | None

    @property
    def counts_down(self) -> bool:
        """Whether it has both bars."""
        return self.coarse is not None and self.fine is not None

    @property
    def share(self) -> float:
        """Remaining share of the countdown, in [0, 1], from both bars."""
        assert self.coarse is not None
        assert self.fine is not None
        part = round(self.coarse * FINE_PARTS - self.fine)
        return (max(part, 0) + self.fine) / FINE_PARTS


def lit_frames(frames: Frames, lamp: str = "amber") -> list[Lit]:
    """Returns the frames in which a beacon is lit, and what its bars show."""
    beacons = read_beacons(shrink(frames))
    return [
        Lit(time_s, *(bar(image, i) for i in range(2)))
        for time_s, image, beacon in zip(frames.times_s, frames.images, beacons, strict=True)
        if beacon == lamp
    ]


def bar(image: NDArray[np.uint8], index: int) -> float | None:
    """Returns how full a bar is; None if there is none."""
    rows, columns = BARS[index].pixels((image.shape[0], image.shape[1]))
    levels = image[rows, columns].mean(axis=(0, 2))
    if ((levels > DARK) & (levels < BRIGHT)).mean() > 0.1:
        return None
    return float((levels > (DARK + BRIGHT) / 2).mean())


def target_s(lit: Lit, observation: Observation) -> float:
    """Returns the time at which a countdown ends, by steps of the default overview."""
    last_frame_s = (round(observation.duration_s * FPS) - 1) / FPS
    step_s = last_frame_s / OVERVIEW_STEPS
    return lit.time_s + lit.share * COUNTDOWN_STEPS * step_s


def read_plates(small: NDArray[np.float32], vocabulary: Vocabulary[Thing]) -> list[Thing | None]:
    """Returns what the plate in each of the shrunken pictures shows, if there is one."""
    return [
        vocabulary.things[row.argmax()] if row.max() >= MIN_CORRELATION else None
        for row in _match(small, vocabulary.templates)
    ]


def read_wheels(small: NDArray[np.float32]) -> list[float | None]:
    """Returns the angle of the wheel in each of the shrunken pictures, in turns clockwise.

    How well a template matches varies with its angle as a wave, whose phase is the wheel's angle.
    """
    turns = np.exp(2j * np.pi * np.arange(NUM_ANGLES) / NUM_ANGLES)
    return [
        float(np.angle(row @ turns)) / (2 * np.pi) if row.max() >= MIN_CORRELATION else None
        for row in _match(small, _wheels())
    ]


def read_boards(small: NDArray[np.float32]) -> list[tuple[str, ...] | None]:
    """Returns the four symbols in each of the shrunken pictures, row by row."""
    tiny = signs(tuple(SYMBOLS), TILE_PX)
    width = SIDE - 2 * TILE_PX + 1
    tiles = []
    for top in (TOP_PX, TOP_PX + TILE_PX):
        match = _patches(small[:, top : top + TILE_PX], TILE_PX) @ tiny.templates.T
        tiles += [match[:, :width], match[:, TILE_PX : TILE_PX + width]]
    board = np.stack(tiles, axis=2)  # (N, where the board begins, tile, symbol)
    at = board.max(axis=3).mean(axis=2).argmax(axis=1)
    best = board[np.arange(len(small)), at]
    return [
        tuple(tiny.things[i] for i in row.argmax(axis=1)) if row.max(axis=1).min() >= 0.6 else None
        for row in best
    ]


@cache
def signs(names: tuple[str, ...], side_px: int = PLATE_PX) -> Vocabulary[str]:
    """Returns symbols or pulses on their plates, by name."""
    return Vocabulary(names, _templates([sign_picture(name, (side_px, side_px)) for name in names]))


def symbols() -> Vocabulary[str]:
    """Returns the symbols, by name."""
    return signs(tuple(SYMBOLS))


def pulses() -> Vocabulary[str]:
    """Returns the pulses, by name."""
    return signs(tuple(PULSES))


@cache
def squares() -> Vocabulary[tuple[int, str]]:
    """Returns boards with one colored square, by its place and color."""
    things = tuple((place, name) for place in range(4) for name in LAMPS)
    boards = []
    for place, name in things:
        one, two, three, four = (name if index == place else "" for index in range(4))
        boards.append(board_picture((one, two, three, four), (PLATE_PX, PLATE_PX)))
    return Vocabulary(things, _templates(boards))


@cache
def _wheels() -> NDArray[np.float32]:
    """Returns wheels at NUM_ANGLES angles: (angles, pixels), standardized."""
    size = (PLATE_PX, PLATE_PX)
    return _templates([wheel_picture(index / NUM_ANGLES, size) for index in range(NUM_ANGLES)])


def _match(small: NDArray[np.float32], templates: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns how well templates match, (N, templates), where the best one matches best."""
    patches = _patches(small[:, TOP_PX : TOP_PX + PLATE_PX], PLATE_PX)
    flat = patches.reshape(-1, patches.shape[2]) @ templates.T  # a single product is fastest
    match = flat.reshape(*patches.shape[:2], len(templates))
    best: NDArray[np.float32] = match[np.arange(len(small)), match.max(axis=2).argmax(axis=1)]
    return best


def _templates(pictures: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Returns pictures as rows, standardized."""
    return _standardize(np.stack([picture.ravel() for picture in pictures]))


def _patches(rows: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Returns all parts of rows (N, height, SIDE, 3): (N, parts, pixels), standardized."""
    windows = np.lib.stride_tricks.sliding_window_view(rows, width, axis=2)
    moved = windows.transpose(0, 2, 1, 4, 3)
    return _standardize(moved.reshape(*moved.shape[:2], rows.shape[1] * width * 3))


def _standardize(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns rows with mean 0 and length 1, so that their products are correlations."""
    centered = rows - rows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centered, axis=-1, keepdims=True)
    standard: NDArray[np.float32] = (centered / np.maximum(length, 1e-6)).astype(np.float32)
    return standard
