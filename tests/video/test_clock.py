import math
import random
from fractions import Fraction

import pytest

from zoomgym.errors import VideoError
from zoomgym.video.clock import tick_at


def slow(time_s: float, time_base: Fraction) -> int:
    return math.floor((Fraction(time_s) + min(Fraction(1, 2000), time_base / 2)) / time_base)


def test_ticks_are_those_of_exact_fractions() -> None:
    rng = random.Random(0)
    for time_base in (Fraction(1, 12288), Fraction(1, 1000), Fraction(1001, 30000), Fraction(3)):
        for _ in range(300):
            tick = rng.randrange(10**6)
            around = float(tick * time_base) + rng.choice([0, 1e-9, -1e-9, 5e-4, -5e-4, 4e-5, 0.3])
            assert tick_at(abs(around), time_base) == slow(abs(around), time_base)
    assert tick_at(5, Fraction(1, 1000)) == 5000


@pytest.mark.parametrize("time_s", [-1e-9, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(time_s: float) -> None:
    with pytest.raises(VideoError, match="needed finite times >= 0"):
        tick_at(time_s, Fraction(1, 25))
