"""The family `relay`: one clip says where and what to look for, another one shows it."""

from zoomgym.tasks.synthetic.layout import AMBER, FPS
from zoomgym.tasks.synthetic.marks import Board
from zoomgym.tasks.synthetic.plan import NUM_OPTIONS, TWO_ZOOMS_S, Plan, Puzzle, Stretch
from zoomgym.tasks.synthetic.symbols import LAMPS

QUESTION = (
    "While the amber beacon is lit, a coloured square shows briefly in one of four places. While "
    "the beacon of that colour is lit, a symbol shows in each of the four places. Which symbol is "
    "in the place of the square?"
)
MIN_OTHERS = 2
OTHER_LAMPS = tuple(name for name in LAMPS if name != "amber")


def draw(plan: Plan) -> Puzzle:
    """The amber beacon's clip shows a color and a place; that color's clip holds the symbol.

    Every other beacon shows the four options, each in another order: so the first clip without the
    second says nothing of the answer, nor does the second without the first.
    """
    options = plan.symbols()[:NUM_OPTIONS]
    num_others = min(MIN_OTHERS + plan.difficulty.num_decoys, len(OTHER_LAMPS))
    marked, *stretches = plan.lit_stretches(1 + num_others, crowding=1)
    lamps = [str(name) for name in plan.rng.permutation(OTHER_LAMPS)[: len(stretches)]]
    place = int(plan.rng.integers(NUM_OPTIONS))
    boards = [_board(plan, marked, ["" if i != place else lamps[0] for i in range(NUM_OPTIONS)])]
    for stretch in stretches:
        boards.append(_board(plan, stretch, [str(name) for name in plan.rng.permutation(options)]))
    colors = [AMBER, *(LAMPS[name] for name in lamps)]
    beacons = [
        plan.beacon(lit, color, [board.first], TWO_ZOOMS_S)
        for lit, color, board in zip([marked, *stretches], colors, boards, strict=True)
    ]
    right = boards[1].tiles[place]
    wrong = tuple(name for name in options if name != right)
    evidence = (boards[0].segment, boards[1].segment)
    return Puzzle(plan.scene(beacons, boards), QUESTION, right, wrong, evidence)


def _board(plan: Plan, lit: Stretch, tiles: list[str]) -> Board:
    """Draws when and where a board shows in lit.

    Where its beacon counts down, it comes after the overview's first sample of that beacon: so one
    zoom reaches it, and two are left after a miss.
    """
    if lit[1] - lit[0] > TWO_ZOOMS_S * FPS:
        lit = (min(sample for sample in plan.samples if sample >= lit[0]), lit[1])
    [event] = plan.events(lit, 1)
    one, two, three, four = tiles
    return Board(*event, (one, two, three, four), plan.left())
