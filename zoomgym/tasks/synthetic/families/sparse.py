"""The family `sparse`: an event that the overview misses."""

import math

from zoomgym.tasks.synthetic.layout import AMBER, BLUE
from zoomgym.tasks.synthetic.marks import Beacon, Sign
from zoomgym.tasks.synthetic.plan import NUM_OPTIONS, Plan, Puzzle

QUESTION = (
    "The amber beacon is lit once, for so short a time that the overview misses it. "
    "Which symbol shows meanwhile?"
)
EVENT_STEPS = (0.6, 0.9)
"""Overview steps that an event lasts: more than half, so that mid-gap finds it."""


def draw(plan: Plan) -> Puzzle:
    """A symbol shows, and the beacon is lit with it, between two samples of the overview: which?

    What is not asked for shows in the same way under blue beacons, each in a gap of its own. The
    last gap stays empty: a zoom at one frame a gap ends a whole gap after its last frame.
    """
    names = plan.symbols()
    gaps = plan.rng.permutation(len(plan.samples) - 2)[: 1 + plan.difficulty.num_decoys]
    beacons: list[Beacon] = []
    signs: list[Sign] = []
    for index, gap in enumerate(gaps):
        before, after = plan.samples[gap], plan.samples[gap + 1]
        wanted = math.ceil(plan.rng.uniform(*EVENT_STEPS) * plan.step)
        length = min(wanted, int(EVENT_STEPS[1] * plan.step), after - before - 1)
        first = int(plan.rng.integers(before + 1, after - length + 1))
        symbol = names[0] if index == 0 else str(plan.rng.choice(names))
        beacons.append(Beacon(first, first + length, BLUE if index else AMBER))
        signs.append(Sign(first, first + length, symbol, plan.left()))
    scene = plan.scene(beacons, signs)
    return Puzzle(scene, QUESTION, names[0], tuple(names[1:NUM_OPTIONS]), (signs[0].segment,))
