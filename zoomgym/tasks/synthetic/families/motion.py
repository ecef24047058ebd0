"""The family `motion`: a wheel turns, and slower looks see it turn the wrong way."""

import math

from zoomgym.tasks.synthetic.layout import AMBER, BLUE
from zoomgym.tasks.synthetic.marks import Plate, Wheel
from zoomgym.tasks.synthetic.plan import TWO_ZOOMS_S, Plan, Puzzle, Stretch

QUESTION = "While the amber beacon is lit, a wheel turns for a moment. Which way does it turn?"
ANSWERS = ("clockwise", "counter-clockwise")
SLOWEST, FASTEST = 0.04, 0.46
"""Turns a frame. At half a turn both directions would look alike."""


def draw(plan: Plan) -> Puzzle:
    """A marked wheel turns: clockwise or counter-clockwise?

    Its speed in turns a frame, a, is drawn with a density of sin(2 pi a), from 0 to 1/2. Then
    what is left of m * a whole turns, for every m from 2 up, is as often short of a turn as past
    one: an agent that sees only every m-th frame sees the same in both directions, however well it
    knows the rule. (The sine is orthogonal to its harmonics; cutting it at both ends spoils 3%.)
    """
    right, wrong = (ANSWERS[int(i)] for i in plan.rng.permutation(2))
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    wheel = _wheel(plan, lit, right)
    beacons = [plan.beacon(lit, AMBER, [wheel.first], TWO_ZOOMS_S)]
    plates: list[Plate] = [wheel]
    for stretch in decoys:
        misleading = _wheel(plan, stretch, ANSWERS[int(plan.rng.integers(2))])
        beacons.append(plan.beacon(stretch, BLUE, [misleading.first], TWO_ZOOMS_S))
        plates.append(misleading)
    return Puzzle(plan.scene(beacons, plates), QUESTION, right, (wrong,), (wheel.segment,))


def _wheel(plan: Plan, lit: Stretch, direction: str) -> Wheel:
    """Draws a wheel that turns for a moment in lit, hidden from the overview."""
    [event] = plan.events(lit, 1)
    sign = 1 if direction == ANSWERS[0] else -1
    phase = float(plan.rng.uniform(0, 1))
    return Wheel(*event, phase, sign * _speed(plan), plan.left())


def _speed(plan: Plan) -> float:
    """Draws turns a frame, with a density of sin(2 pi speed)."""
    low, high = (math.cos(2 * math.pi * speed) for speed in (SLOWEST, FASTEST))
    return round(math.acos(float(plan.rng.uniform(high, low))) / (2 * math.pi), 9)
