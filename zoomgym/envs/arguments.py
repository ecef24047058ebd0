"""Checks of an environment's arguments, and of the options of a reset."""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.io import brief, is_whole_number, plain_number
from zoomgym.tasks import TaskSet

MOST_PIXELS = 10**12
"""More than any picture has; beyond it, arithmetic with pixels would not be exact."""


def checked_tasks(tasks: object) -> str | TaskSet:
    """Returns a task set, or the name or path of one as a text. Raises TaskError."""
    if isinstance(tasks, str | Path):
        return str(tasks)
    if not hasattr(tasks, "open_video"):
        raise TaskError(f"tasks needs a name, a path or a TaskSet, got {brief(tasks)}")
    return tasks  # type: ignore[return-value]


def checked_pixels(max_pixels: object) -> int:
    """Returns the bound of a frame. Raises ValueError if it is none."""
    number = plain_number(max_pixels)
    if not is_whole_number(number, 1, MOST_PIXELS):
        raise ValueError(
            f"max_pixels needs a whole number >= 1, got {brief(number)}: give at most {MOST_PIXELS}"
        )
    return int(number)


def checked_size(frame_size: object) -> tuple[int, int]:
    """Returns frame_size as a tuple (it may come from JSON). Raises ValueError if it is no size."""
    size = tuple(map(plain_number, frame_size)) if isinstance(frame_size, Iterable) else ()
    are_sides = len(size) == 2 and all(is_whole_number(side, 1, 4096) for side in size)
    if not are_sides and (size != (0, 0) or not all(type(side) is int for side in size)):
        raise ValueError(
            f"frame_size needs (H, W) from 1 to 4096 pixels, or (0, 0) for no frames, "
            f"got {brief(frame_size)}"
        )
    return size[0], size[1]


def check_choice(name: str, value: object, known: Collection[str | None]) -> None:
    """Refuses what is not among known. Raises ValueError."""
    if not isinstance(value, str | None) or value not in known:
        raise ValueError(f"{name} needs one of {known}, got {brief(value)}")


def check_kind(name: str, value: object, kind: Any, needed: str) -> None:
    """Refuses what is not of a kind, which `needed` says in words. Raises ValueError."""
    if not isinstance(value, kind):
        raise ValueError(f"{name} needs {needed}, got {brief(value)}")


def task_id_in(options: dict[str, Any] | None) -> str | None:
    """Returns the task named by the options of a reset. Raises TaskError on any other option."""
    if options is None:
        return None
    if not isinstance(options, dict) or options.keys() - {"task_id"}:
        raise TaskError(f"reset options need to be {{'task_id': ..}} or None, got {options!r}")
    task_id: str | None = options.get("task_id")
    if task_id is not None and not isinstance(task_id, str):
        raise TaskError(f"task_id needs to be a text, got {task_id!r}")
    return task_id
