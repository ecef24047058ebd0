"""Agents that use one tool each, where the overview shows that the amber beacon is lit."""

from agents.synthetic.reader import see
from agents.synthetic.replies import SeededAgent, answer_seen, reply
from zoomgym.agent import Observation
from zoomgym.rules import TRANSCRIPT, Segment, TranscriptCall


class ListenerAgent(SeededAgent):
    """Reads what is said while the amber beacon is lit, and zooms nowhere."""

    def act(self, observation: Observation) -> str:
        """Asks what is said, once, and answers."""
        lit = lit_stretch(observation)
        can_ask = TRANSCRIPT in observation.rules.tools and observation.turns_left > 1
        if observation.turns or not can_ask or lit is None:
            return answer_seen(observation, self._seed)
        return reply(observation, TranscriptCall(*lit), "It may be said here.")


def lit_stretch(observation: Observation) -> Segment | None:
    """Returns the stretch that the overview shows lit, and a step of it on both sides, if any."""
    times_s = observation.overview.times_s
    if len(times_s) < 2:
        return None
    lit_s = see(observation.overview).under("amber").times_s
    if not len(lit_s):
        return None
    step_s = times_s[1] - times_s[0]
    start_s, end_s = float(lit_s[0]) - step_s, float(lit_s[-1]) + step_s
    return Segment(max(0.0, start_s), min(end_s, observation.duration_s))
