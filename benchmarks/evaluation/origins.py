"""Whether the synthetic task of a record is the one that its settings make."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from zoomgym.errors import RecordError, TaskError
from zoomgym.records import Record
from zoomgym.records.origins import is_synthetic, made_again
from zoomgym.rules.question import VideoQuestion

__all__ = ["Origin", "check_synthetic"]


@dataclass(frozen=True, slots=True)
class Origin:
    """What a task set says of a task."""

    task_set: str
    version: str
    content_hash: str
    task: VideoQuestion
    duration_s: float
    last_frame_s: float


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
        if not (is_synthetic(record.settings["tasks"]) or is_synthetic(record.task_set)):
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
    tasks = made_again(record, source="scene")  # as long as the file, which need not be written
    task = tasks.by_id(record.task.id)
    video = tasks.open_video(task)
    try:
        lengths_s = video.duration_s, video.last_frame_s
    finally:
        video.close()
    return Origin(tasks.name, tasks.version, tasks.content_hash, task, *lengths_s)
