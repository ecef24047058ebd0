"""The family `flash`: a symbol shows briefly while the beacon is lit."""

from zoomgym.tasks.synthetic.plan import Plan, Puzzle

QUESTION = "While the amber beacon is lit, one symbol shows briefly. Which symbol is it?"


def draw(plan: Plan) -> Puzzle:
    """A symbol shows briefly while the beacon is lit: which?"""
    return plan.brief_puzzle(1, QUESTION)
