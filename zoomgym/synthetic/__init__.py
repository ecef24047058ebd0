"""Synthetic tasks: videos made from a seed, with questions whose answers and evidence are known."""

from zoomgym.synthetic.difficulty import DIFFICULTIES, Difficulty, named_difficulty
from zoomgym.synthetic.families import FAMILIES
from zoomgym.synthetic.symbols import SYMBOLS
from zoomgym.synthetic.task_set import SPLITS, SyntheticTasks

__all__ = [
    "DIFFICULTIES",
    "FAMILIES",
    "SPLITS",
    "SYMBOLS",
    "Difficulty",
    "SyntheticTasks",
    "named_difficulty",
]
