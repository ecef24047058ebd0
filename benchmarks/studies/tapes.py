"""Tasks in which an agent only reads, and an expert who knows where to.

A tape lasts half a minute, and at one second of it a voice names a symbol. A question tells the
tape's number and a time near that second. At any other time, the voice says which second it is.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from agents.synthetic.replies import NO_OPTION
from zoomgym.agent import Observation
from zoomgym.rules import TRANSCRIPT, Answer, Cue, TranscriptCall, write_reply
from zoomgym.tasks import FPS, NUM_OPTIONS, SYMBOLS, TOOL_FAMILIES, Family, Plan, Puzzle

FAMILY = "tapes"
QUESTION, NAMED = "Which symbol is named on", "The symbol is"
SHAPES = tuple(name.split()[-1] for name in SYMBOLS)
NUM_TAPES = 10_000
FIRST_S = 10
"""The first second at which a symbol may be named, so that all have two digits."""
REACH_S = 1
"""The most seconds between that second and the time in its question."""


def draw_task(plan: Plan) -> Puzzle:
    """Draws a tape on which a voice names a symbol near a time: which?"""
    num_s = plan.num_frames // FPS
    tape = int(plan.rng.integers(NUM_TAPES))
    near_s = int(plan.rng.integers(FIRST_S + REACH_S, num_s - REACH_S - 1))
    right, *wrong = (str(name) for name in plan.rng.permutation(SHAPES)[:NUM_OPTIONS])
    question = f"{QUESTION} tape {tape:04d} near {near_s} s?"
    place_s = place_in(question)
    hint = f"It is at {place_s}."
    cues = (
        Cue(0.0, float(place_s), hint),
        Cue(float(place_s), place_s + 1.0, f"{NAMED} {right}."),
        Cue(place_s + 1.0, float(num_s), hint),
    )
    return Puzzle(plan.scene((), ()), question, right, tuple(wrong), (), cues)


def place_in(question: str) -> int:
    """Returns the second at which the symbol of a question is named.

    Only who knows the tapes can tell it from a question: numbers of tapes say nothing of it.
    """
    tape, near_s = re.findall(r"\d+", question)
    digest = hashlib.sha256(tape.encode()).digest()
    return int(near_s) + digest[0] % (2 * REACH_S + 1) - REACH_S


@contextmanager
def tapes() -> Iterator[None]:
    """Adds these tasks to the families that need a tool, while they are played."""
    TOOL_FAMILIES[FAMILY] = Family(draw_task, QUESTION, SHAPES, tools=(TRANSCRIPT,))
    try:
        yield
    finally:
        del TOOL_FAMILIES[FAMILY]


class TapeTutor:
    """Knows the tapes: asks what is said at the right second, and answers in words; says why.

    It never guesses: a reflection that is right by luck would teach that.
    """

    def reset(self, seed: int) -> None:
        """Forgets nothing, and draws nothing."""

    def act(self, observation: Observation) -> str:
        """Asks for the right second, or answers with what was said there."""
        return self.correct(observation, None)

    def correct(self, observation: Observation, wrong: str | None) -> str:
        """Replies as `act` does, knowing that another agent answered wrong here."""
        review, found = _review(observation, wrong), _heard(observation)
        if found is not None:
            return _reply(observation, Answer(found), [review, f"{NAMED} {found}."])
        if observation.turns_left < 2:
            return _reply(observation, Answer(NO_OPTION), [review])
        place_s = place_in(observation.question)
        call = TranscriptCall(place_s, place_s + 1)
        return _reply(observation, call, [review, f"It is at {place_s}."])


def _heard(observation: Observation) -> str | None:
    """Returns the option that was named in what was told, if one was."""
    told = "\n".join(turn.told for turn in observation.turns)
    return next((name for name in observation.options if f"{NAMED} {name}." in told), None)


def _review(observation: Observation, wrong: str | None) -> str:
    """Returns what was wrong with the last reply; empty if nothing was."""
    if not observation.turns:
        return ""
    [*_, turn] = observation.turns
    if turn.error:
        return "That was refused."
    if NAMED not in turn.told:
        return "Not there."
    return f"It is not {wrong}." if wrong else ""


def _reply(
    observation: Observation, action: Answer | TranscriptCall, thoughts: Sequence[str]
) -> str:
    """Returns an action after thoughts, which the grammar `json` does not write itself."""
    thought = " ".join(filter(None, thoughts))
    return f"<think>{thought}</think>{write_reply(action, observation.rules.grammar, '')}"
