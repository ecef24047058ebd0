"""Replies that baselines share: a zoom that the rules allow, an answer from the frames, a guess."""

from abc import ABC, abstractmethod

from agents.synthetic.reader import choose_option
from zoomgym.agent import Observation, episode_rng
from zoomgym.grading import letter
from zoomgym.rules import Action, Answer, Segment, ZoomCall, write_reply

NO_OPTION = "unknown"
"""Answer to an open-ended question: symbols cannot answer it."""


class SeededAgent:
    """An agent that remembers nothing but its seed."""

    def reset(self, seed: int) -> None:
        """Seeds calls and guesses."""
        self._seed = seed


class ToldAgent(SeededAgent, ABC):
    """Zooms on each piece of evidence that it is told and has not seen, then answers."""

    privileged = True

    def act(self, observation: Observation) -> str:
        """Zooms on the next piece of evidence, or answers."""
        unseen = unseen_evidence(observation)
        most = affordable(observation, len(unseen))
        return self.zoom(observation, unseen[0], most) if most else self.answer(observation)

    @abstractmethod
    def zoom(self, observation: Observation, segment: Segment, most: int) -> str:
        """Returns the reply that zooms on a segment with at most so many frames."""

    def answer(self, observation: Observation) -> str:
        """Returns the reply that answers with what was seen."""
        return answer_seen(observation, self._seed)


def affordable(observation: Observation, num_zooms: int) -> int:
    """Returns how many frames each of num_zooms zooms may show; 0 if no turn is left to zoom."""
    if observation.turns_left < 2 or num_zooms < 1:
        return 0
    return min(observation.rules.frames_per_zoom, observation.frames_left // num_zooms)


def unseen_evidence(observation: Observation) -> list[Segment]:
    """Returns the segments of evidence that no clip has shown."""
    times_s = [time_s for clip in observation.clips for time_s in clip.times_s]
    return [segment for segment in observation.evidence if not any(map(segment.holds, times_s))]


def zoom_on(observation: Observation, segment: Segment, num_frames: int) -> str:
    """Returns the reply that zooms on segment with num_frames frames, evenly."""
    start_s, end_s = segment
    call = ZoomCall(start_s, end_s, num_frames / (end_s - start_s))
    return reply(observation, call, "The evidence is here.")


def guess(observation: Observation, seed: int, thought: str) -> str:
    """Returns the reply that answers with one of the options at random."""
    if not observation.options:
        return reply(observation, Answer(NO_OPTION), thought)
    index = int(episode_rng(seed, observation).integers(len(observation.options)))
    return reply(observation, Answer(letter(index)), thought)


def answer_seen(observation: Observation, seed: int) -> str:
    """Returns the reply that answers with what was seen, or guesses."""
    choice = choose_option(observation)
    if choice is None:
        return guess(observation, seed, "I did not see it, so I guess.")
    return reply(observation, Answer(choice), "I saw it.")


def reply(observation: Observation, action: Action, thought: str) -> str:
    """Returns the action in the grammar of the episode."""
    return write_reply(action, observation.rules.grammar, thought)
