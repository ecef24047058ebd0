"""The protocol of task sets, and the hash of their content."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Protocol

from zoomgym.rules import VideoQuestion
from zoomgym.video import Video


class TaskSet(Protocol):
    """An ordered, named, versioned collection of tasks, drawn by index."""

    @property
    def name(self) -> str:
        """Name in the catalog and in records."""

    @property
    def version(self) -> str:
        """Changes with everything that can change a result."""

    @property
    def content_hash(self) -> str:
        """12 hex digits that change with what the tasks say, see `hash_tasks`."""

    def __len__(self) -> int:
        """Number of tasks."""

    def __getitem__(self, index: int) -> VideoQuestion:
        """Returns the task at index. Raises IndexError past the end."""

    def by_id(self, task_id: str) -> VideoQuestion:
        """Returns the task called task_id. Raises TaskError if there is none."""

    def open_video(self, task: VideoQuestion) -> Video:
        """Returns the video of a task of this set, ready to be asked. Raises VideoError."""


def hash_tasks(tasks: Iterable[VideoQuestion]) -> str:
    """Returns 12 hex digits of the SHA-256 of every field of every task, in order."""
    digest = hashlib.sha256()
    names = [field.name for field in fields(VideoQuestion)]
    for task in tasks:
        digest.update(json.dumps([getattr(task, name) for name in names]).encode() + b"\n")
    return digest.hexdigest()[:12]
