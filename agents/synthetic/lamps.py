"""Where a lamp of synthetic video is lit, and what its countdown says, from pixels alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.synthetic.pictures import read_beacons, shrink
from zoomgym.agent.observation import Frames, Observation
from zoomgym.tasks.synthetic.layout import BARS
from zoomgym.tasks.synthetic.marks import FINE_PARTS
from zoomgym.tasks.synthetic.plan import COUNTDOWN_STEPS, MIN_LIT_S

DARK, BRIGHT = 40, 220
"""Of 255: columns of a bar are darker than the one or brighter than the other."""


@dataclass(frozen=True)
class Lit:
    """A frame in which a beacon is lit."""

    time_s: float
    coarse: float | None
    fine: float | None

    @property
    def counts_down(self) -> bool:
        """Whether it has both bars."""
        return self.coarse is not None and self.fine is not None

    @property
    def share(self) -> float:
        """What is left of the countdown, in [0, 1]: the fine bar within the coarse one's part."""
        assert self.coarse is not None
        assert self.fine is not None
        part = round(self.coarse * FINE_PARTS - self.fine)
        return (max(part, 0) + self.fine) / FINE_PARTS


def lit_frames(frames: Frames, lamp: str = "amber") -> list[Lit]:
    """Returns the frames in which a beacon is lit, and what its bars say."""
    beacons = read_beacons(shrink(frames))
    return [
        Lit(time_s, *(bar(image, i) for i in range(2)))
        for time_s, image, beacon in zip(frames.times_s, frames.images, beacons, strict=True)
        if beacon == lamp
    ]


def bar(image: NDArray[np.uint8], index: int) -> float | None:
    """Returns how full a bar is, or None if there is none."""
    rows, columns = BARS[index].pixels((image.shape[0], image.shape[1]))
    levels = image[rows, columns].mean(axis=(0, 2))
    if ((levels > DARK) & (levels < BRIGHT)).mean() > 0.1:
        return None
    return float((levels > (DARK + BRIGHT) / 2).mean())


def step_s(observation: Observation) -> float:
    """Returns the seconds between two frames of the overview."""
    return observation.overview.times_s[1]


def target_s(lit: Lit, observation: Observation) -> float:
    """Returns the time that a countdown runs to."""
    return lit.time_s + lit.share * COUNTDOWN_STEPS * step_s(observation)


def stretch_s(lit: list[Lit], observation: Observation) -> tuple[float, float]:
    """Returns the stretch in which a beacon may be lit that these frames of the overview show."""
    start_s = max(0.0, lit[0].time_s - step_s(observation))
    return start_s, min(observation.duration_s, lit[-1].time_s + step_s(observation))


def brief_stretch_s(lit: list[Lit], observation: Observation) -> tuple[float, float]:
    """Returns that stretch for a beacon that is known to be lit for no longer than MIN_LIT_S."""
    start_s, end_s = stretch_s(lit, observation)
    return max(start_s, lit[-1].time_s - MIN_LIT_S), min(end_s, lit[0].time_s + MIN_LIT_S)
