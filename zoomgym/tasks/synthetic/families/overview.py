"""The family `overview`: the overview itself holds the answer, and zooming is waste."""

from itertools import pairwise

from zoomgym.rules import Segment
from zoomgym.tasks.synthetic.marks import Sign
from zoomgym.tasks.synthetic.plan import NUM_OPTIONS, Plan, Puzzle

QUESTION = (
    "Symbols show one after the other, always in the same order. Which symbol comes right after the"
)
"""How every question begins; it ends with the name of a symbol and a question mark."""
ROUNDS = 2
"""Each symbol shows about so many times."""


def draw(plan: Plan) -> Puzzle:
    """Symbols follow each other in a round, each so long that the overview holds it.

    Which one comes after another can be read from the overview: zooming is waste. It cannot be read
    from any one frame, whose symbol is the right one as often as any other option.
    """
    names = plan.symbols()[: NUM_OPTIONS + 1]
    before, right = names[0], names[1]
    length = plan.num_frames // (ROUNDS * len(names))
    phase = int(plan.rng.integers(length * len(names)))
    signs = [
        _sign(plan, (turn * len(names) + index) * length - phase, length, name)
        for turn in range(ROUNDS + 2)
        for index, name in enumerate(names)
        if -length < (turn * len(names) + index) * length - phase < plan.num_frames
    ]
    pair = next(
        (one, other)
        for one, other in pairwise(signs)
        if (one.symbol, one.end - one.first, other.end - other.first) == (before, length, length)
    )
    return Puzzle(
        plan.scene((), signs),
        f"{QUESTION} {before}?",
        right,
        tuple(str(name) for name in plan.rng.permutation(names[2:])),
        (Segment(pair[0].segment.start_s, pair[1].segment.end_s),),
    )


def _sign(plan: Plan, start: int, length: int, symbol: str) -> Sign:
    """Returns the part of a sign that lies in the video, at a random place."""
    return Sign(max(0, start), min(start + length, plan.num_frames), symbol, plan.left())
