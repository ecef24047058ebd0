"""Agents that use other tools than zooms, where the overview shows that the amber beacon is lit."""

from dataclasses import replace

from agents.synthetic.heuristics import CoarseToFineAgent
from agents.synthetic.reader import choose_option, see, shown_in
from agents.synthetic.replies import SeededAgent, answer_seen, reply
from zoomgym.agent import Observation
from zoomgym.rules import CROP, TRANSCRIPT, CropCall, TranscriptCall
from zoomgym.tasks import TINY

THOUGHTS = {TRANSCRIPT: "It may be said here.", CROP: "It may be tiny."}


class ListenerAgent(SeededAgent):
    """Reads what is said while the amber beacon is lit, and looks nowhere."""

    tools: tuple[str, ...] = (TRANSCRIPT,)
    """Tools that it calls, each once."""

    def act(self, observation: Observation) -> str:
        """Calls the next of its tools that is offered, or finishes."""
        calls = _calls(observation)
        tools = [tool for tool in self.tools if tool in observation.rules.tools and tool in calls]
        used = len(observation.turns)
        if used >= len(tools) or observation.turns_left < 2 or choose_option(observation):
            return self.finish(observation)
        return reply(observation, calls[tools[used]], THOUGHTS[tools[used]])

    def finish(self, observation: Observation) -> str:
        """Answers with what it was told or shown."""
        return answer_seen(observation, self._seed)


class CropperAgent(ListenerAgent):
    """Looks at the middle of a frame in which the amber beacon is lit, in the video's pixels."""

    tools = (CROP,)


class ToolboxAgent(ListenerAgent):
    """Tries one tool after the other while the amber beacon is lit: zooms last, and narrows."""

    tools = (TRANSCRIPT, CROP)

    def finish(self, observation: Observation) -> str:
        """Answers with what it was told or shown, or zooms."""
        if choose_option(observation):
            return answer_seen(observation, self._seed)
        zooms = [(clip, turn) for clip, turn in shown_in(observation) if turn.zoom]
        alone = replace(
            observation,
            clips=tuple(clip for clip, _ in zooms),
            turns=tuple(turn for _, turn in zooms),
        )
        narrowing = CoarseToFineAgent()
        narrowing.reset(self._seed)
        return narrowing.act(alone)


def _calls(observation: Observation) -> dict[str, TranscriptCall | CropCall]:
    """Returns a call of each tool for what the overview shows lit; none if it shows nothing."""
    times_s = observation.overview.times_s
    lit_s = see(observation.overview).under("amber").times_s.tolist() if len(times_s) > 1 else []
    if not lit_s:
        return {}
    step_s = times_s[1] - times_s[0]
    end_s = min(lit_s[-1] + step_s, observation.duration_s)
    return {
        TRANSCRIPT: TranscriptCall(max(0.0, lit_s[0] - step_s), end_s),
        CROP: CropCall(*TINY, at_s=lit_s[len(lit_s) // 2]),
    }
