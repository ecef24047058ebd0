"""Answers questions about synthetic video from nothing but what was shown and said.

All baselines that answer from pictures share this reader, so that they differ only in where they
look. It knows every question, but only what the agent sees of a task.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby, pairwise
from math import pi, sin

import numpy as np
from numpy.typing import NDArray

from agents.synthetic import pictures
from agents.synthetic.pictures import Thing, Vocabulary
from zoomgym.agent import Frames, Observation
from zoomgym.grading import letter
from zoomgym.rules import CROP, TRANSCRIPT, Turn
from zoomgym.tasks import EVERY_FAMILY, FPS, family_of
from zoomgym.tasks.synthetic.families import motion, overview

SAME_RATE = 1.01
"""Intervals between frames that differ by less than this factor count as equal."""
FRAME_S = 1 / FPS
"""Seconds of one frame: wheels turn between frames of the video, not within one."""


@dataclass(frozen=True)
class Sight:
    """All frames that an agent was shown, in order of time."""

    times_s: NDArray[np.float64]
    small: NDArray[np.float32]
    """Shrunken pictures, (N, side, side, 3)."""
    beacons: tuple[str | None, ...]

    def under(self, beacon: str | None) -> "Sight":
        """Returns the frames in which a beacon is lit."""
        chosen = [i for i, name in enumerate(self.beacons) if name == beacon]
        return Sight(self.times_s[chosen], self.small[chosen], (beacon,) * len(chosen))

    def plates(self, vocabulary: Vocabulary[Thing]) -> list[Thing | None]:
        """Returns what the plate in each frame shows."""
        return pictures.read_plates(self.small, vocabulary)


def see(*shown: Frames) -> Sight:
    """Returns all these frames in order of time."""
    times_s = np.concatenate([frames.times_s for frames in shown])
    small = np.concatenate([pictures.shrink(frames) for frames in shown])
    order = np.argsort(times_s, kind="stable")
    small = small[order]
    return Sight(times_s[order], small, tuple(pictures.read_beacons(small)))


def choose_option(observation: Observation) -> str | None:
    """Returns the letter of the option that the frames support, if any."""
    found = read_option(observation)
    return None if found is None else letter(observation.options.index(found))


def read_option(observation: Observation) -> str | None:
    """Returns the option that words or frames support, if any. Without any, none is."""
    if told := _heard(observation) or _magnified(observation):
        return told
    clips = [clip for clip, turn in shown_in(observation) if not turn.crop]
    if not observation.overview.times_s and not clips:
        return None
    read = READERS.get(family_of(observation.question), _first_symbol)
    found = read(see(observation.overview, *clips), observation)
    return found if found in observation.options else None


def _heard(observation: Observation) -> str | None:
    """Returns the option that was said where the agent asked, in families that need it."""
    return option_said(observation) if TRANSCRIPT in _tools_for(observation) else None


def option_said(observation: Observation) -> str | None:
    """Returns the option that was said where the agent asked, if no other one was."""
    words = "\n".join(turn.told for turn in observation.turns)
    said = [option for option in observation.options if words and option in words]
    return said[0] if len(said) == 1 else None


def _magnified(observation: Observation) -> str | None:
    """Returns the option that a crop shows, if any."""
    if CROP not in _tools_for(observation):
        return None
    crops = [clip for clip, turn in shown_in(observation) if turn.crop]
    seen = [pictures.read_speck(image) for clip in crops for image in clip.images]
    return next((symbol for symbol in seen if symbol in observation.options), None)


def _tools_for(observation: Observation) -> tuple[str, ...]:
    """Returns the tools that the family of a question needs."""
    family = EVERY_FAMILY.get(family_of(observation.question))
    return () if family is None else family.tools


def shown_in(observation: Observation) -> list[tuple[Frames, Turn]]:
    """Returns the clips, each with its turn."""
    turns = [turn for turn in observation.turns if turn.shown]
    return list(zip(observation.clips, turns, strict=True))


def _first_symbol(sight: Sight, observation: Observation) -> str | None:
    """Returns the first offered symbol under the amber beacon."""
    seen = sight.under("amber").plates(pictures.symbols())
    return next((symbol for symbol in seen if symbol in observation.options), None)


def _next_symbol(sight: Sight, observation: Observation) -> str | None:
    """Returns the symbol that follows the one in the question."""
    before = observation.question.removeprefix(overview.QUESTION).strip(" ?")
    seen = [symbol for symbol in sight.plates(pictures.symbols()) if symbol]
    return next((other for one, other in pairwise(seen) if one == before != other), None)


def _count_red(sight: Sight, observation: Observation) -> str | None:
    """Returns how many red pulses were seen; consecutive frames of one color count once."""
    seen = sight.under("amber").plates(pictures.pulses())
    return str([pulse for pulse, _ in groupby(seen)].count("red pulse"))


def _direction(sight: Sight, observation: Observation) -> str | None:
    """Returns which way the wheel seems to turn, if it makes less than half a turn each time.

    Only frames as close as the closest pair are compared.
    """
    lit = sight.under("amber")
    angles = pictures.read_wheels(lit.small)
    seen = [
        (float(time_s), angle)
        for time_s, angle in zip(lit.times_s, angles, strict=True)
        if angle is not None
    ]
    pairs = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(seen) if b[0] > a[0]]
    nearest_s = max(FRAME_S, min((apart_s for apart_s, _ in pairs), default=0))
    turned = sum(
        sin(2 * pi * turns) for apart_s, turns in pairs if apart_s <= SAME_RATE * nearest_s
    )
    return None if turned == 0 else motion.ANSWERS[0 if turned > 0 else 1]


def _relayed(sight: Sight, observation: Observation) -> str | None:
    """Returns the symbol at the place, and under the beacon, that the colored square shows."""
    square = relay_square(sight)
    if square is None:
        return None
    place, lamp = square
    boards = pictures.read_boards(sight.under(lamp).small)
    seen = [board[place] for board in boards if board and set(board) == set(observation.options)]
    return max(seen, key=seen.count, default=None)


def relay_square(sight: Sight) -> tuple[int, str] | None:
    """Returns place and color of the square under the amber beacon, if it was seen."""
    seen = [found for found in sight.under("amber").plates(pictures.squares()) if found]
    return max(seen, key=seen.count, default=None)


READERS: dict[str, Callable[[Sight, Observation], str | None]] = {
    "count": _count_red,
    "motion": _direction,
    "overview": _next_symbol,
    "relay": _relayed,
}
