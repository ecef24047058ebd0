"""Needle tasks: marks of the synthetic families, drawn into your own videos as they are read."""

from zoomgym.tasks.needle.footage import check_footage
from zoomgym.tasks.needle.task_set import NEEDLE, NeedleTasks

__all__ = ["NEEDLE", "NeedleTasks", "check_footage"]
