"""Which times an overview means, with exact values."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoomgym.rules.overview import random_times, scan_times, times_by_change, times_by_score
from zoomgym.rules.timeline import overview_times

FPS = 12


def levels_of(num_gaps: int, **changes: float) -> np.ndarray:
    """Returns levels that are 0 but in the gaps named `g..`."""
    levels = np.zeros(num_gaps)
    for name, level in changes.items():
        levels[int(name[1:])] = level
    return levels


@pytest.mark.parametrize(
    ("num_frames", "num_scanned"),
    [(0, 0), (1, 64), (2, 65), (8, 71), (16, 76), (32, 125), (64, 253), (256, 1021), (342, 1024),
     (512, 1023), (513, 0), (10_000, 0)],
)  # fmt: skip
def test_a_scan_is_four_times_as_dense_and_bounded(num_frames: int, num_scanned: int) -> None:
    assert len(scan_times(59.9, num_frames)) == num_scanned


@given(st.integers(2, 512), st.floats(0, 1e5))
def test_a_scan_holds_the_times_of_the_even_overview(num_frames: int, last_s: float) -> None:
    scanned_s = scan_times(last_s, num_frames)
    steps = (len(scanned_s) - 1) // (num_frames - 1)
    assert steps > 1
    assert scanned_s[::steps] == pytest.approx(overview_times(last_s, num_frames), rel=1e-12)


def test_without_change_the_overview_is_the_even_one() -> None:
    for level in (0.0, 3.0, 1e9):
        for num_frames in (8, 64):
            scanned_s = scan_times(59.9, num_frames)
            times_s = times_by_change(scanned_s, np.full(len(scanned_s) - 1, level), num_frames)
            assert times_s == overview_times(59.9, num_frames)


def test_frames_gather_where_pictures_change() -> None:
    scanned_s = tuple(map(float, range(17)))  # 4 steps a gap of an overview of 5 frames
    levels = levels_of(16, g9=50.0, g10=50.0, g11=50.0)
    assert times_by_change(scanned_s, levels, 5) == (0.0, 8.0, 11.0, 12.0, 16.0)


def test_what_changes_everywhere_is_no_change() -> None:
    scanned_s = tuple(map(float, range(17)))
    levels = levels_of(16, g9=50.0, g10=50.0, g11=50.0)
    assert times_by_change(scanned_s, levels + 1000, 5) == times_by_change(scanned_s, levels, 5)


@given(
    st.integers(2, 70),
    st.lists(st.floats(0, 1e12), min_size=1, max_size=30),
    st.floats(0.01, 1e6),
)
def test_no_part_stays_unseen_and_no_frame_is_shown_twice(
    num_frames: int, some: list[float], last_s: float
) -> None:
    scanned_s = scan_times(last_s, num_frames)
    levels = np.resize(some, len(scanned_s) - 1)
    times_s = times_by_change(scanned_s, levels, num_frames)
    assert len(times_s) == num_frames
    assert (times_s[0], times_s[-1]) == (0.0, scanned_s[-1])
    assert set(times_s) <= set(scanned_s)
    gaps = [after - before for before, after in pairwise(times_s)]
    even_s = last_s / (num_frames - 1)
    assert min(gaps) > 0
    assert max(gaps) <= 2 * even_s * (1 + 1e-6)


def test_the_best_frames_are_shown_but_not_beside_a_better_one() -> None:
    scanned_s = tuple(map(float, range(13)))  # 4 steps a gap of an overview of 4 frames
    scores = np.array([0, 0, 5, 9, 8, 7, 0, 0, 0, 0, 0, 3, 4])
    # 8, at 4 s, and 5, at 2 s, are beside the 9; 3, at 11 s, is beside the 4
    assert times_by_score(scanned_s, scores, 4) == (0.0, 3.0, 5.0, 12.0)


def test_frames_of_equal_scores_are_those_of_the_even_overview() -> None:
    for num_frames in (1, 2, 8, 64):
        scanned_s = scan_times(59.9, num_frames)
        times_s = times_by_score(scanned_s, np.ones(len(scanned_s)), num_frames)
        assert times_s == overview_times(59.9, num_frames)


def test_one_frame_is_the_best_one() -> None:
    scanned_s = scan_times(63.0, 1)
    assert times_by_score(scanned_s, -np.abs(np.arange(64) - 40.2), 1) == (40.0,)


@given(st.integers(1, 70), st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30))
def test_as_many_frames_are_found_as_are_asked_for(num_frames: int, some: list[float]) -> None:
    scanned_s = scan_times(59.9, num_frames)
    times_s = times_by_score(scanned_s, np.resize(some, len(scanned_s)), num_frames)
    assert len(set(times_s)) == num_frames
    assert list(times_s) == sorted(times_s)
    assert set(times_s) <= set(scanned_s)


@given(st.integers(0, 200), st.integers(1, 300), st.integers(0, 2**32))
def test_random_times_show_different_frames_if_there_are_enough(
    num_frames: int, video_frames: int, seed: int
) -> None:
    duration_s, last_s = video_frames / FPS, (video_frames - 1) / FPS
    times_s = random_times(duration_s, last_s, num_frames, np.random.default_rng(seed))
    assert len(times_s) == num_frames
    assert list(times_s) == sorted(times_s)
    assert all(0 <= time_s <= last_s for time_s in times_s)
    shown = {int(time_s * FPS + 1e-6) for time_s in times_s}
    if num_frames <= video_frames:
        assert len(shown) == num_frames


def test_random_times_reach_every_frame_about_as_often() -> None:
    rng = np.random.default_rng(0)
    drawn = [int(t * 2 + 1e-6) for _ in range(2000) for t in random_times(5.0, 4.5, 3, rng)]
    counts = np.bincount(drawn, minlength=10)
    assert counts.sum() == 6000
    assert counts.min() > 300  # 600 on average; frames at the ends have fewer neighbors
