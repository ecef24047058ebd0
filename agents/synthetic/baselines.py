"""Baselines without weights: they differ in where they look, and share one reader.

On real video, which has no symbols to read, they guess.
"""

import numpy as np

from agents.synthetic.reader import choose_option
from agents.synthetic.replies import (
    SeededAgent,
    ToldAgent,
    affordable,
    answer_seen,
    guess,
    reply,
    zoom_on,
)
from zoomgym.agent import Observation, episode_rng
from zoomgym.rules import Segment, ZoomCall

ANSWER_SHARE = 0.3


class BlindAgent(SeededAgent):
    """Guesses without looking."""

    def act(self, observation: Observation) -> str:
        """Answers at once, uniformly at random."""
        return guess(observation, self._seed, "I guess.")


class GlanceAgent(SeededAgent):
    """Reads the overview and never zooms."""

    def act(self, observation: Observation) -> str:
        """Answers at once with what the overview shows."""
        return answer_seen(observation, self._seed)


class RandomAgent(SeededAgent):
    """Zooms anywhere, at any rate, any number of times, then answers with what it saw."""

    def act(self, observation: Observation) -> str:
        """Zooms into a random stretch, or answers."""
        rng = episode_rng(self._seed, observation)
        num_frames = affordable(observation, 1)
        if num_frames == 0 or rng.random() < ANSWER_SHARE:
            return answer_seen(observation, self._seed)
        start_s, end_s = np.sort(rng.uniform(0, observation.duration_s, 2)).tolist()
        fps = int(rng.integers(1, num_frames + 1)) / (end_s - start_s)
        return reply(observation, ZoomCall(start_s, end_s, fps), "I look somewhere.")


class UniformAgent(SeededAgent):
    """Spreads its budget evenly over the video, then answers with what it saw."""

    def act(self, observation: Observation) -> str:
        """Zooms into the next part of the video, or answers."""
        num_parts = observation.rules.max_turns - 1
        part = len(observation.turns)
        num_frames = affordable(observation, num_parts - part)
        if part == num_parts or num_frames == 0:
            return answer_seen(observation, self._seed)
        length_s = observation.duration_s / num_parts
        call = ZoomCall(part * length_s, (part + 1) * length_s, num_frames / length_s)
        return reply(observation, call, "I look at the next part.")


class OracleAgent(ToldAgent):
    """Zooms on the evidence it is told, unless the overview answers, and reads it."""

    def zoom(self, observation: Observation, segment: Segment, most: int) -> str:
        """Zooms as densely as the rules allow, unless the overview answers."""
        answers_at_once = not observation.clips and choose_option(observation)
        return self.answer(observation) if answers_at_once else zoom_on(observation, segment, most)
