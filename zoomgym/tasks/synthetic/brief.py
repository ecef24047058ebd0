"""Families whose answer is a symbol that shows briefly: `flash`, `order` and `sparse`."""

import math

from zoomgym.tasks.synthetic.layout import AMBER, BLUE
from zoomgym.tasks.synthetic.marks import Beacon, Plate, Sign
from zoomgym.tasks.synthetic.plan import NUM_OPTIONS, Plan, Puzzle
from zoomgym.tasks.synthetic.questions import FLASH, ORDER, SPARSE

__all__ = ["flash", "order", "sparse"]

SPARSE_STEPS = (0.6, 0.9)
"""Overview steps that a sparse event lasts: more than half, so that mid-gap finds it."""


def flash(plan: Plan) -> Puzzle:
    """A symbol shows briefly while the beacon is lit: which?"""
    return _brief(plan, 1, FLASH)


def order(plan: Plan) -> Puzzle:
    """Two symbols show briefly while the beacon is lit: which comes first?"""
    return _brief(plan, 2, ORDER)


def sparse(plan: Plan) -> Puzzle:
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
        wanted = math.ceil(plan.rng.uniform(*SPARSE_STEPS) * plan.step)
        length = min(wanted, int(SPARSE_STEPS[1] * plan.step), after - before - 1)
        first = int(plan.rng.integers(before + 1, after - length + 1))
        symbol = names[0] if index == 0 else str(plan.rng.choice(names))
        beacons.append(Beacon(first, first + length, BLUE if index else AMBER))
        signs.append(Sign(first, first + length, symbol, plan.left()))
    scene = plan.scene(beacons, signs)
    return Puzzle(scene, SPARSE, names[0], tuple(names[1:NUM_OPTIONS]), (signs[0].segment,))


def _brief(plan: Plan, num_signs: int, question: str) -> Puzzle:
    """Returns a puzzle of brief signs under an amber beacon: the first one is asked for."""
    names = plan.symbols()
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    signs = plan.brief_signs(lit, names[:num_signs])
    beacons = [plan.beacon(lit, AMBER, [sign.first for sign in signs])]
    plates: list[Plate] = [*signs]
    for stretch in decoys:  # of all symbols, lest those that show here could be struck out
        shown = [str(name) for name in plan.rng.permutation(names)[:num_signs]]
        misleading = plan.brief_signs(stretch, shown)
        beacons.append(plan.beacon(stretch, BLUE, [sign.first for sign in misleading]))
        plates += misleading
    return Puzzle(
        plan.scene(beacons, plates),
        question,
        names[0],
        tuple(names[1:NUM_OPTIONS]),
        tuple(sign.segment for sign in signs),
    )
