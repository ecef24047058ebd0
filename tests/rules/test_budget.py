import pytest

from zoomgym.errors import CallError
from zoomgym.rules.budget import FrameBudget


def test_sixteen_of_64_frames_leave_48() -> None:
    assert FrameBudget(64, 16).spend(16) == FrameBudget(48, 16)


def test_four_full_zooms_leave_nothing() -> None:
    budget = FrameBudget(64, 16)
    for _ in range(4):
        budget = budget.spend(16)
    assert budget.left == 0


@pytest.mark.parametrize(
    ("left", "num_frames", "message"),
    [
        (64, 17, "needs at most 16 frames, got 17: shorten it or lower fps"),
        (64, 10**9, "needs at most 16 frames, got over 999999: shorten it or lower fps"),
        (5, 6, "needs at most 5 frames, all that are left, got 6: shorten it or lower fps"),
        (0, 1, "needs at most 0 frames, all that are left, got 1: answer now"),
    ],
)
def test_a_zoom_that_costs_too_much_is_refused(left: int, num_frames: int, message: str) -> None:
    with pytest.raises(CallError, match=message):
        FrameBudget(left, 16).spend(num_frames)
