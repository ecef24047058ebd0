import pytest

from zoomgym.rules.timeline import Segment, count_frames, overview_times, zoom_times


def test_overview_runs_evenly_from_the_first_to_the_last_frame() -> None:
    assert overview_times(63.0, 64) == tuple(float(k) for k in range(64))
    assert overview_times(9.0, 4) == (0.0, 3.0, 6.0, 9.0)
    assert overview_times(9.0, 1) == (0.0,)


@pytest.mark.parametrize(
    ("start_s", "end_s", "fps", "num_frames"),
    [
        (4, 6, 8, 16),
        (0.2, 8.2, 2, 16),  # floats lose one without a tolerance
        (0, 1, 1, 1),
        (0, 0.999, 1, 0),
        (0, 1.999, 1, 1),
        (0, 3, 1 / 3, 1),
        (0, 0.3, 10, 3),
        (0, 1e300, 1e300, 10**9),
    ],
)
def test_a_segment_holds_the_whole_number_of_frames(
    start_s: float, end_s: float, fps: float, num_frames: int
) -> None:
    assert count_frames(Segment(start_s, end_s), fps) == num_frames


def test_zoom_shows_the_frames_at_start_plus_k_over_fps() -> None:
    assert zoom_times(Segment(4, 6), 2) == (4.0, 4.5, 5.0, 5.5)
    times_s = zoom_times(Segment(4, 6), 8)
    assert (len(times_s), times_s[0], times_s[-1]) == (16, 4.0, 5.875)


def test_a_segment_is_half_open() -> None:
    segment = Segment(1.0, 2.0)
    assert [segment.holds(t) for t in (0.999, 1.0, 1.999, 2.0)] == [False, True, True, False]
