"""Heuristics: they look where pixels change, and share one reader.

They are told nothing, and guess if they saw nothing. On real video, which has no symbols, they look
the same way and then guess.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agents.synthetic.pictures import lit_frames, shrink, target_s
from agents.synthetic.reader import Sight, choose_option, see
from agents.synthetic.replies import SeededAgent, affordable, answer_seen, reply
from zoomgym.agent import Frames, Observation
from zoomgym.rules import Segment, ZoomCall
from zoomgym.tasks import FPS, LAMPS

Look = tuple[Segment, int, str]
"""The segment to zoom on, at how many frames, and why."""

STANDS_OUT = 1.1
"""How many times as large a change that stands out is as the largest one that does not."""
AROUND = (0.25, 0.5, 1.0, 0.5, 0.25)
"""Weights of a change in the gaps before and after it."""
MOST_CHANGES = 12
LEAST = 1.0
"""Smallest difference, of 255, that is not noise."""
NEAR = 6
"""Most gaps of the overview between changes of one passage."""
EARLY_S = 0.5
"""Seconds by which a countdown may be misread."""
NUM_COARSE = 2
"""Zooms on a whole passage: the second falls between the frames of the first."""
IS_ODD = 1.4
"""How many times as far from the median of its passage an odd frame is as the others."""
EVEN_S = 1e-6
"""Most seconds by which the gaps of an even overview differ."""
NUM_CLOSE = 2
"""Zooms at the highest rate: before and after what was found."""


class Heuristic(SeededAgent, ABC):
    """Looks where a rule says, then answers; answers at once if the overview does.

    Without an overview, it first looks at the whole video, and takes that clip as one.
    """

    def act(self, observation: Observation) -> str:
        """Takes the next look that the rules allow, or answers."""
        look = self._look(observation)
        if look is None or _room(observation) == 0 or look[0].start_s >= observation.duration_s:
            return answer_seen(observation, self._seed)
        (start_s, end_s), num_frames, thought = look
        end_s = min(max(end_s, start_s + 1 / FPS), observation.duration_s)
        return reply(observation, ZoomCall(start_s, end_s, num_frames / (end_s - start_s)), thought)

    def _look(self, observation: Observation) -> Look | None:
        """Returns where to look, with an overview or without; None to answer."""
        if not observation.overview.times_s and not observation.clips:
            whole = Segment(0.0, observation.duration_s)
            return whole, _room(observation), "I look at the whole video."
        seen = _with_overview(observation)
        is_read = not seen.clips and choose_option(seen)
        return None if is_read else self.next_look(seen)

    @abstractmethod
    def next_look(self, observation: Observation) -> Look | None:
        """Returns where to look; None to answer."""


class ChangeAgent(Heuristic):
    """Zooms where neighboring frames of the overview differ most, then reads the clips.

    A zoom covers a gap between two frames and the gaps beside it; gaps with the largest changes in
    and around them come first. If no change stands out, it looks between the frames.
    """

    def next_look(self, observation: Observation) -> Look | None:
        """Returns a look at the largest change not shown yet, or between the frames."""
        changes = _changes(observation)
        if not _outstanding(changes):
            return _between(observation)
        times_s = observation.overview.times_s
        zooms = [turn.zoom.segment for turn in observation.turns if turn.zoom]
        around = np.convolve(changes, AROUND)[len(AROUND) // 2 :][: len(changes)]
        for gap in np.argsort(-around, kind="stable").tolist():
            middle_s = (times_s[gap] + times_s[gap + 1]) / 2
            if not any(zoom.holds(middle_s) for zoom in zooms):
                stretch = Segment(times_s[max(gap - 1, 0)], times_s[min(gap + 2, len(times_s) - 1)])
                return stretch, _room(observation), "It changes here."
        return None


class KeyframeAgent(Heuristic):
    """Spends its budget evenly over the passages between scene changes.

    A scene change is a change that stands out. If none does, it looks between the frames of the
    overview.
    """

    def next_look(self, observation: Observation) -> Look | None:
        """Returns a look at the next part of the passages, or between the frames."""
        num_zooms = observation.rules.max_turns - 1
        passages = _passages(observation)[:num_zooms]
        if not passages:
            return _between(observation)
        counts = [1] * len(passages)
        while sum(counts) < num_zooms:  # one more part for the passage with the longest parts
            lengths = [(p.end_s - p.start_s) / n for p, n in zip(passages, counts, strict=True)]
            counts[lengths.index(max(lengths))] += 1
        parts = [part for p, n in zip(passages, counts, strict=True) for part in _cut(p, n)]
        if len(observation.turns) >= len(parts):
            return None
        part = parts[len(observation.turns)]
        return part, _room(observation), "The scene changes here."


class CoarseToFineAgent(Heuristic):
    """Narrows down with its zooms until it finds the event, then looks at that closely.

    It starts with the passage in which the lamp of the question is lit, or the one with the largest
    change. A countdown tells it where to look next, or else the frame that is least like the rest
    of the passage. If the overview shows nothing, it searches between its frames.
    """

    def next_look(self, observation: Observation) -> Look | None:
        """Returns a look at where the event is, as far as known; None once it is clear."""
        lamp = next((name for name in LAMPS if f"{name} beacon" in observation.question), None)
        lit = lit_frames(observation.overview, lamp) if lamp else []
        if lamp and any(one.counts_down for one in lit):
            return _by_countdown(observation, lamp)
        passages = [] if lamp else _passages(observation)
        if lit:
            stretch = _around(observation.overview, lit[0].time_s, lit[-1].time_s)
        elif passages:
            stretch = passages[0]
        else:
            return None if choose_option(observation) else _between(observation)
        return _by_oddity(observation, stretch)


def _with_overview(observation: Observation) -> Observation:
    """Returns an observation in which, if there is no overview, the first clip is one."""
    if observation.overview.times_s:
        return observation
    rules = observation.rules
    return replace(
        observation,
        rules=replace(rules, max_turns=rules.max_turns - 1),
        overview=observation.clips[0],
        clips=observation.clips[1:],
        turns=observation.turns[1:],
    )


def _room(observation: Observation) -> int:
    """Returns how many frames a zoom may show if every turn but the last zooms."""
    return affordable(observation, observation.turns_left - 1)


# Where the overview changes ----------------------------------------------------------------------


def _changes(observation: Observation) -> NDArray[np.float64]:
    """Returns how much each frame of the overview differs from the next: (N - 1,) levels."""
    small = shrink(observation.overview)
    levels: NDArray[np.float64] = np.abs(np.diff(small, axis=0)).mean(axis=(1, 2, 3), dtype=float)
    return levels


def _outstanding(levels: NDArray[np.float64]) -> list[int]:
    """Returns the levels that stand out, largest first: those above the largest relative step."""
    order = np.argsort(-levels, kind="stable")
    ranked = np.maximum(levels[order][: MOST_CHANGES + 1], LEAST)
    steps = ranked[:-1] / ranked[1:]
    if not len(steps) or steps.max() < STANDS_OUT:
        return []
    chosen: list[int] = order[: int(steps.argmax()) + 1].tolist()
    return chosen


def _passages(observation: Observation) -> list[Segment]:
    """Returns the passages between scene changes, those with the largest change first."""
    groups: list[list[int]] = []
    levels = _changes(observation)
    for gap in sorted(_outstanding(levels)):
        if groups and gap - groups[-1][-1] <= NEAR:
            groups[-1].append(gap)
        else:
            groups.append([gap])
    groups.sort(key=lambda gaps: -levels[gaps].max())
    times_s = observation.overview.times_s
    return [Segment(times_s[gaps[0]], times_s[gaps[-1] + 1]) for gaps in groups]


def _cut(segment: Segment, num_parts: int) -> list[Segment]:
    """Returns the equal parts of a segment."""
    edges = np.linspace(*segment, num_parts + 1).tolist()
    return [Segment(*pair) for pair in pairwise(edges)]


def _between(observation: Observation) -> Look | None:
    """Returns a look at the middle of every gap of the overview, from the first not shown yet.

    The last gap is left out, as a zoom at one frame a gap ends a whole gap after its last frame.
    Gaps of an overview that is not spread evenly are taken for even ones.
    """
    times_s = _evened(observation)
    first = sum(len(clip.times_s) for clip in observation.clips)
    last = min(first + _room(observation), len(times_s) - 2)
    if first >= last:
        return None
    apart_s = times_s[1] - times_s[0]
    stretch = Segment((first + 0.5) * apart_s, (last + 0.5) * apart_s)
    return stretch, last - first, "It may hide between two frames."


def _evened(observation: Observation) -> Sequence[float]:
    """Returns the times of the overview, or as many even ones if they are not spread evenly."""
    times_s = observation.overview.times_s
    if len(times_s) < 2 or np.ptp(np.diff(times_s)) < EVEN_S:
        return times_s
    even_s: list[float] = np.linspace(0, observation.duration_s, len(times_s)).tolist()
    return even_s


# From coarse to fine -----------------------------------------------------------------------------


def _around(frames: Frames, first_s: float, last_s: float) -> Segment:
    """Returns the stretch from the frame before first_s, if any, to the one after last_s."""
    before_s = max((time_s for time_s in frames.times_s if time_s < first_s), default=first_s)
    after_s = min((time_s for time_s in frames.times_s if time_s > last_s), default=last_s)
    return Segment(before_s, after_s)


def _by_countdown(observation: Observation, lamp: str) -> Look | None:
    """Returns a look at where a lamp went on, then at where its countdown ends."""
    shown = (observation.overview, *observation.clips)
    counting = (one for frames in shown for one in lit_frames(frames, lamp) if one.counts_down)
    first = min(counting, key=lambda one: one.time_s)
    num_close = sum(map(_is_close, observation.clips))
    is_start_known = bool(observation.clips) or first.time_s == 0
    if not num_close and not (is_start_known and first.share):
        seen_s = [time_s for frames in shown for time_s in frames.times_s]
        before_s = max((time_s for time_s in seen_s if time_s < first.time_s), default=0.0)
        return Segment(before_s, first.time_s), _room(observation), "The lamp went on before."
    if num_close == NUM_CLOSE:
        return None
    return _closely(observation, target_s(first, observation) - EARLY_S, num_close)


def _by_oddity(observation: Observation, stretch: Segment) -> Look | None:
    """Returns a look at a whole stretch, then at the odd frame in it."""
    coarse = [clip for clip in observation.clips if not _is_close(clip)]
    num_close = len(observation.clips) - len(coarse)
    odd_s = _oddest(see(observation.overview, *coarse), stretch) if coarse else None
    if odd_s is None:
        apart_s = (stretch.end_s - stretch.start_s) / max(1, _room(observation))
        start_s = stretch.start_s + len(coarse) * apart_s / 2
        look = Segment(start_s, stretch.end_s), _room(observation), "Something is different here."
        return look if len(observation.clips) < NUM_COARSE else None
    if num_close == NUM_CLOSE:
        return None
    return _closely(observation, odd_s - _room(observation) / FPS, num_close)


def _oddest(sight: Sight, stretch: Segment) -> float | None:
    """Returns the time of the odd frame in a stretch, if one stands out.

    It must not be like the first or the last frame either: these show what is around.
    """
    inside = (sight.times_s >= stretch.start_s) & (sight.times_s <= stretch.end_s)
    small = sight.small[inside]
    usual = np.stack([np.median(small, axis=0), small[0], small[-1]])
    levels = np.abs(small[:, None] - usual).mean(axis=(2, 3, 4)).min(axis=1)
    if levels.max() <= max(LEAST, IS_ODD * np.median(levels)):
        return None
    return float(sight.times_s[inside][levels.argmax()])


def _closely(observation: Observation, start_s: float, part: int) -> Look:
    """Returns a look at every frame of a part: part 0 begins at start_s, part 1 follows it."""
    num_frames = _room(observation)
    first = max(0, round(start_s * FPS)) + part * num_frames + 0.5
    return Segment(first / FPS, (first + num_frames) / FPS), num_frames, "I look closely."


def _is_close(clip: Frames) -> bool:
    """Returns whether a clip shows every frame."""
    return len(clip.times_s) < 2 or (clip.times_s[1] - clip.times_s[0]) * FPS < 1.01
