"""An ideal agent that sees pixels only: it finds the beacon, follows its countdown, and reads."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from agents.synthetic.pictures import (
    Lit,
    lit_frames,
    pulses,
    read_boards,
    read_plates,
    read_wheels,
    symbols,
    target_s,
)
from agents.synthetic.reader import choose_option, relay_square, see
from zoomgym.agent.observation import Frames, Observation
from zoomgym.rules.actions import Answer, ZoomCall
from zoomgym.rules.grammar import write_reply
from zoomgym.tasks.synthetic.families import family_of
from zoomgym.tasks.synthetic.layout import FPS
from zoomgym.tasks.synthetic.plan import MIN_LIT_S

Read = Callable[[NDArray[np.float32]], Sequence[object]]
"""From shrunken pictures to what each of them shows, or None."""
CLIP = 16
"""Frames of a zoom."""
LONGEST = 16
"""Frames of the longest thing that has to be seen frame by frame."""
BEFORE_S = 0.6
"""A countdown may be read wrong by so much."""


class SolverAgent:
    """Zooms where the question and the beacon say; answers when it has seen what it needs."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Observation) -> str:
        grammar = observation.rules.grammar
        search = SEARCHES.get(family_of(observation.question))
        call = search(observation) if search and observation.turns_left > 1 else None
        if call is None:
            return write_reply(Answer(choose_option(observation) or "A"), grammar)
        return write_reply(call, grammar)


def find_brief(observation: Observation) -> ZoomCall | None:
    """Searches the lit stretch in quarters, or follows its countdown to a symbol."""
    lit = lit_frames(observation.overview)
    if not lit:
        return None
    if lit[0].coarse is None:
        return part_of(stretch_s(lit, observation), len(observation.clips), 4)
    return narrow(lit, observation) or to_target(lit, observation)


def find_dense(observation: Observation, read: Read) -> ZoomCall | None:
    """Finds what has to be seen frame by frame, and looks at every frame around it."""
    lit = lit_frames(observation.overview)
    if not lit:
        return None
    if lit[0].coarse is not None:
        dense = [clip for clip in observation.clips if is_dense(clip)]
        call = None if dense else narrow(lit, observation)
        first = first_lit(lit, observation)
        start_s = target_s(first, observation) - BEFORE_S
        return call or frame_by_frame((start_s, start_s + 2 * CLIP / FPS), len(dense))
    start_s, end_s = brief_stretch_s(lit, observation)
    if (end_s - start_s) * FPS <= 4 * CLIP:
        return frame_by_frame((start_s, end_s), len(observation.clips))
    return find_then_look((start_s, end_s), observation, read)


def find_then_look(
    stretch: tuple[float, float], observation: Observation, read: Read
) -> ZoomCall | None:
    """Searches a stretch in halves; then looks at every frame around what it found."""
    dense = [clip for clip in observation.clips if is_dense(clip)]
    coarse = [clip for clip in observation.clips if not is_dense(clip)]
    sight = see(observation.overview, *coarse).under("amber")
    found = [
        time_s
        for time_s, thing in zip(sight.times_s, read(sight.small), strict=True)
        if thing is not None
    ]
    if found:
        last_s = float(found[-1])
        return frame_by_frame((last_s - LONGEST / FPS, last_s + LONGEST / FPS), len(dense))
    return part_of(stretch, len(coarse), 2)


def find_relayed(observation: Observation) -> ZoomCall | None:
    """Finds the colored square, then the board under the beacon of its color."""
    sight = see(observation.overview, *observation.clips)
    square = relay_square(sight)
    lamp = square[1] if square else "amber"
    if square and any(read_boards(sight.under(lamp).small)):
        return None
    lit = lit_frames(observation.overview, lamp)
    if not lit:
        return None
    if lit[0].coarse is None:
        stretch = brief_stretch_s(lit, observation)
        looked = [clip for clip in observation.clips if stretch[0] <= middle_s(clip) < stretch[1]]
        return part_of(stretch, len(looked), 2)
    ahead = [one for one in lit if one.share > 0]
    return around(target_s(ahead[-1], observation), observation) if ahead else None


def find_sparse(observation: Observation) -> ZoomCall | None:
    """Looks at the middle of every gap of the overview, sixteen gaps a zoom."""
    sight = see(*observation.clips, observation.overview).under("amber")
    if any(sight.plates(symbols())):
        return None
    first = CLIP * len(observation.clips)
    last = min(first + CLIP, len(observation.overview.times_s) - 2)
    apart_s = step_s(observation)
    return ZoomCall((first + 0.5) * apart_s, (last + 0.5) * apart_s, 1 / apart_s)


def step_s(observation: Observation) -> float:
    """Returns the seconds between two frames of the overview."""
    return observation.overview.times_s[1]


def stretch_s(lit: list[Lit], observation: Observation) -> tuple[float, float]:
    """Returns the stretch in which a beacon may be lit that these frames of the overview show."""
    start_s = max(0.0, lit[0].time_s - step_s(observation))
    return start_s, min(observation.duration_s, lit[-1].time_s + step_s(observation))


def brief_stretch_s(lit: list[Lit], observation: Observation) -> tuple[float, float]:
    """Returns that stretch for a beacon that is known to be lit for no longer than MIN_LIT_S."""
    start_s, end_s = stretch_s(lit, observation)
    return max(start_s, lit[-1].time_s - MIN_LIT_S), min(end_s, lit[0].time_s + MIN_LIT_S)


def read_pulses(small: NDArray[np.float32]) -> list[str | None]:
    """Returns the pulse in each of the shrunken pictures."""
    return read_plates(small, pulses())


def narrow(lit: list[Lit], observation: Observation) -> ZoomCall | None:
    """Returns a zoom to where the beacon went on, unless two were made or it is known."""
    first = first_lit(lit, observation)
    if len(observation.clips) == 2 or first.time_s == 0:
        return None
    dark_s = dark_before(first, observation)
    return ZoomCall(dark_s, first.time_s, CLIP / (first.time_s - dark_s))


def to_target(lit: list[Lit], observation: Observation) -> ZoomCall | None:
    """Returns a zoom to where the countdown runs to, or else to just before it was first seen."""
    first = first_lit(lit, observation)
    if len(observation.clips) > 2:
        return None
    if first.share > 0:
        return around(target_s(first, observation), observation)
    dark_s = dark_before(first, observation)
    return ZoomCall(dark_s, first.time_s, CLIP / (first.time_s - dark_s))


def first_lit(lit: list[Lit], observation: Observation) -> Lit:
    """Returns the first of all frames with the amber beacon, lit being those of the overview."""
    more = [one for clip in observation.clips for one in lit_frames(clip)]
    return min([*more, *lit], key=lambda one: one.time_s)


def dark_before(first: Lit, observation: Observation) -> float:
    """Returns the time of the last frame that was seen before another one."""
    shown = (observation.overview, *observation.clips)
    seen_s = [time_s for frames in shown for time_s in frames.times_s]
    return max((time_s for time_s in seen_s if time_s < first.time_s), default=0.0)


def around(time_s: float, observation: Observation) -> ZoomCall:
    """Returns a zoom around a time, with room for an error."""
    start_s = max(0.0, time_s - BEFORE_S)
    return ZoomCall(start_s, start_s + 1.6, 10.0)


def part_of(stretch: tuple[float, float], part: int, num_parts: int) -> ZoomCall | None:
    """Returns a zoom into one of the equal parts of a stretch, or None past the last one."""
    start_s, end_s = stretch
    part_s = (end_s - start_s) / num_parts
    if part >= num_parts:
        return None
    return ZoomCall(start_s + part * part_s, start_s + (part + 1) * part_s, CLIP / part_s)


def frame_by_frame(stretch: tuple[float, float], part: int) -> ZoomCall | None:
    """Returns one of the zooms that show every frame of a stretch, or None past the last one."""
    start_s, end_s = stretch
    first = max(0, round(start_s * FPS)) + part * CLIP
    if first >= round(end_s * FPS) - 1:
        return None
    return ZoomCall((first + 0.5) / FPS, (first + 0.5 + CLIP) / FPS, FPS)


def is_dense(clip: Frames) -> bool:
    """Returns whether a clip shows every frame of its stretch, once."""
    return len(clip.times_s) < 2 or abs((clip.times_s[1] - clip.times_s[0]) * FPS - 1) < 0.01


def middle_s(clip: Frames) -> float:
    """Returns the time in the middle of a clip."""
    return (clip.times_s[0] + clip.times_s[-1]) / 2


SEARCHES: dict[str, Callable[[Observation], ZoomCall | None]] = {
    "flash": find_brief,
    "count": lambda observation: find_dense(observation, read_pulses),
    "order": find_brief,
    "motion": lambda observation: find_dense(observation, read_wheels),
    "relay": find_relayed,
    "sparse": find_sparse,
}
