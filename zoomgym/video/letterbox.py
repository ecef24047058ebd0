"""Pictures of another size: fitted into a box with their aspect kept, between black bars."""

import math
from fractions import Fraction
from functools import lru_cache, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FILTER = Image.Resampling.HAMMING
"""Antialiased, and three times as fast as LANCZOS."""
HAMMING = float(np.float32(0.54)), float(np.float32(0.46))
"""Its numbers are floats in Pillow's source, and so not quite these."""
PARTS = 1 << 22
"""Of which weights are whole numbers: `PRECISION_BITS` in src/libImaging/Resample.c."""
SMALL_PRODUCT = 1 << 18
"""Multiplications of a frame up to which matrices resize it faster than Pillow does."""


def letterbox(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns frames fitted into size with their aspect kept, between black bars.

    Args:
        frames: (N, h, w, 3) uint8. Small ones are enlarged.
        size: (H, W) of the result. (0, 0) leaves nothing of them, which takes no time.

    Returns:
        (N, H, W, 3) uint8, always a copy.
    """
    num_frames, height, width, _ = frames.shape
    if (height, width) == size:
        return frames.copy()
    if size == (0, 0):
        return np.zeros((num_frames, 0, 0, 3), np.uint8)
    fitted = fitted_size((height, width), size)
    shown = frames if fitted == (height, width) else _resize(frames, fitted)
    if fitted == size:
        return shown
    top, left = (size[0] - fitted[0]) // 2, (size[1] - fitted[1]) // 2
    boxed = np.zeros((num_frames, *size, 3), np.uint8)
    boxed[:, top : top + fitted[0], left : left + fitted[1]] = shown
    return boxed


@lru_cache(maxsize=64)
def fitted_size(size: tuple[int, int], box: tuple[int, int]) -> tuple[int, int]:
    """Returns the largest (H, W) in the aspect of size that fits into box."""
    scale = min(Fraction(box[0], size[0]), Fraction(box[1], size[1]))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(
    picture: NDArray[np.uint8], size: tuple[int, int], how: Image.Resampling
) -> NDArray[np.uint8]:
    """Returns a picture (h, w, 3) at size (H, W), the same in any Pillow: widths first.

    Pillow 13 shrinks tall pictures from above first, which rounds otherwise than Pillow 12 does.
    """
    across = Image.fromarray(picture).resize((size[1], picture.shape[0]), how)
    return np.asarray(across.resize(size[::-1], how))


def _resize(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns frames (N, h, w, 3) at size (H, W), as `resized` would each."""
    num_frames, height, width, _ = frames.shape
    if 9 * height * width * size[1] > SMALL_PRODUCT:
        shrunk = np.empty((num_frames, *size, 3), np.uint8)
        for frame, place in zip(frames, shrunk, strict=True):
            place[:] = resized(frame, size, FILTER)
        return shrunk
    flat = frames.reshape(num_frames, height, 3 * width)
    if width != size[1]:
        flat = _rounded(flat @ _across(width, size[1]))
    if height != size[0]:
        flat = _rounded(_weights(height, size[0]) @ flat)
    return flat.reshape(num_frames, *size, 3)


def _rounded(sums: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Returns sums of pixels times weights as pixels; rounds as Pillow does."""
    sums += 0.5
    return sums.astype(np.uint8)  # cut, which is a floor; no weight is negative, and all are 1


@lru_cache(maxsize=64)
def _across(width: int, wanted: int) -> NDArray[np.float64]:
    """Returns what resizes rows of RGB: (3 * width, 3 * wanted), for each color its own."""
    return np.kron(_weights(width, wanted).T, np.eye(3)).astype(np.float64)


@lru_cache(maxsize=64)
def _weights(length: int, wanted: int) -> NDArray[np.float64]:
    """Returns how much of each of `length` pixels is in each of `wanted` ones: (wanted, length).

    In Pillow's parts of 1 / 2**22, which float64 multiplies and adds without any rounding.

    Source: Pillow, src/libImaging/Resample.c, precompute_coeffs and normalize_coeffs_8bpc.
    """
    scale = length / wanted
    reach = max(scale, 1.0)
    weights: NDArray[np.float64] = np.zeros((wanted, length))
    for place, row in enumerate(weights):
        center = (place + 0.5) * scale
        first = max(0, int(center - reach + 0.5))
        end = min(length, int(center + reach + 0.5))
        parts = [_hamming((k - center + 0.5) * (1 / reach)) for k in range(first, end)]
        one = 1 / reduce(add, parts)  # times it, as there: a quotient is rounded otherwise, and so
        # is Python's own sum from 3.12 on
        row[first:end] = [int(part * one * PARTS + 0.5) / PARTS for part in parts]
    return weights


def _hamming(x: float) -> float:
    """Returns Pillow's HAMMING filter at x, whose support is 1."""
    x = abs(x)
    if x == 0 or x >= 1:
        return float(x == 0)
    x *= math.pi
    return math.sin(x) / x * (HAMMING[0] + HAMMING[1] * math.cos(x))
