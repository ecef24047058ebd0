"""The families of synthetic tasks: how a seed becomes a scene, a question and its evidence.

Every family is solvable within the default rules, none from what the overview happens to show (but
for `overview`), and none from a question's text, a single frame, or the size of a file.
"""

from collections.abc import Callable

from zoomgym.tasks.synthetic.brief import flash, order, sparse
from zoomgym.tasks.synthetic.plan import Plan, Puzzle
from zoomgym.tasks.synthetic.rates import count, motion
from zoomgym.tasks.synthetic.relay import relay
from zoomgym.tasks.synthetic.rounds import overview

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
