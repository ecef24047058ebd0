"""The tutor: plays like the oracle and says why, so that a model can learn from its words.

It knows where the evidence is, but gives reasons that the overview shows: a lit beacon, or the gap
between two frames. Its segments begin and end at times in the labels of the overview, where a model
can find them; only brief ones get their exact times. When it takes over from another agent, it
first says what went wrong.
"""

import math
from bisect import bisect_left, bisect_right
from itertools import groupby

from agents.synthetic.evidence import is_shown, missing_frames, needs_every_frame
from agents.synthetic.reader import read_option, see
from agents.synthetic.replies import SeededAgent, affordable, guess, reply, unseen_evidence
from zoomgym.agent import Observation
from zoomgym.grading import letter
from zoomgym.rules import Answer, Segment, ZoomCall, count_frames, error_kind
from zoomgym.tasks import FPS

RATES = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0)
"""Rates of its zooms, in frames per second: few, so that a model can learn them."""
NOT_ALL = "I have not seen all of it yet."
CENT = 100
"""Times are in hundredths of a second, as in labels."""


class TutorAgent(SeededAgent):
    """Zooms on the evidence it is told, gives a reason, and reads it.

    Args:
        in_words: whether it answers with an option's own text, for models that do not know the
            letters of a list yet.
    """

    privileged = True

    def __init__(self, *, in_words: bool = False) -> None:
        self._in_words = in_words

    def act(self, observation: Observation) -> str:
        """Says what the last zoom lacked, then zooms on the next piece of evidence or answers."""
        return self.correct(observation, None)

    def correct(self, observation: Observation, wrong: str | None) -> str:
        """Replies as `act` does, knowing that another agent answered wrong here."""
        found = read_option(observation)
        open_evidence = _open_evidence(observation, found)
        num_frames = affordable(observation, len(open_evidence))
        review = _review(observation)
        if num_frames > 0:
            if wrong is not None and not review:
                review = NOT_ALL
            call, reason = _look(observation, open_evidence[0], num_frames)
            return reply(observation, call, _join([review, reason]))
        if found is None:
            return guess(observation, self._seed, _join([review, "I did not see it, so I guess."]))
        if wrong is not None and not review:
            review = f"It is not {wrong}."
        name = found if self._in_words else letter(observation.options.index(found))
        return reply(observation, Answer(name), _join([review, f"I see {found}."]))


def _open_evidence(observation: Observation, found: str | None) -> list[Segment]:
    """Returns the evidence not yet shown as closely as the question needs."""
    shown = (observation.overview, *observation.clips)
    times_s = [time_s for frames in shown for time_s in frames.times_s]
    missed = [
        segment
        for segment in observation.evidence
        if not is_shown(observation.question, segment, times_s)
    ]
    return missed or ([] if found else unseen_evidence(observation))


def _look(observation: Observation, evidence: Segment, num_frames: int) -> tuple[ZoomCall, str]:
    """Returns the widest zoom on the evidence that the overview gives a reason for, and why."""
    if not needs_every_frame(observation.question):
        for first, last, reason in _reasons(observation, evidence):
            call = _call(_between(observation, first, last), num_frames)
            if call is not None and any(map(evidence.holds, call.times_s)):
                return call, reason
    shown = [time_s for clip in observation.clips for time_s in clip.times_s]
    missing = missing_frames(evidence, shown) or missing_frames(evidence, [])
    first_s = evidence.start_s + missing[0] / FPS
    start_s = math.ceil(first_s * CENT) / CENT  # rounded up, to begin within its first frame
    num_shown = min(num_frames, missing[-1] + 1 - missing[0])
    end_s = math.ceil((start_s + num_shown / FPS) * CENT) / CENT
    call = ZoomCall(start_s, end_s, float(FPS))
    return call, f"It must be near {start_s:g} s."


def _reasons(observation: Observation, evidence: Segment) -> list[tuple[int, int, str]]:
    """Returns stretches of the overview that hold the evidence: (first, last) frame and why."""
    times_s = observation.overview.times_s
    reasons = []
    frames = enumerate(see(observation.overview).beacons)
    for beacon, group in groupby(frames, key=lambda frame: frame[1]):
        lit = [index for index, _ in group]
        first, last = max(lit[0] - 1, 0), min(lit[-1] + 1, len(times_s) - 1)
        if beacon and times_s[first] <= evidence.start_s and evidence.end_s <= times_s[last]:
            which = f"frame {lit[0]}" if len(lit) == 1 else f"frames {lit[0]} to {lit[-1]}"
            reasons.append((first, last, f"The {beacon} beacon is lit in {which}."))
    before = bisect_right(times_s, evidence.start_s) - 1
    after = bisect_left(times_s, evidence.end_s)
    if 0 <= before < after < len(times_s):
        reasons.append((before, after, f"It must be between frames {before} and {after}."))
    return reasons


def _between(observation: Observation, first: int, last: int) -> Segment:
    """Returns the segment between two frames of the overview, as labeled."""
    start_s, end_s = (float(observation.overview.times_s[index]) for index in (first, last))
    return Segment(round(start_s, 2), round(end_s, 2))


def _call(segment: Segment, num_frames: int) -> ZoomCall | None:
    """Returns the zoom on a segment at the highest rate that num_frames allow, if any."""
    rates = [fps for fps in RATES if 1 <= count_frames(segment, fps) <= num_frames]
    return ZoomCall(*segment, rates[-1]) if rates else None


def _review(observation: Observation) -> str:
    """Returns what was wrong with the last reply; empty if nothing was."""
    if not observation.turns:
        return ""
    [*_, turn] = observation.turns
    if turn.zoom is None:
        rules = observation.rules
        is_unreadable = error_kind(turn, rules.grammar, rules.tools) == "unreadable"
        return "That was no reply." if is_unreadable else f"That was refused: {turn.error}."
    zoom, evidence = turn.zoom, observation.evidence
    start_s, end_s = zoom.segment
    shown = [one for one in evidence if is_shown(observation.question, one, zoom.times_s)]
    inside = [one for one in evidence if start_s <= one.start_s and one.end_s <= end_s]
    if any(one not in shown for one in inside):
        return f"{zoom.fps:g} frames a second were too few to see it{' all' if shown else ''}."
    if shown:
        return ""
    touched = [one for one in evidence if start_s < one.end_s and one.start_s < end_s]
    if not touched:
        return f"It is not between {start_s:g} and {end_s:g} s."
    return f"Not all of it is between {start_s:g} and {end_s:g} s."


def _join(thoughts: list[str]) -> str:
    """Returns thoughts as one text."""
    return " ".join(thought for thought in thoughts if thought)
