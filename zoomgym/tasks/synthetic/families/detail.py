"""The family `detail`: a symbol that is too small for any frame but a crop."""

from zoomgym.tasks.synthetic.layout import AMBER, BLUE
from zoomgym.tasks.synthetic.marks import Beacon, Speck
from zoomgym.tasks.synthetic.plan import NUM_OPTIONS, Plan, Puzzle

QUESTION = (
    "While the amber beacon is lit, a tiny symbol shows in the middle of the picture. "
    "Which symbol is it?"
)


def draw(plan: Plan) -> Puzzle:
    """A tiny symbol shows as long as the beacon is lit: which?

    Whole frames show it gray, at the default `max_pixels`. Others show under blue beacons.
    """
    names = plan.symbols()
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    speck = Speck(*lit, names[0])
    beacons = [Beacon(*lit, AMBER), *(Beacon(*stretch, BLUE) for stretch in decoys)]
    others = [Speck(*stretch, str(plan.rng.choice(names))) for stretch in decoys]
    scene = plan.large_scene(beacons, [speck, *others])
    return Puzzle(scene, QUESTION, names[0], tuple(names[1:NUM_OPTIONS]), (speck.segment,))
