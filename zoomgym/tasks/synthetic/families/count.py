"""The family `count`: pulses of two colors, one frame each."""

from functools import cache
from itertools import combinations

from zoomgym.rules import Segment
from zoomgym.tasks.synthetic.layout import AMBER, BLUE, FPS
from zoomgym.tasks.synthetic.marks import Plate, Sign
from zoomgym.tasks.synthetic.plan import PAUSE, TWO_ZOOMS_S, Plan, Puzzle, Stretch

QUESTION = (
    "While the amber beacon is lit, seven brief pulses of light show, each of them red or blue. "
    "How many are red?"
)
NUM_PULSES = 7
RED_COUNTS = (2, 3, 4, 5)
"""The options, always the same four; red and blue are alike."""
ANSWERS = tuple(map(str, RED_COUNTS))
TRAIN_FRAMES = 16
"""What one zoom of the default rules shows, frame by frame."""


def draw(plan: Plan) -> Puzzle:
    """Seven pulses of one frame each, red and blue, within 16 frames: how many are red?

    A pulse lasts one frame, so an agent that skips frames misses some. Each avoids the samples of
    the overview. Their number is fixed and both colors are equally bright, so neither the size of a
    file nor the brightness of a picture tells anything.
    """
    right = int(plan.rng.choice(RED_COUNTS))
    wrong = [int(number) for number in plan.rng.permutation(RED_COUNTS) if number != right]
    lit, *decoys = plan.lit_stretches(1 + plan.difficulty.num_decoys)
    pulses = _train(plan, lit, right)
    beacons = [plan.beacon(lit, AMBER, [pulses[0].first], TWO_ZOOMS_S)]
    plates: list[Plate] = [*pulses]
    for stretch in decoys:
        misleading = _train(plan, stretch, int(plan.rng.choice(RED_COUNTS)))
        beacons.append(plan.beacon(stretch, BLUE, [misleading[0].first], TWO_ZOOMS_S))
        plates += misleading
    evidence = Segment(pulses[0].first / FPS, pulses[-1].end / FPS)
    scene = plan.scene(beacons, plates)
    return Puzzle(scene, QUESTION, str(right), tuple(map(str, wrong)), (evidence,))


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
