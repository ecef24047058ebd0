"""Where the task of a record comes from: its task set, opened again by the record's settings."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoomgym.catalog import open_task_set
from zoomgym.errors import RecordError, TaskError
from zoomgym.records import Record
from zoomgym.tasks import TaskSet, VideoQuestion

__all__ = ["Origin", "check_synthetic", "holds", "open_again"]

SYNTHETIC = "synthetic"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a task set says of a task."""

    task_set: str
    version: str
    content_hash: str
    task: VideoQuestion
    duration_s: float
    last_frame_s: float


def open_again(record: Record, *, source: str = "", cache_dir: Path | None = None) -> TaskSet:
    """Returns the task set of a record.

    Args:
        record: of an episode.
        source: `file` or `scene`, of synthetic video; empty for that of the record.
        cache_dir: where synthetic videos are written; None is the user's cache folder.

    Raises:
        TaskError: it has no name, or is not known any more.
    """
    settings = record.settings
    if not isinstance(settings["tasks"], str):
        raise TaskError("tasks needs the name of a set to open it again, the record has none")
    return open_task_set(
        settings["tasks"],
        split=settings["split"],
        duration_s=settings["duration_s"],
        difficulty=settings["difficulty"],
        source=source or settings["source"],
        cache_dir=cache_dir,
    )


def holds(tasks: TaskSet, record: Record) -> bool:
    """Returns whether a set holds the task of a record, as the record says it."""
    try:
        return tasks.name == record.task_set and tasks.by_id(record.task.id) == record.task
    except TaskError:
        return False


def check_synthetic(
    records: Iterable[Record], made: dict[tuple[str, str], Origin] | None = None
) -> None:
    """Refuses records whose synthetic task is not the one that their settings make today.

    Tasks of other sets are taken as they stand in the records: their files may be anywhere.

    Args:
        records: of episodes.
        made: what settings were found to make, kept for the next call.

    Raises:
        RecordError: the task, its set's version or hash, or the length of its video is another.
    """
    made = {} if made is None else made
    for record in records:
        if SYNTHETIC not in (_kind(record.settings["tasks"]), _kind(record.task_set)):
            continue
        where = f"agent {record.agent} on {record.task.id}"
        place = json.dumps(record.settings, sort_keys=True), record.task.id
        try:
            if place not in made:
                made[place] = _origin(record)
        except TaskError as error:
            raise RecordError(
                f"{where}: needed settings that make its synthetic task again, got: {error}"
            ) from error
        written = Origin(
            record.task_set,
            record.task_set_version,
            record.task_set_hash,
            record.task,
            record.duration_s,
            record.last_frame_s,
        )
        if written != made[place]:
            raise RecordError(
                f"{where}: needed the synthetic task that its settings make, got another: this "
                f"version ({made[place].version}) makes others, or the record was edited"
            )


def _origin(record: Record) -> Origin:
    """Returns what the settings of a record make of its task. Raises TaskError."""
    tasks = open_again(record, source="scene")  # as long as the file, which need not be written
    task = tasks.by_id(record.task.id)
    video = tasks.open_video(task)
    try:
        lengths_s = video.duration_s, video.last_frame_s
    finally:
        video.close()
    return Origin(tasks.name, tasks.version, tasks.content_hash, task, *lengths_s)


def _kind(name: Any) -> str:
    """Returns what kind of a task set a name is of."""
    return name.partition(":")[0] if isinstance(name, str) else ""
