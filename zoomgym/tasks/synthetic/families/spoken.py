"""The family `spoken`: only the transcript says the answer."""

from zoomgym.rules import Cue, Segment
from zoomgym.tasks.synthetic.layout import AMBER, BLUE, FPS
from zoomgym.tasks.synthetic.marks import Beacon
from zoomgym.tasks.synthetic.plan import NUM_OPTIONS, Plan, Puzzle, Stretch

QUESTION = "While the amber beacon is lit, a voice names one symbol. Which symbol is it?"


def draw(plan: Plan) -> Puzzle:
    """A voice names a symbol while the beacon is lit: which?

    Every symbol is named once in the video, so the transcript alone does not tell which is asked
    for. Blue beacons are lit while others are named.
    """
    names = plan.symbols()
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    cues = speech(plan, lit, decoys, names)
    beacons = [Beacon(*lit, AMBER), *(Beacon(*stretch, BLUE) for stretch in decoys)]
    evidence = Segment(cues[0].start_s, cues[0].end_s)
    wrong = tuple(names[1:NUM_OPTIONS])
    return Puzzle(plan.scene(beacons, ()), QUESTION, names[0], wrong, (evidence,), cues)


def speech(plan: Plan, lit: Stretch, decoys: list[Stretch], names: list[str]) -> tuple[Cue, ...]:
    """Draws when a voice names each symbol: the first in lit, others away from it.

    As many others as there are decoys are named in these, where that is away from lit. The
    overview shows lit up to one step too short or too long, so others keep that far from it.
    """
    first = int(plan.rng.integers(lit[0], lit[1] - CUE_FRAMES + 1))
    slots = [
        start
        for start in range(0, plan.num_frames - CUE_FRAMES + 1, CUE_FRAMES)
        if start + CUE_FRAMES < lit[0] - plan.step or start > lit[1] + plan.step
    ]
    starts: list[int] = []
    for stretch in decoys[: len(names) - 1]:
        inside = [slot for slot in slots if stretch[0] <= slot and slot + CUE_FRAMES <= stretch[1]]
        starts += [int(slot) for slot in plan.rng.permutation(inside)[:1]]
    free = [slot for slot in slots if slot not in starts]
    starts += [int(slot) for slot in plan.rng.permutation(free)[: len(names) - 1 - len(starts)]]
    return tuple(_cue(start, name) for start, name in zip([first, *starts], names, strict=True))


CUE_FRAMES = round(1.5 * FPS)
"""How long a voice takes to name a symbol."""


def _cue(start: int, name: str) -> Cue:
    return Cue(start / FPS, (start + CUE_FRAMES) / FPS, f"This is the {name}.")
