import numpy as np
import pytest

from zoomgym.tasks.synthetic.marks import Sign
from zoomgym.tasks.synthetic.scene import NUM_WAVES, Scene, Tint
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


@pytest.mark.parametrize(("base", "low", "high"), [(250, 150, 255), (5, 0, 105)])
def test_a_background_that_leaves_the_range_of_pixels_is_cut(
    base: int, low: int, high: int
) -> None:
    scene = Scene(1, 100, (), ())
    scene.__dict__["tint"] = Tint([base] * 3, [256] * 3)
    pictures = scene.draw(np.arange(0, 100, 5), (64, 64))  # waves are within 100 of the base
    assert low <= pictures.min() <= pictures.max() <= high
    assert pictures.max() == 255 or pictures.min() == 0


@pytest.mark.parametrize("phase", [0.0, 0.5])
def test_backgrounds_that_need_no_cut_stay_in_range(
    phase: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All waves at their most at once, 80 levels from the base, in every pixel."""
    waves = np.tile([0.0, 0.0, phase, 0.0, 10.0], (NUM_WAVES, 1))
    scenes = [Scene(0, 720, (), ()) for _ in range(256)]
    for base, scene in enumerate(scenes):
        scene.__dict__.update(waves=waves, tint=Tint([base] * 3, [256] * 3))
    are_safe = [scene._stays_in_range((32, 32)) for scene in scenes]
    assert {False, True} == set(are_safe)
    drawn = [scene.draw(np.arange(8), (32, 32)) for scene in scenes]
    monkeypatch.setattr(Scene, "_stays_in_range", lambda scene, size: False)
    for scene, pictures in zip(scenes, drawn, strict=True):
        del scene.__dict__["_grids"]
        assert np.array_equal(scene.draw(np.arange(8), (32, 32)), pictures)
