"""A task set that is read from files: every row in order, found by index or by id."""

from collections.abc import Iterable
from functools import cached_property, partial

from zoomgym.errors import TaskError
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.rows import TaskRow
from zoomgym.tasks.task_set import hash_tasks
from zoomgym.video import Limits, VideoFile


class ListedTasks:
    """Tasks from the rows of files; `place` names the set in errors, `name` in records.

    Raises TaskError if a row is wrong; the message names it.
    """

    def __init__(
        self, rows: Iterable[TaskRow], *, name: str, place: str, on_damage: str, limits: Limits
    ) -> None:
        self.name, self._place = name, place
        self._open = partial(VideoFile, on_damage=on_damage, limits=limits)
        self._tasks: list[VideoQuestion] = []
        self._wheres: dict[str, str] = {}
        for row in rows:
            if row.task is None:
                raise TaskError(f"{row.where}: {'; '.join(row.problems)}")
            self._tasks.append(row.task)
            self._wheres[row.task.id] = row.where
        self._places = {task.id: index for index, task in enumerate(self._tasks)}

    @cached_property
    def content_hash(self) -> str:
        """Short hash of what the tasks say, however the files word it."""
        return hash_tasks(map(self.__getitem__, range(len(self))))

    def __len__(self) -> int:
        """Returns the number of tasks."""
        return len(self._tasks)

    def __getitem__(self, index: int) -> VideoQuestion:
        """Returns the task at index, counted from 0. Raises IndexError past the end."""
        return self._tasks[index]

    def by_id(self, task_id: str) -> VideoQuestion:
        """Returns the task called task_id. Raises TaskError if there is none."""
        if task_id not in self._places:
            raise TaskError(
                f"{self._place}: task_id needs to be one of its {len(self)} ids, "
                f"like {self._tasks[0].id!r}, got {task_id!r}"
            )
        return self[self._places[task_id]]
