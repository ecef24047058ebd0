"""Reads synthetic symbols and beacons from pixels alone.

Every baseline that answers from pictures uses this one reader, so that they differ only in where
they look. It knows how symbols look, and nothing of the task but what the agent sees.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoomgym.episode import Frames, Observation
from zoomgym.grading import letter
from zoomgym.synthetic import SYMBOLS
from zoomgym.synthetic.families import OVERVIEW_QUESTION
from zoomgym.synthetic.scene import AMBER, BEACON, BLUE, SIGN_SIDE, SIGN_TOP, sign_picture

__all__ = ["Glimpse", "choose_option", "read_frames"]

SIDE = 32
"""Pictures are read at this many pixels a side: symbols stay legible at 28."""
MIN_CORRELATION = 0.8
"""Between a stretch of the picture and a symbol on its plate; the background stays below 0.5."""
MAX_COLOR_DISTANCE = 60.0
SIGN_TOP_PX = round(SIGN_TOP * SIDE)
SIGN_SIDE_PX = round((SIGN_TOP + SIGN_SIDE) * SIDE) - SIGN_TOP_PX


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What one frame shows."""

    time_s: float
    symbol: str | None
    beacon: str | None
    """`amber`, `blue`, or None where none is lit."""


def read_frames(frames: Frames) -> list[Glimpse]:
    """Returns what each frame shows, in their order."""
    return [
        Glimpse(time_s, symbol, beacon)
        for time_s, symbol, beacon in zip(
            frames.times_s, *_read_pictures(frames.images), strict=True
        )
    ]


def choose_option(observation: Observation) -> str | None:
    """Returns the letter of the symbol that answers the question, or None if it was not seen.

    Asked what comes right after a symbol, that is the one that follows it in the frames seen; else
    it is the first symbol under the amber beacon.
    """
    seen = sorted(_glimpses(observation), key=lambda glimpse: glimpse.time_s)
    if observation.question.startswith(OVERVIEW_QUESTION):
        before = observation.question.removeprefix(OVERVIEW_QUESTION).strip(" ?")
        shown = [glimpse.symbol for glimpse in seen if glimpse.symbol]
        found = (other for one, other in pairwise(shown) if one == before != other)
    else:
        found = (glimpse.symbol or "" for glimpse in seen if glimpse.beacon == "amber")
    offered = (symbol for symbol in found if symbol in observation.options)
    symbol = next(offered, None)
    return None if symbol is None else letter(observation.options.index(symbol))


def _glimpses(observation: Observation) -> Iterator[Glimpse]:
    """Yields what each frame that the agent was shown shows."""
    shown: Iterable[Frames] = (observation.overview, *observation.clips)
    for frames in shown:
        yield from read_frames(frames)


def _read_pictures(
    images: NDArray[np.uint8],
) -> tuple[list[str | None], list[str | None]]:
    """Returns the symbol and the beacon in each of the pictures (N, H, W, 3)."""
    small = np.stack([_shrink(image) for image in images]).astype(np.float32)
    rows = small[:, SIGN_TOP_PX : SIGN_TOP_PX + SIGN_SIDE_PX]
    windows = np.lib.stride_tricks.sliding_window_view(rows, SIGN_SIDE_PX, axis=2)
    patches = windows.transpose(0, 2, 1, 4, 3).reshape(*windows.shape[0:1], windows.shape[2], -1)
    match = (_standardise(patches) @ _templates().T).max(axis=1)
    names = list(SYMBOLS)
    symbols = [names[row.argmax()] if row.max() >= MIN_CORRELATION else None for row in match]
    lamps = small[:, *BEACON.pixels((SIDE, SIDE))].mean(axis=(1, 2))
    return symbols, [_beacon(lamp) for lamp in lamps]


def _shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns a picture at SIDE x SIDE, each pixel the mean of those it stands for."""
    return np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))


def _beacon(lamp: NDArray[np.float32]) -> str | None:
    """Returns which beacon has the colour (3,) that stands where beacons are."""
    for name, color in (("amber", AMBER), ("blue", BLUE)):
        if np.linalg.norm(lamp - np.array(color, np.float32)) < MAX_COLOR_DISTANCE:
            return name
    return None


@cache
def _templates() -> NDArray[np.float32]:
    """Returns every symbol on its plate, standardised: (symbols, pixels) float32."""
    size = (SIGN_SIDE_PX, SIGN_SIDE_PX)
    return _standardise(np.stack([sign_picture(name, size).ravel() for name in SYMBOLS]))


def _standardise(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns rows with mean 0 and length 1, so that their products are correlations."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    standard: NDArray[np.float32] = (centred / np.maximum(length, 1e-6)).astype(np.float32)
    return standard
