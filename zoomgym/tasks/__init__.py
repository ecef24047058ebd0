"""Tasks: questions about videos, in sets that are drawn from seeds or read from files."""

from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.task_set import TaskSet, hash_tasks

__all__ = ["TaskSet", "VideoQuestion", "hash_tasks"]
