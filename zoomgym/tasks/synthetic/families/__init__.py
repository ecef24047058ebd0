"""The families of synthetic tasks: how a seed becomes a scene, a question and its evidence.

Every family is solvable within the default rules (those of `TOOL_FAMILIES`: with their tools), none
from what the overview happens to show (but for `overview`), and none from a question's text, a
single frame, or the size of a file.
"""

from collections import ChainMap

from zoomgym.rules import CROP, TRANSCRIPT, ZOOM
from zoomgym.tasks.synthetic.families import (
    count,
    detail,
    flash,
    mixed,
    motion,
    order,
    overview,
    relay,
    sparse,
    spoken,
)
from zoomgym.tasks.synthetic.plan import Family

__all__ = ["EVERY_FAMILY", "FAMILIES", "TOOL_FAMILIES", "family_of"]

FAMILIES: dict[str, Family] = {
    "flash": Family(flash.draw, flash.QUESTION),
    "count": Family(count.draw, count.QUESTION, count.ANSWERS, needs_every_frame=True),
    "order": Family(order.draw, order.QUESTION),
    "motion": Family(motion.draw, motion.QUESTION, motion.ANSWERS, needs_every_frame=True),
    "relay": Family(relay.draw, relay.QUESTION),
    "overview": Family(overview.draw, overview.QUESTION),
    "sparse": Family(sparse.draw, sparse.QUESTION),
}
"""Families that zooms answer: those of the set `synthetic`."""
TOOL_FAMILIES: dict[str, Family] = {
    "spoken": Family(spoken.draw, spoken.QUESTION, tools=(TRANSCRIPT,)),
    "detail": Family(detail.draw, detail.QUESTION, tools=(CROP,), is_only_drawn=True),
    "mixed": Family(mixed.draw, mixed.QUESTION, tools=(ZOOM, CROP, TRANSCRIPT), is_only_drawn=True),
}
"""Families that need another tool."""
EVERY_FAMILY = ChainMap(TOOL_FAMILIES, FAMILIES)
"""All families, those that zooms answer first."""


def family_of(question: str) -> str:
    """Returns the name of the family that asks a question; empty if it is none of theirs."""
    names = (name for name, family in EVERY_FAMILY.items() if question.startswith(family.question))
    return next(names, "")
