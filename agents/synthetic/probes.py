"""Probes: agents that look in the right place, but not closely enough.

They are told where the evidence is, and read what they see like every baseline. A question that
they cannot answer needs more than one zoom, or a higher rate.
"""

from math import comb, floor

from agents.synthetic import pictures
from agents.synthetic.reader import see
from agents.synthetic.replies import (
    SeededAgent,
    ToldAgent,
    affordable,
    answer_seen,
    reply,
    zoom_on,
)
from zoomgym.agent import Observation
from zoomgym.grading import letter
from zoomgym.rules import Answer, Segment, ZoomCall
from zoomgym.tasks import FPS, NUM_PULSES, family_of

SLOW_FPS = 1.0
FEWEST = 2
"""Fewest frames of a slow zoom: one alone shows no motion."""


class OnceAgent(SeededAgent):
    """Zooms once, on the first piece of the evidence it is told, as densely as the rules allow.

    It never spans two pieces with one zoom: agents that are not told learn of the second from the
    first.
    """

    privileged = True

    def act(self, observation: Observation) -> str:
        """Zooms on the first piece of evidence, or answers."""
        num_frames = affordable(observation, 1)
        if observation.turns or not observation.evidence or num_frames == 0:
            return answer_seen(observation, self._seed)
        return zoom_on(observation, observation.evidence[0], num_frames)


class SlowAgent(ToldAgent):
    """Zooms on the evidence it is told, at one frame a second, and at two frames at least."""

    def zoom(self, observation: Observation, segment: Segment, most: int) -> str:
        """Zooms at a low rate."""
        num_frames = max(FEWEST, floor((segment.end_s - segment.start_s) * SLOW_FPS))
        return zoom_on(observation, segment, min(most, num_frames))


class HalfAgent(ToldAgent):
    """Sees every second frame of the evidence it is told, and knows how tasks are drawn.

    So it answers `count` with the number that is most likely after what it saw. (For `motion`, the
    reader's shorter turn is as likely as the longer one, whatever else is known.)
    """

    def zoom(self, observation: Observation, segment: Segment, most: int) -> str:
        """Zooms at half the rate of the video."""
        start_s, end_s = segment
        fps = min(FPS / 2, most / (end_s - start_s))
        return reply(observation, ZoomCall(start_s, end_s, fps), "Every second frame will do.")

    def answer(self, observation: Observation) -> str:
        """Answers `count` with the most likely number, and all else with what was seen."""
        if family_of(observation.question) == "count" and observation.clips:
            return _most_likely_count(observation)
        return super().answer(observation)


def _most_likely_count(observation: Observation) -> str:
    """Returns the answer that makes what was seen most likely, as each pulse lasts one frame."""
    seen = see(*observation.clips).under("amber").plates(pictures.pulses())
    num_red, num_blue = seen.count("red pulse"), seen.count("blue pulse")
    chances = [
        comb(int(option), num_red) * comb(NUM_PULSES - int(option), num_blue)
        for option in observation.options
    ]
    best = letter(chances.index(max(chances)))
    return reply(observation, Answer(best), "It is the most likely number.")
