"""An ideal agent that sees pixels only: it finds the beacon, follows its countdown, and reads."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.reader import choose_option, read_frames
from zoomgym.actions import Answer, ZoomCall
from zoomgym.episode import Frames, Observation
from zoomgym.grammar import write_reply
from zoomgym.synthetic.families import COUNTDOWN_STEPS
from zoomgym.synthetic.scene import BARS, FINE_PARTS

BRIGHT = 160


@dataclass(frozen=True)
class Lit:
    """A frame in which the amber beacon is lit."""

    time_s: float
    coarse: float | None
    fine: float | None

    @property
    def share(self) -> float:
        """What is left of the countdown, in [0, 1]: the fine bar within the coarse one's part."""
        assert self.coarse is not None
        assert self.fine is not None
        part = round(self.coarse * FINE_PARTS - self.fine)
        return (max(part, 0) + self.fine) / FINE_PARTS


class SolverAgent:
    """Zooms where the beacon says; answers when it has seen an offered symbol first of all."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Observation) -> str:
        grammar = observation.rules.grammar
        call = self._next_zoom(observation)
        if call is None:
            return write_reply(Answer(choose_option(observation) or "A"), grammar)
        return write_reply(call, grammar)

    def _next_zoom(self, observation: Observation) -> ZoomCall | None:
        """Returns where to look next, or None if all is seen."""
        if observation.turns_left < 2:
            return None
        overview = lit_frames(observation.overview)
        if not overview:
            return None
        step_s = observation.overview.times_s[1]
        if overview[0].coarse is None:
            return search(overview, step_s, observation)
        return follow(overview, step_s, observation)


def search(overview: list[Lit], step_s: float, observation: Observation) -> ZoomCall:
    """Returns the next quarter of the stretch in which the beacon may be lit."""
    start_s = max(0.0, overview[0].time_s - step_s)
    end_s = min(observation.duration_s, overview[-1].time_s + step_s)
    part_s, part = (end_s - start_s) / 4, len(observation.clips)
    return ZoomCall(start_s + part * part_s, start_s + (part + 1) * part_s, 15.9 / part_s)


def follow(overview: list[Lit], step_s: float, observation: Observation) -> ZoomCall | None:
    """Returns a zoom to where the beacon went on, in two steps; then to where it counts down to."""
    seen_s = sorted(
        time_s for shown in (observation.overview, *observation.clips) for time_s in shown.times_s
    )
    lit = [one for shown in observation.clips for one in lit_frames(shown)]
    first = min([*lit, *overview], key=lambda one: one.time_s)
    if len(observation.clips) < 2 and first.time_s > 0:
        dark_s = max(time_s for time_s in seen_s if time_s < first.time_s)
        return ZoomCall(dark_s, first.time_s, 15.9 / (first.time_s - dark_s))
    if len(observation.clips) == 2 and first.share > 0:
        target_s = first.time_s + first.share * COUNTDOWN_STEPS * step_s
        return ZoomCall(max(0.0, target_s - 0.6), target_s + 1.0, 10.0)
    return None


def lit_frames(frames: Frames) -> list[Lit]:
    """Returns the frames with the amber beacon, and what their bars say."""
    return [
        Lit(glimpse.time_s, *(bar(image, i) for i in range(2)))
        for glimpse, image in zip(read_frames(frames), frames.images, strict=True)
        if glimpse.beacon == "amber"
    ]


def bar(image: NDArray[np.uint8], index: int) -> float | None:
    """Returns how full a bar is, or None if there is none."""
    rows, columns = BARS[index].pixels((image.shape[0], image.shape[1]))
    levels = image[rows, columns].mean(axis=(0, 2))
    if ((levels > 40) & (levels < BRIGHT)).mean() > 0.1:
        return None
    return float((levels > BRIGHT).mean())
