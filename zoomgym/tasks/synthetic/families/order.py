"""The family `order`: two symbols show briefly, one after the other."""

from zoomgym.tasks.synthetic.plan import Plan, Puzzle

QUESTION = (
    "While the amber beacon is lit, two symbols show briefly, one after the other. "
    "Which symbol comes first?"
)


def draw(plan: Plan) -> Puzzle:
    """Two symbols show briefly while the beacon is lit: which comes first?"""
    return plan.brief_puzzle(2, QUESTION)
