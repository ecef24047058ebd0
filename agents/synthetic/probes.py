"""Probes: agents that look in the right place, but not well enough.

They are told where the evidence is, and read what they see like every baseline. A question they
cannot answer needs more than one zoom, or a higher rate.
"""

from math import comb, floor

from agents.synthetic import pictures
from agents.synthetic.reader import see
from agents.synthetic.replies import (
    SeededAgent,
    affordable,
    answer_seen,
    reply,
    unseen_evidence,
    zoom_on,
)
from zoomgym.agent import Observation
from zoomgym.grading import letter
from zoomgym.rules import Answer, ZoomCall
from zoomgym.tasks import FPS, NUM_PULSES, family_of

SLOW_FPS = 1.0
FEWEST = 2
"""Least frames of a slow zoom: one alone shows no motion."""


class OnceAgent(SeededAgent):
    """Zooms once, on the first piece of the evidence it is told, as densely as the rules allow.

    (It could span two pieces with one zoom of two frames. An agent that is not told learns of the
    second from the first.)
    """

    privileged = True

    def act(self, observation: Observation) -> str:
        """Zooms on the first piece of evidence, or answers."""
        num_frames = affordable(observation, 1)
        if observation.turns or not observation.evidence or num_frames == 0:
            return answer_seen(observation, self._seed)
        return zoom_on(observation, observation.evidence[0], num_frames)


class SlowAgent(SeededAgent):
    """Zooms on the evidence it is told, at one frame a second, and at two frames at least."""

    privileged = True

    def act(self, observation: Observation) -> str:
        """Zooms on the next piece of evidence, or answers."""
        unseen = unseen_evidence(observation)
        most = affordable(observation, len(unseen))
        if most == 0:
            return answer_seen(observation, self._seed)
        start_s, end_s = unseen[0]
        num_frames = max(FEWEST, floor((end_s - start_s) * SLOW_FPS))
        return zoom_on(observation, unseen[0], min(most, num_frames))


class HalfAgent(SeededAgent):
    """Sees every second frame of the evidence it is told, and knows how tasks are drawn.

    So it makes the most of what it saw: of `count`, it answers the number that is most likely then.
    (Of `motion`, the reader's shorter turn is as likely as the longer one, whatever is known.)
    """

    privileged = True

    def act(self, observation: Observation) -> str:
        """Zooms on the next piece of evidence, or answers."""
        unseen = unseen_evidence(observation)
        most = affordable(observation, len(unseen))
        if most > 0:
            start_s, end_s = unseen[0]
            fps = min(FPS / 2, most / (end_s - start_s))
            return reply(observation, ZoomCall(start_s, end_s, fps), "Every second frame will do.")
        if family_of(observation.question) == "count" and observation.clips:
            return _most_likely_count(observation)
        return answer_seen(observation, self._seed)


def _most_likely_count(observation: Observation) -> str:
    """Returns the answer under which what was seen is most likely: each pulse lasts one frame."""
    seen = see(*observation.clips).under("amber").plates(pictures.pulses())
    num_red, num_blue = seen.count("red pulse"), seen.count("blue pulse")
    chances = [
        comb(int(option), num_red) * comb(NUM_PULSES - int(option), num_blue)
        for option in observation.options
    ]
    best = letter(chances.index(max(chances)))
    return reply(observation, Answer(best), "It is the most likely number.")
