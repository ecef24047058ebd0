"""Finds the task set of a record: made again from a seed, or named by the user.

Records come from strangers, so no file that one names is opened, and no judge is asked.
"""

from dataclasses import fields
from pathlib import Path
from typing import Any

from zoomgym.envs import Known, KnownFinder, ZoomEnv
from zoomgym.errors import RecordError, TaskError
from zoomgym.io import plain
from zoomgym.records.bounds import told
from zoomgym.records.record import Record
from zoomgym.rules import Rules
from zoomgym.tasks import SYNTHETIC, TASK_SETTINGS, TaskSet, tasks_of

NAMED = "a synthetic task, or one of a set that --tasks names"
SHOWN = (*TASK_SETTINGS, "max_pixels", *(one.name for one in fields(Rules)))
"""Settings of a record that decide what its agent saw."""
MOST_SHOWN = 80
"""Most characters of a record's names that errors show."""


def is_synthetic(name: Any) -> bool:
    """Returns whether a task set of this name is made from a seed, and has no files."""
    return isinstance(name, str) and name.partition(":")[0] == SYNTHETIC


def made_again(record: Record, *, source: str = "", cache_dir: Path | None = None) -> TaskSet:
    """Returns the synthetic task set that the settings of a record make, or raises TaskError.

    `source` is `file`, `scene`, or empty for the record's own; cache_dir is for its videos.
    """
    settings = record.settings
    if not is_synthetic(settings["tasks"]):
        raise TaskError("tasks needs to be synthetic to be made again, got other ones")
    return tasks_of({**settings, "source": source or settings["source"]}, cache_dir=cache_dir)


def task_set_of(
    record: Record, named: TaskSet | None = None, *, cache_dir: Path | None = None
) -> TaskSet:
    """Returns the set, named by the user or synthetic, that holds the very task of a record.

    Raises TaskError if there is none. Synthetic videos are written below cache_dir.
    """
    if named is not None and _holds(named, record):
        return named
    if is_synthetic(record.settings["tasks"]):
        tasks = made_again(record, cache_dir=cache_dir)
        if _holds(tasks, record):
            return tasks
    raise TaskError(f"needed {NAMED}, got {_told_origin(record)}")


def env_to_watch(
    record: Record,
    named: str | None = None,
    *,
    cache_dir: Path | None = None,
    max_pixels: int | None = None,
    render_mode: str | None = None,
) -> ZoomEnv:
    """Returns an environment for `watch_again`: it shows what a record's did, and asks no judge.

    Args:
        record: of an episode.
        named: the task set that the user names, for a record that is not of synthetic tasks.
        cache_dir: where synthetic videos are written; None is the user's cache folder.
        max_pixels: of a frame; None is the record's own.
        render_mode: of the environment.

    Raises:
        RecordError: there is no task set, or settings are wrong.
        TaskError: there is no such set.
    """
    tasks = record.settings["tasks"]
    if not is_synthetic(tasks):
        if named is None:
            raise RecordError(f"{record.key}: needed {NAMED}, got {_told_origin(record)}")
        tasks = named
    settings = {name: record.settings[name] for name in SHOWN if name in record.settings}
    if "overview" in settings:
        settings["overview"] = Known(settings["overview"])  # no code is run that a stranger names
    if "finder" in settings:
        settings["finder"] = KnownFinder(settings["finder"])
    if max_pixels is not None:
        settings["max_pixels"] = max_pixels
    try:
        return ZoomEnv(tasks, **settings, cache_dir=cache_dir, render_mode=render_mode)
    except (ValueError, TypeError) as error:
        raise RecordError(
            f"{record.key}: needed settings of ZoomEnv, got others ({told(error)})"
        ) from error


def _holds(tasks: TaskSet, record: Record) -> bool:
    """Returns whether a set holds the task of a record, as the record says it."""
    try:
        return tasks.name == record.task_set and tasks.by_id(record.task.id) == record.task
    except TaskError:
        return False


def _told_origin(record: Record) -> str:
    """Returns the names of a record's task and task set, for an error."""
    return f"{plain(record.task.id[:MOST_SHOWN])} of {plain(record.task_set[:MOST_SHOWN])}"
