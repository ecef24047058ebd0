import numpy as np
import pytest

from zoomgym.tasks.synthetic.marks import Sign
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.tasks.synthetic.symbols import SYMBOLS, symbol_mask


def test_there_are_eight_symbols_of_distinct_shape_and_color() -> None:
    assert len(SYMBOLS) == 8
    colors = np.array([symbol.color for symbol in SYMBOLS.values()], int)
    distances = np.linalg.norm(colors[:, None] - colors[None], axis=-1)
    assert distances[~np.eye(8, dtype=bool)].min() > 70


def test_shapes_differ_at_the_size_they_have_in_a_picture_of_28_pixels() -> None:
    masks = {name: symbol_mask(name, (12, 12)).ravel() for name in SYMBOLS}
    for name, mask in masks.items():
        for other, its in masks.items():
            if name != other:
                overlap = np.minimum(mask, its).sum() / np.maximum(mask, its).sum()
                assert overlap < 0.85, (name, other)


@pytest.mark.parametrize("size", [(7, 13), (64, 64)])
def test_a_mask_covers_part_of_its_square(size: tuple[int, int]) -> None:
    for name in SYMBOLS:
        mask = symbol_mask(name, size)
        assert mask.shape == size
        assert 0 <= mask.min() <= mask.max() <= 1
        assert 0.1 < mask.mean() < 0.95


def test_a_scene_draws_any_size_and_any_frames() -> None:
    scene = Scene(1, 100, (), (Sign(10, 20, "red circle", 0.2),))
    assert scene.draw(np.array([], dtype=np.int64), (5, 9)).shape == (0, 5, 9, 3)
    pictures = scene.draw(np.array([15, 3]), (28, 40))
    assert (pictures.shape, pictures.dtype) == ((2, 28, 40, 3), np.uint8)
    alone = scene.draw(np.array([15]), (28, 40))
    assert np.array_equal(alone[0], pictures[0])
