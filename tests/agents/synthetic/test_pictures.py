"""Pictures are shrunk as Pillow shrinks them, once for all who are shown the same."""

import gc
import time

import numpy as np
import pytest
from PIL import Image

from agents.synthetic import pictures
from agents.synthetic.pictures import SIDE, shrink
from zoomgym.agent import Frames
from zoomgym.video import charge, cost_s


@pytest.mark.parametrize(
    "size",
    [*((SIDE * n, SIDE * n) for n in range(1, 10)), (96, 256), (160, 64), (100, 178), (20, 31)],
)
def test_pictures_are_shrunk_as_pillow_does_it(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, *size, 3)).astype(np.uint8)
    images[:3] //= 64  # many means are halves, which are rounded
    expected = [
        np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))
        for image in images
    ]
    np.testing.assert_array_equal(shrink(Frames((0.0,) * 6, images)), np.array(expected))


def test_no_pictures_are_shrunk_to_none() -> None:
    assert shrink(Frames((), np.zeros((0, 64, 64, 3), np.uint8))).shape == (0, SIDE, SIDE, 3)


def test_an_array_that_two_episodes_show_is_shrunk_once_and_counts_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    boxes = pictures._boxes
    monkeypatch.setattr(time, "perf_counter", lambda: 7.0)
    monkeypatch.setattr(pictures, "_boxes", lambda images: charge(2.0) or boxes(images))  # type: ignore[func-returns-value]
    images = np.zeros((1, 64, 64, 3), np.uint8)
    one, two = Frames((0.0,), images), Frames((0.0,), images)
    costs, results = [], []
    for frames in (one, two, one, two):
        started_s = cost_s()
        results.append(shrink(frames))
        costs.append(cost_s() - started_s)
    assert costs == [2.0, 2.0, 0.0, 0.0]
    assert all(result is results[0] for result in results)
    num_kept = len(pictures._SHARED)
    del images, one, two, frames
    gc.collect()
    assert len(pictures._SHARED) == num_kept - 1
