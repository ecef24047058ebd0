import math

import pytest

from zoomgym.errors import CallError
from zoomgym.rules.actions import ZoomCall


@pytest.mark.parametrize(
    ("start_s", "end_s", "fps", "message"),
    [
        (math.nan, 2, 1, "needs finite numbers, got segment .nan, 2. and fps 1"),
        (0, math.inf, 1, "needs finite numbers"),
        (0, 2, math.inf, "needs finite numbers"),
        (-1, 2, 1, "needs start >= 0, got -1"),
        (6, 4, 1, r"needs start < end, got \[6, 4\]"),
        (4, 4, 1, r"needs start < end, got \[4, 4\]"),
        (4, 6, 0, "needs fps > 0, got 0"),
        (4, 6, -2, "needs fps > 0, got -2"),
    ],
)
def test_a_call_that_means_nothing_cannot_exist(
    start_s: float, end_s: float, fps: float, message: str
) -> None:
    with pytest.raises(CallError, match=message):
        ZoomCall(start_s, end_s, fps)


def test_an_end_beyond_the_video_is_cut_to_it() -> None:
    assert ZoomCall(50, 70, 1).cut_to(60.0) == ZoomCall(50, 60.0, 1)
    assert ZoomCall(50, 60, 1).cut_to(60.0) == ZoomCall(50, 60, 1)


@pytest.mark.parametrize("start_s", [60.0, 61.0])
def test_a_start_at_or_after_the_end_of_the_video_is_refused(start_s: float) -> None:
    with pytest.raises(CallError, match=r"needs start < 60\.00, the end of the video"):
        ZoomCall(start_s, 70, 1).cut_to(60.0)


@pytest.mark.parametrize("call", [ZoomCall(0, 0.5, 1), ZoomCall(59.5, 100, 1)])
def test_a_stretch_without_a_frame_is_refused(call: ZoomCall) -> None:
    with pytest.raises(CallError, match=r"needs at least 1 frame, got fps x length = 1 x 0\.5 s"):
        call.cut_to(60.0)
