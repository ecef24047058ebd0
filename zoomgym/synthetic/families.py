"""The families of synthetic tasks: how a seed becomes a scene, a question and its evidence.

Every family is solvable within the default rules, none from what the overview happens to show (but
for `overview`), and none from a question's text, a single frame, or the size of a file.
"""

from collections.abc import Callable

from zoomgym.synthetic.brief import flash, order, sparse
from zoomgym.synthetic.plan import Plan, Puzzle
from zoomgym.synthetic.rates import count, motion
from zoomgym.synthetic.relay import relay
from zoomgym.synthetic.rounds import overview

__all__ = ["FAMILIES"]

FAMILIES: dict[str, Callable[[Plan], Puzzle]] = {
    "flash": flash,
    "count": count,
    "order": order,
    "motion": motion,
    "relay": relay,
    "overview": overview,
    "sparse": sparse,
}
