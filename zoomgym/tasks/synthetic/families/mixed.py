"""The family `mixed`: a symbol that one of three tools tells, the question not saying which."""

from zoomgym.rules import CROP, TRANSCRIPT, ZOOM, Segment
from zoomgym.tasks.synthetic.families.spoken import speech
from zoomgym.tasks.synthetic.layout import AMBER, BLUE
from zoomgym.tasks.synthetic.marks import Beacon, Plate, Speck
from zoomgym.tasks.synthetic.plan import NUM_OPTIONS, Plan, Puzzle, Stretch

QUESTION = (
    "While the amber beacon is lit, one symbol shows for a moment, or tiny in the middle of the "
    "picture, or a voice names it. Which symbol is it?"
)
KINDS = (ZOOM, CROP, TRANSCRIPT)


def draw(plan: Plan) -> Puzzle:
    """A symbol shows briefly, or tiny, or is named, while the beacon is lit: which?

    Under blue beacons, others do, each in a way of its own.
    """
    names = plan.symbols()
    kind = str(plan.rng.choice(KINDS))
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    cues = speech(plan, lit, [], names)
    beacons, plates = [Beacon(*lit, AMBER)], list[Plate]()
    evidence = Segment(cues[0].start_s, cues[0].end_s)
    if kind != TRANSCRIPT:
        beacons, plates = _shown(plan, kind, lit, names[0])
        evidence, cues = plates[0].segment, cues[1:]
    for stretch in decoys:
        name = str(plan.rng.choice(names))
        lamps, others = _shown(plan, str(plan.rng.choice(KINDS[:2])), stretch, name)
        beacons += [Beacon(one.first, one.end, BLUE, one.targets, one.full) for one in lamps]
        plates += others
    scene = plan.large_scene(beacons, plates)
    return Puzzle(scene, QUESTION, names[0], tuple(names[1:NUM_OPTIONS]), (evidence,), cues)


def _shown(plan: Plan, kind: str, lit: Stretch, name: str) -> tuple[list[Beacon], list[Plate]]:
    """Draws a symbol that shows in a stretch, briefly or tiny, and the beacon that leads to it."""
    if kind == CROP:
        return [Beacon(*lit, AMBER)], [Speck(*lit, name)]
    signs = plan.brief_signs(lit, [name])
    return [plan.beacon(lit, AMBER, [sign.first for sign in signs])], [*signs]
