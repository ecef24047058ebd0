"""Synthetic tasks: videos made from a seed, with questions whose answers and evidence are known."""

from zoomgym.tasks.synthetic.difficulty import DIFFICULTIES, Difficulty, named_difficulty
from zoomgym.tasks.synthetic.families import FAMILIES
from zoomgym.tasks.synthetic.symbols import SYMBOLS
from zoomgym.tasks.synthetic.task_set import SPLITS, SyntheticTasks

__all__ = [
    "DIFFICULTIES",
    "FAMILIES",
    "SPLITS",
    "SYMBOLS",
    "Difficulty",
    "SyntheticTasks",
    "named_difficulty",
]
