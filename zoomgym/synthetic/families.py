"""The families of synthetic tasks: how a seed becomes a scene, a question and its evidence.

Every family is solvable within the default rules, none from what the overview happens to show (but
for `overview`): brief events lie between the sample times of the default overview, and the beacon
that leads to them is lit long enough to be sampled. Where it is lit for too long to be searched, it
counts down to the event.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from zoomgym.synthetic.scene import AMBER, BLUE, FPS, SIGN_SIDE, Beacon, Scene, Sign
from zoomgym.synthetic.symbols import SYMBOLS
from zoomgym.timeline import Segment

__all__ = ["DIFFICULTIES", "FAMILIES", "NUM_OPTIONS", "OVERVIEW_QUESTION", "Difficulty", "Puzzle"]

NUM_OPTIONS = 4
OVERVIEW_STEPS = 63
"""Steps between the samples of the default overview of 64 frames."""
MAX_EVENT_STEPS = 0.8
MIN_LIT_S = 4.0
SEARCHABLE_S = 8.0
"""64 clip frames find every event in so long a stretch, and where the stretch is, too."""
COUNTDOWN_STEPS = 2
"""Overview steps to go when the coarse bar of a countdown is full."""
ROUNDS = 2
"""Of the family `overview`: each symbol shows about so many times."""
OVERVIEW_QUESTION = (
    "Symbols show one after the other, always in the same order. Which symbol comes right after the"
)
MIN_PAUSE_S = 0.25
"""Between two events, and between an event and the edge of its beacon."""


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What makes a synthetic task hard, but for its duration."""

    event_s: tuple[float, float]
    """Shortest and longest brief event, before the bound of 0.8 overview steps."""
    lit_steps: float
    """How long a beacon is lit, in overview steps (at least 4 s, and at least 1 step)."""
    num_decoys: int
    """Blue beacons, as many as fit, each with symbols that are not asked for."""
    contrast: float
    """Opacity of the symbols."""


DIFFICULTIES = {
    "easy": Difficulty(event_s=(0.7, 1.0), lit_steps=1.5, num_decoys=0, contrast=1.0),
    "medium": Difficulty(event_s=(0.5, 0.8), lit_steps=1.4, num_decoys=2, contrast=0.9),
    "hard": Difficulty(event_s=(0.3, 0.5), lit_steps=1.3, num_decoys=4, contrast=0.8),
}


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A scene with its question; the options still have to be put in order."""

    scene: Scene
    question: str
    right: str
    wrong: tuple[str, ...]
    evidence: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a family draws its scene from."""

    rng: np.random.Generator
    seed: int
    num_frames: int
    difficulty: Difficulty

    @property
    def step(self) -> float:
        """Frames between two samples of the default overview."""
        return (self.num_frames - 1) / OVERVIEW_STEPS

    def event_length(self) -> int:
        """Draws how many frames a brief event lasts."""
        wanted = round(self.rng.uniform(*self.difficulty.event_s) * FPS)
        return max(1, min(wanted, int(MAX_EVENT_STEPS * self.step)))

    def lit_length(self) -> int:
        """Returns how many frames a beacon is lit."""
        wanted = max(MIN_LIT_S * FPS, self.difficulty.lit_steps * self.step)
        return min(math.ceil(wanted), self.num_frames)

    def event_starts(self, lit: tuple[int, int], length: int) -> list[int]:
        """Returns every frame in lit at which an event of length hides from the overview."""
        samples = [k * (self.num_frames - 1) // OVERVIEW_STEPS for k in range(OVERVIEW_STEPS + 1)]
        pause = round(MIN_PAUSE_S * FPS)
        first, last = lit[0] + pause, lit[1] - pause - length
        return [
            start
            for before, after in pairwise(samples)
            for start in range(max(before + 1, first), min(after - length, last) + 1)
        ]

    def lit_stretches(self, count: int) -> list[tuple[int, int]]:
        """Draws up to count stretches of frames that do not overlap, in random order."""
        length = self.lit_length()
        count = min(count, self.num_frames // (2 * length))
        slack = self.num_frames - count * length
        offsets = np.sort(self.rng.integers(0, slack + 1, count))
        starts = [int(offset) + i * length for i, offset in enumerate(offsets)]
        return [(starts[i], starts[i] + length) for i in self.rng.permutation(count)]

    def sign(self, start: int, length: int, symbol: str) -> Sign:
        """Returns a sign at a random place."""
        return Sign(start, start + length, symbol, float(self.rng.uniform(0, 1 - SIGN_SIDE)))

    def scene(self, beacons: Sequence[Beacon], signs: Sequence[Sign]) -> Scene:
        """Returns the scene of these beacons and signs."""
        return Scene(
            self.seed, self.num_frames, tuple(beacons), tuple(signs), self.difficulty.contrast
        )

    def beacon(
        self, lit: tuple[int, int], color: tuple[int, int, int], signs: Sequence[Sign]
    ) -> Beacon:
        """Returns a beacon; one that is lit for too long to search counts down to its signs."""
        counts_down = lit[1] - lit[0] > SEARCHABLE_S * FPS
        targets = tuple(sign.first for sign in signs) if counts_down else ()
        return Beacon(*lit, color, targets, math.ceil(COUNTDOWN_STEPS * self.step))

    def brief_signs(self, lit: tuple[int, int], symbols: Sequence[str]) -> list[Sign]:
        """Draws brief signs of symbols, one after the other, hidden from the overview, in lit."""
        length = self.event_length()
        apart = length + round(MIN_PAUSE_S * FPS)
        starts = self.event_starts(lit, length)
        while True:
            chosen = sorted(int(start) for start in self.rng.choice(starts, len(symbols)))
            if all(b - a >= apart for a, b in pairwise(chosen)):
                return [self.sign(s, length, name) for s, name in zip(chosen, symbols, strict=True)]


def _brief(plan: Plan, num_signs: int, question: str) -> Puzzle:
    """Returns a puzzle of brief signs under an amber beacon: the first one is asked for."""
    names = [str(name) for name in plan.rng.permutation(list(SYMBOLS))]
    right, wrong = names[0], names[1:NUM_OPTIONS]
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    signs = plan.brief_signs(lit, names[:num_signs])
    beacons = [plan.beacon(lit, AMBER, signs)]
    misleading: list[Sign] = []
    for stretch in decoys:  # of all symbols, lest those that show here could be struck out
        shown = plan.brief_signs(
            stretch, [str(name) for name in plan.rng.permutation(names)[:num_signs]]
        )
        beacons.append(plan.beacon(stretch, BLUE, shown))
        misleading += shown
    evidence = tuple(sign.segment for sign in signs)
    return Puzzle(
        plan.scene(beacons, [*signs, *misleading]), question, right, tuple(wrong), evidence
    )


def _flash(plan: Plan) -> Puzzle:
    """A symbol shows briefly while the beacon is lit: which?"""
    return _brief(
        plan, 1, "While the amber beacon is lit, one symbol shows briefly. Which symbol is it?"
    )


def _order(plan: Plan) -> Puzzle:
    """Two symbols show briefly while the beacon is lit: which comes first?"""
    return _brief(
        plan,
        2,
        "While the amber beacon is lit, two symbols show briefly, one after the other. "
        "Which symbol comes first?",
    )


def _overview(plan: Plan) -> Puzzle:
    """Symbols follow each other in a round, each so long that the overview holds it.

    Which one comes after another can be read from the overview: zooming is waste. It cannot be read
    from any one frame, whose symbol is the right one as often as any other option.
    """
    names = [str(name) for name in plan.rng.permutation(list(SYMBOLS))[: NUM_OPTIONS + 1]]
    before, right = names[0], names[1]
    length = plan.num_frames // (ROUNDS * len(names))
    phase = int(plan.rng.integers(length * len(names)))
    signs = [
        plan.sign(max(0, start), min(start + length, plan.num_frames) - max(0, start), name)
        for turn in range(ROUNDS + 2)
        for index, name in enumerate(names)
        if -length < (start := (turn * len(names) + index) * length - phase) < plan.num_frames
    ]
    pair = next(
        (one, other)
        for one, other in pairwise(signs)
        if (one.symbol, one.end - one.first, other.end - other.first) == (before, length, length)
    )
    question = f"{OVERVIEW_QUESTION} {before}?"
    return Puzzle(
        plan.scene((), signs),
        question,
        right,
        tuple(str(name) for name in plan.rng.permutation(names[2:])),
        (Segment(pair[0].segment.start_s, pair[1].segment.end_s),),
    )


FAMILIES: dict[str, Callable[[Plan], Puzzle]] = {
    "flash": _flash,
    "order": _order,
    "overview": _overview,
}
