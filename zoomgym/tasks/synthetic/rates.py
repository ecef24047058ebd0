"""Families that have to be seen at a high rate, `count` and `motion`: slower looks are misled."""

import math
from functools import cache
from itertools import combinations

from zoomgym.rules.timeline import Segment
from zoomgym.tasks.synthetic.layout import AMBER, BLUE, FPS
from zoomgym.tasks.synthetic.marks import Beacon, Plate, Sign, Wheel
from zoomgym.tasks.synthetic.plan import PAUSE, Plan, Puzzle, Stretch
from zoomgym.tasks.synthetic.questions import COUNT, DIRECTIONS, MOTION

__all__ = ["count", "motion"]

NUM_PULSES = 7
RED_COUNTS = (2, 3, 4, 5)
"""As many options, always the same; red and blue are alike."""
TRAIN_FRAMES = 16
"""What one zoom of the default rules shows, frame by frame."""
SLOWEST, FASTEST = 0.04, 0.46
"""Turns a frame. At half a turn both directions would look alike."""
SEARCHABLE_S = 4.0
"""Two zooms find the event in so long a stretch, and two are left to see every frame of it."""


def count(plan: Plan) -> Puzzle:
    """Seven pulses of one frame each, red and blue, within 16 frames: how many are red?

    As a pulse lasts one frame, whoever skips frames misses some. Each avoids the samples of the
    overview. Their number is fixed and both colours are equally bright, so that neither the size of
    a file nor the brightness of a picture tells anything.
    """
    right = int(plan.rng.choice(RED_COUNTS))
    wrong = [int(number) for number in plan.rng.permutation(RED_COUNTS) if number != right]
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    pulses = _train(plan, lit, right)
    beacons = [_beacon(plan, lit, pulses[0].first)]
    plates: list[Plate] = [*pulses]
    for stretch in decoys:
        misleading = _train(plan, stretch, int(plan.rng.choice(RED_COUNTS)))
        beacons.append(_beacon(plan, stretch, misleading[0].first, is_decoy=True))
        plates += misleading
    evidence = Segment(pulses[0].first / FPS, pulses[-1].end / FPS)
    scene = plan.scene(beacons, plates)
    return Puzzle(scene, COUNT, str(right), tuple(map(str, wrong)), (evidence,))


def motion(plan: Plan) -> Puzzle:
    """A marked wheel turns: clockwise or counter-clockwise?

    Its speed in turns a frame, a, is drawn with a density of sin(2 pi a), from 0 to 1/2. Then
    what is left of m * a whole turns, for every m from 2 up, is as often short of a turn as past
    one: whoever sees every m-th frame only sees the same in both directions, however well the rule
    is known. (The sine is orthogonal to its harmonics; cutting it at both ends spoils 3%.)
    """
    right, wrong = (DIRECTIONS[int(i)] for i in plan.rng.permutation(2))
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    wheel = _wheel(plan, lit, right)
    beacons = [_beacon(plan, lit, wheel.first)]
    plates: list[Plate] = [wheel]
    for stretch in decoys:
        misleading = _wheel(plan, stretch, DIRECTIONS[int(plan.rng.integers(2))])
        beacons.append(_beacon(plan, stretch, misleading.first, is_decoy=True))
        plates.append(misleading)
    return Puzzle(plan.scene(beacons, plates), MOTION, right, (wrong,), (wheel.segment,))


def _beacon(plan: Plan, lit: Stretch, target: int, is_decoy: bool = False) -> Beacon:
    """Returns the beacon of an event that begins at target."""
    return plan.beacon(lit, BLUE if is_decoy else AMBER, [target], SEARCHABLE_S)


def _train(plan: Plan, lit: Stretch, num_red: int) -> list[Sign]:
    """Draws a train of pulses in lit, num_red of them red, all at one place."""
    first = int(plan.rng.integers(lit[0] + PAUSE, lit[1] - PAUSE - TRAIN_FRAMES + 1))
    samples = {sample - first for sample in plan.samples}
    hidden = [train for train in _trains() if samples.isdisjoint(train)]
    train = hidden[int(plan.rng.integers(len(hidden)))]
    names = ["red pulse"] * num_red + ["blue pulse"] * (NUM_PULSES - num_red)
    left = plan.left()
    return [
        Sign(first + offset, first + offset + 1, str(name), left)
        for offset, name in zip(train, plan.rng.permutation(names), strict=True)
    ]


@cache
def _trains() -> list[tuple[int, ...]]:
    """Returns every choice of frames for the pulses of a train, no two of them side by side."""
    slack = range(TRAIN_FRAMES - NUM_PULSES + 1)
    return [
        tuple(offset + i for i, offset in enumerate(offsets))
        for offsets in combinations(slack, NUM_PULSES)
    ]


def _wheel(plan: Plan, lit: Stretch, direction: str) -> Wheel:
    """Draws a wheel that turns for a moment in lit, hidden from the overview."""
    [event] = plan.events(lit, 1)
    sign = 1 if direction == DIRECTIONS[0] else -1
    phase = float(plan.rng.uniform(0, 1))
    return Wheel(*event, phase, sign * _speed(plan), plan.left())


def _speed(plan: Plan) -> float:
    """Draws turns a frame, with a density of sin(2 pi speed)."""
    low, high = (math.cos(2 * math.pi * speed) for speed in (SLOWEST, FASTEST))
    return round(math.acos(float(plan.rng.uniform(high, low))) / (2 * math.pi), 9)
