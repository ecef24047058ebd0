"""What a family draws its scene from: when things may happen, so that they hide and can be found.

Brief events lie between the sample times of the default overview, and the beacon that leads to them
is lit long enough to be sampled. Where it is lit for too long to be searched, it counts down to the
event.
"""

import math
from bisect import bisect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from zoomgym.rules import Cue, Segment
from zoomgym.tasks.synthetic.difficulty import Difficulty
from zoomgym.tasks.synthetic.layout import AMBER, BLUE, FPS, SIGN_SIDE
from zoomgym.tasks.synthetic.marks import Beacon, Plate, Sign
from zoomgym.tasks.synthetic.scene import LargeScene, Scene
from zoomgym.tasks.synthetic.symbols import SYMBOLS, Color

Stretch = tuple[int, int]
"""Frames [first, end)."""

NUM_OPTIONS = 4
OVERVIEW_STEPS = 63
"""Steps between the samples of the default overview of 64 frames."""
MAX_EVENT_STEPS = 0.8
MIN_LIT_S = 4.0
SEARCHABLE_S = 8.0
"""64 clip frames find every event in so long a stretch, and where the stretch is, too."""
TWO_ZOOMS_S = 4.0
"""Two zooms find an event in so long a stretch, and two are left for what it asks for."""
COUNTDOWN_STEPS = 2
"""Overview steps to go when the coarse bar of a countdown is full."""
PAUSE = round(0.25 * FPS)
"""Frames between two events, and between an event and the edge of its beacon."""


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A scene with its question; the options still have to be put in order."""

    scene: Scene
    question: str
    right: str
    wrong: tuple[str, ...]
    evidence: tuple[Segment, ...]
    cues: tuple[Cue, ...] = ()
    """What is said in the video."""


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

    @property
    def samples(self) -> list[int]:
        """The frames that the default overview shows."""
        return _samples(self.num_frames)

    def symbols(self) -> list[str]:
        """Draws all symbols in random order."""
        return [str(name) for name in self.rng.permutation(list(self.difficulty.symbols))]

    def left(self) -> float:
        """Draws where a plate begins."""
        return float(self.rng.uniform(0, 1 - SIGN_SIDE))

    def event_length(self) -> int:
        """Draws how many frames a brief event lasts."""
        wanted = round(self.rng.uniform(*self.difficulty.event_s) * FPS)
        return max(1, min(wanted, int(MAX_EVENT_STEPS * self.step)))

    def lit_length(self) -> int:
        """Returns how many frames a beacon is lit."""
        wanted = max(MIN_LIT_S * FPS, self.difficulty.lit_steps * self.step)
        return min(math.ceil(wanted), self.num_frames)

    def lit_stretches(self, count: int, crowding: float = 0.5) -> list[Stretch]:
        """Draws up to count stretches of frames that do not overlap, in random order.

        Args:
            count: how many are wanted.
            crowding: the most of the video that they may fill.
        """
        length = self.lit_length()
        count = min(count, int(crowding * self.num_frames) // length)
        slack = self.num_frames - count * length
        offsets = np.sort(self.rng.integers(0, slack + 1, count))
        starts = [int(offset) + i * length for i, offset in enumerate(offsets)]
        return [(starts[i], starts[i] + length) for i in self.rng.permutation(count)]

    def event_starts(self, lit: Stretch, length: int) -> list[range]:
        """Returns the frames in lit at which an event of length hides from the overview."""
        first, last = lit[0] + PAUSE, lit[1] - PAUSE - length
        samples = self.samples
        near = slice(max(0, bisect(samples, first) - 1), bisect(samples, last + length) + 1)
        gaps = (
            range(max(before + 1, first), min(after - length, last) + 1)
            for before, after in pairwise(samples[near])
        )
        return [gap for gap in gaps if gap]

    def events(self, lit: Stretch, count: int) -> list[Stretch]:
        """Draws count brief events of one length that hide in lit, one after the other."""
        length = self.event_length()
        while not _fit(self.event_starts(lit, length), count, length + PAUSE):
            length -= 1
        starts = self.event_starts(lit, length)
        while True:
            chosen = sorted(
                pick(starts, int(i)) for i in self.rng.integers(0, sum(map(len, starts)), count)
            )
            if all(b - a >= length + PAUSE for a, b in pairwise(chosen)):
                return [(start, start + length) for start in chosen]

    def brief_signs(self, lit: Stretch, symbols: Sequence[str]) -> list[Sign]:
        """Draws brief signs of symbols, one after the other, hidden from the overview, in lit."""
        events = self.events(lit, len(symbols))
        return [
            Sign(*event, name, self.left()) for event, name in zip(events, symbols, strict=True)
        ]

    def beacon(
        self, lit: Stretch, color: Color, targets: Sequence[int], searchable_s: float = SEARCHABLE_S
    ) -> Beacon:
        """Returns a beacon; one that is lit for too long to search counts down to its targets."""
        counts_down = lit[1] - lit[0] > searchable_s * FPS
        full = math.ceil(COUNTDOWN_STEPS * self.step)
        return Beacon(*lit, color, tuple(targets) if counts_down else (), full)

    def brief_puzzle(self, num_signs: int, question: str) -> Puzzle:
        """Draws brief signs under an amber beacon, and asks for the first of them."""
        names = self.symbols()
        lit, *decoys = self.lit_stretches(1 + self.difficulty.num_decoys)
        signs = self.brief_signs(lit, names[:num_signs])
        beacons = [self.beacon(lit, AMBER, [sign.first for sign in signs])]
        plates: list[Plate] = [*signs]
        for stretch in decoys:  # of all symbols, or those that show here could be struck out
            shown = [str(name) for name in self.rng.permutation(names)[:num_signs]]
            misleading = self.brief_signs(stretch, shown)
            beacons.append(self.beacon(stretch, BLUE, [sign.first for sign in misleading]))
            plates += misleading
        return Puzzle(
            self.scene(beacons, plates),
            question,
            names[0],
            tuple(names[1:NUM_OPTIONS]),
            tuple(sign.segment for sign in signs),
        )

    def scene(self, beacons: Sequence[Beacon], plates: Sequence[Plate]) -> Scene:
        """Returns the scene of these beacons and plates."""
        return self._scene(Scene, beacons, plates)

    def large_scene(self, beacons: Sequence[Beacon], plates: Sequence[Plate]) -> Scene:
        """Returns the scene of these beacons and plates, some of which may be tiny."""
        return self._scene(LargeScene, beacons, plates)

    def _scene(
        self, kind: type[Scene], beacons: Sequence[Beacon], plates: Sequence[Plate]
    ) -> Scene:
        contrast = self.difficulty.contrast
        return kind(self.seed, self.num_frames, tuple(beacons), tuple(plates), contrast)


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of synthetic task."""

    draw: Callable[[Plan], Puzzle]
    question: str
    """The text of every question, or how they all begin: it tells nothing of the answer."""
    answers: tuple[str, ...] = tuple(SYMBOLS)
    """What options can say."""
    needs_every_frame: bool = False
    """Whether all pictures of the evidence must be seen: slower looks are misled."""
    tools: tuple[str, ...] = ()
    """Tools that it needs."""
    is_only_drawn: bool = False
    """Whether a codec would lose what it shows, so that there are no files."""
    is_voiced: bool = False
    """Whether its videos have a transcript even though no answer needs it."""


@lru_cache(maxsize=64)
def _samples(num_frames: int) -> list[int]:
    """Returns which of num_frames frames the default overview shows."""
    return [k * (num_frames - 1) // OVERVIEW_STEPS for k in range(OVERVIEW_STEPS + 1)]


def pick(ranges: Sequence[range], index: int) -> int:
    """Returns the number at index of all the ranges, one after the other."""
    for numbers in ranges:
        if index < len(numbers):
            return numbers[index]
        index -= len(numbers)
    raise IndexError(f"the ranges hold {sum(map(len, ranges))} numbers, needed {index} more")


def _fit(starts: Sequence[range], count: int, apart: int) -> bool:
    """Returns whether count of the starts are so far apart."""
    found, earliest = 0, -1
    for numbers in starts:
        first = max(numbers.start, earliest)
        while first in numbers and found < count:
            found, first = found + 1, first + apart
            earliest = first
    return found >= count
