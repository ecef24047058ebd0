"""Tests of pictures that are fitted into a box: the same bytes as from Pillow, in less time."""

import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from zoomgym.video import fitted_size, letterbox, resized
from zoomgym.video.letterbox import FILTER, SMALL_PRODUCT


def by_pillow(frames: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Returns what `letterbox` should, one frame after the other."""
    height, width = fitted_size(frames.shape[1:3], size)  # type: ignore[arg-type]
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    boxed = np.zeros((len(frames), *size, 3), np.uint8)
    for frame, box in zip(frames, boxed, strict=True):
        across = Image.fromarray(frame).resize((width, frame.shape[0]), FILTER)
        resized = across.resize((width, height), FILTER)
        box[top : top + height, left : left + width] = np.asarray(resized)
    return boxed


def test_small_frames_are_resized_to_the_bytes_of_pillow() -> None:
    rng = np.random.default_rng(0)
    num_products = []
    for _ in range(300):
        height, width, *box = rng.integers(1, 40, 4).tolist()
        frames = rng.integers(0, 256, (2, height, width, 3), np.uint8)
        frames[1] = np.where(frames[1] < 128, 0, 255)  # the largest overshoots
        fitted = fitted_size((height, width), (box[0], box[1]))
        num_products.append(9 * height * width * fitted[1])
        shown = letterbox(frames, (box[0], box[1]))
        assert shown.tobytes() == by_pillow(frames, (box[0], box[1])).tobytes()
    assert sum(number <= SMALL_PRODUCT for number in num_products) > 200


@pytest.mark.parametrize(("side", "wanted"), [(15, 5), (18, 6), (33, 3)])
def test_weights_are_those_of_pillow_to_their_last_bit(side: int, wanted: int) -> None:
    frames = np.random.default_rng(2).integers(0, 256, (800, side, side, 3), np.uint8)
    box = (wanted, wanted)  # a bit in a weight changes a few of so many pixels
    assert letterbox(frames, box).tobytes() == by_pillow(frames, box).tobytes()


@pytest.mark.parametrize("size", [(64, 48), (97, 130)])
def test_large_frames_are_resized_by_pillow(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (2, 130, 97, 3), np.uint8)
    assert 9 * 130 * 97 * fitted_size((130, 97), size)[1] > SMALL_PRODUCT
    assert letterbox(frames, size).tobytes() == by_pillow(frames, size).tobytes()


def test_tall_pictures_are_the_same_in_any_pillow() -> None:
    picture = np.random.default_rng(3).integers(0, 256, (200, 40, 3), np.uint8)
    bands = [resized(picture, (50, 20), how) for how in (FILTER, Image.Resampling.LANCZOS)]
    assert [zlib.crc32(band.tobytes()) for band in bands] == [3572819639, 1041723433]


def test_no_frames_stay_no_frames() -> None:
    assert letterbox(np.zeros((0, 16, 16, 3), np.uint8), (8, 8)).shape == (0, 8, 8, 3)


def test_letterbox_puts_bars_above_and_below() -> None:
    boxed = letterbox(np.full((2, 10, 20, 3), 200, np.uint8), (40, 40))
    assert boxed.shape == (2, 40, 40, 3)
    assert (boxed[:, :10] == 0).all()
    assert (boxed[:, 10:30] == 200).all()
    assert (boxed[:, 30:] == 0).all()


def test_letterbox_puts_bars_left_and_right() -> None:
    boxed = letterbox(np.full((1, 90, 30, 3), 200, np.uint8), (30, 40))
    assert (boxed[0, :, :15] == 0).all()
    assert (boxed[0, :, 15:25] == 200).all()
    assert (boxed[0, :, 25:] == 0).all()


def test_letterbox_averages_what_it_shrinks() -> None:
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 255
    frames = np.repeat(checks.astype(np.uint8)[None, :, :, None], 3, axis=3)
    assert np.abs(letterbox(frames, (16, 16)).astype(int) - 127).max() <= 30


def test_letterbox_copies_what_fits_already() -> None:
    frames = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    boxed = letterbox(frames, (4, 5))
    assert (boxed == frames).all()
    assert not np.shares_memory(boxed, frames)


@pytest.mark.parametrize("shape", [(0, 10, 20), (1, 1, 500), (1, 500, 1), (3, 7, 11)])
def test_letterbox_fills_the_size_asked_for(shape: tuple[int, int, int]) -> None:
    assert letterbox(np.ones((*shape, 3), np.uint8), (28, 30)).shape == (shape[0], 28, 30, 3)
