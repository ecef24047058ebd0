"""Baselines that need no weights: they differ in where they look, and share the reader.

On real video, where there are no symbols to read, they guess.
"""

from collections.abc import Sequence

import numpy as np

from agents.reader import choose_option
from zoomgym.actions import Action, Answer, ZoomCall
from zoomgym.agent import episode_rng
from zoomgym.episode import Observation
from zoomgym.grading import letter
from zoomgym.grammar import write_reply
from zoomgym.timeline import Segment

__all__ = ["BlindAgent", "GlanceAgent", "OracleAgent", "RandomAgent", "UniformAgent"]

NO_OPTION = "unknown"
"""The answer to an open-ended question that pictures of symbols cannot answer."""
ANSWER_SHARE = 0.3


class BlindAgent:
    """Guesses without looking."""

    def reset(self, seed: int) -> None:
        """Seeds the guesses."""
        self._seed = seed

    def act(self, observation: Observation) -> str:
        """Answers at once, uniformly at random."""
        return _reply(observation, _guess(observation, self._seed), "I guess.")


class GlanceAgent:
    """Reads the overview and never zooms."""

    def reset(self, seed: int) -> None:
        """Seeds the guesses."""
        self._seed = seed

    def act(self, observation: Observation) -> str:
        """Answers at once with what the overview shows."""
        return _answer_seen(observation, self._seed)


class RandomAgent:
    """Zooms anywhere, at any rate, any number of times; then answers with what it saw."""

    def reset(self, seed: int) -> None:
        """Seeds calls and guesses."""
        self._seed = seed

    def act(self, observation: Observation) -> str:
        """Zooms into a random stretch, or answers."""
        rng = episode_rng(self._seed, observation)
        num_frames = _affordable(observation, 1)
        if num_frames == 0 or rng.random() < ANSWER_SHARE:
            return _answer_seen(observation, self._seed)
        start_s, end_s = np.sort(rng.uniform(0, observation.duration_s, 2)).tolist()
        fps = int(rng.integers(1, num_frames + 1)) / (end_s - start_s)
        return _reply(observation, ZoomCall(start_s, end_s, fps), "I look somewhere.")


class UniformAgent:
    """Spreads its budget evenly over the video; then answers with what it saw."""

    def reset(self, seed: int) -> None:
        """Seeds the guesses."""
        self._seed = seed

    def act(self, observation: Observation) -> str:
        """Zooms into the next part of the video, or answers."""
        num_parts = observation.rules.max_turns - 1
        part = len(observation.turns)
        num_frames = _affordable(observation, num_parts - part)
        if part == num_parts or num_frames == 0:
            return _answer_seen(observation, self._seed)
        length_s = observation.duration_s / num_parts
        call = ZoomCall(part * length_s, (part + 1) * length_s, num_frames / length_s)
        return _reply(observation, call, "I look at the next part.")


class OracleAgent:
    """Is told where the evidence is, zooms there unless the overview answers, and reads it."""

    privileged = True

    def reset(self, seed: int) -> None:
        """Seeds the guesses."""
        self._seed = seed

    def act(self, observation: Observation) -> str:
        """Zooms into the next piece of evidence, as densely as the rules allow, or answers."""
        missed = [segment for segment in observation.evidence if not _is_seen(segment, observation)]
        num_frames = _affordable(observation, len(missed))
        answers_at_once = not observation.clips and choose_option(observation)
        if not missed or num_frames == 0 or answers_at_once:
            return _answer_seen(observation, self._seed)
        start_s, end_s = missed[0]
        call = ZoomCall(start_s, end_s, num_frames / (end_s - start_s))
        return _reply(observation, call, "The evidence is here.")


def _affordable(observation: Observation, num_zooms: int) -> int:
    """Returns how many frames each of num_zooms zooms may show; 0 if no turn is left for one."""
    if observation.turns_left < 2 or num_zooms < 1:
        return 0
    return min(observation.rules.frames_per_zoom, observation.frames_left // num_zooms)


def _is_seen(segment: Segment, observation: Observation) -> bool:
    """Returns whether a clip showed a frame of segment."""
    times_s: Sequence[float] = [time_s for clip in observation.clips for time_s in clip.times_s]
    return any(map(segment.holds, times_s))


def _guess(observation: Observation, seed: int) -> Answer:
    """Returns one of the options at random."""
    if not observation.options:
        return Answer(NO_OPTION)
    rng = episode_rng(seed, observation)
    return Answer(letter(int(rng.integers(len(observation.options)))))


def _answer_seen(observation: Observation, seed: int) -> str:
    """Returns the reply that answers with what was seen, or else guesses."""
    choice = choose_option(observation)
    if choice is None:
        return _reply(observation, _guess(observation, seed), "I did not see it, so I guess.")
    return _reply(observation, Answer(choice), "I saw it.")


def _reply(observation: Observation, action: Action, thought: str) -> str:
    """Returns the action in the grammar of the episode."""
    return write_reply(action, observation.rules.grammar, thought)
