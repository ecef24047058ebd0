"""Synthetic tasks: videos made from a seed, with questions whose answers and evidence are known."""

from zoomgym.tasks.synthetic.difficulty import DIFFICULTIES, Difficulty, named_difficulty
from zoomgym.tasks.synthetic.families import EVERY_FAMILY, FAMILIES, TOOL_FAMILIES
from zoomgym.tasks.synthetic.symbols import SYMBOLS
from zoomgym.tasks.synthetic.task_set import SPLITS, SyntheticTasks

__all__ = [
    "DIFFICULTIES",
    "EVERY_FAMILY",
    "FAMILIES",
    "SPLITS",
    "SYMBOLS",
    "TOOL_FAMILIES",
    "Difficulty",
    "SyntheticTasks",
    "named_difficulty",
]
