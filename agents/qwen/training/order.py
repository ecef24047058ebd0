"""The tasks of a run of GRPO, in their order."""

import math

import numpy as np

from agents.qwen.training.settings import GRPOSettings
from zoomgym.tasks import TaskSet


class TaskIds:
    """Ids of the first tasks of a set, each read when it is asked for: tasks may have to be drawn.

    Args:
        tasks: the set.
        most: number of tasks, if there are as many.
    """

    def __init__(self, tasks: TaskSet, most: int) -> None:
        self._tasks, self._num_tasks = tasks, min(most, len(tasks))
        self._places: dict[str, int] = {}

    def __len__(self) -> int:
        """Number of tasks."""
        return self._num_tasks

    def __getitem__(self, index: int) -> str:
        """Returns the id of a task."""
        task_id = self._tasks[index].id
        self._places[task_id] = index
        return task_id

    def index(self, task_id: str) -> int:
        """Returns the index of an id that was returned before."""
        return self._places[task_id]


def in_order(task_ids: TaskIds, settings: GRPOSettings) -> list[str]:
    """Returns the tasks of the whole run: all in random order, again and again.

    (The trainer would draw an order for each epoch, and the first one again after resuming.)
    """
    rng = np.random.default_rng(settings.seed)
    per_generation = settings.tasks_per_generation
    num_generations = math.ceil(settings.steps * settings.tasks_per_update / per_generation)
    order: list[int] = []
    while len(order) < num_generations * per_generation:
        order += rng.permutation(len(task_ids)).tolist()
    return [task_ids[index] for index in order[: num_generations * per_generation]]
