"""A manifest: tasks as JSON Lines (or one JSON list), with video paths relative to the file.

    {"id": "q1", "video": "clips/a.mp4", "question": "What color is the car?",
     "options": ["red", "blue"], "answer": "B", "evidence": [[12.0, 14.5]], "category": "color",
     "labels": [["duration", "long"], ["topic", "cars"], ["topic", "traffic"]]}

`options`, `evidence`, `category` and `labels` may be left out. With options, the answer is a letter
or an option's own text. Where all options begin with their letters (`A. red`, `(B) blue`), those
are taken off, as questions are shown with letters anyway. A manifest is one set: it has no splits,
so that a file for training and one for testing are two manifests.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from zoomgym.errors import TaskError
from zoomgym.grading import letter
from zoomgym.io import brief, is_finite_number, open_named
from zoomgym.rules import Segment, VideoQuestion
from zoomgym.tasks.datasets.options import without_letters
from zoomgym.tasks.datasets.rows import Row, TaskRow, read_file
from zoomgym.tasks.task_set import hash_tasks
from zoomgym.video import Limits, Video, VideoFile

Result = TypeVar("Result")

NEEDED = ("id", "video", "question", "answer")
OPTIONAL = ("options", "evidence", "category", "labels")


class ManifestTasks:
    """The tasks of a manifest file. No video is opened before it is needed.

    Raises:
        TaskError: the file cannot be read, or a row is wrong; names the file and the line.
    """

    def __init__(
        self,
        path: Path,
        on_damage: str = "nearest",
        limits: Limits = Limits(),
    ) -> None:
        self._path = path
        self._on_damage = on_damage
        self._limits = limits
        self._tasks: list[VideoQuestion] = []
        for row in read_rows(path):
            if row.task is None:
                raise TaskError(f"{row.where}: {'; '.join(row.problems)}")
            self._tasks.append(row.task)
        if not self._tasks:
            raise TaskError(f"{path}: needed at least one task, got an empty file: add rows")
        self._places = {task.id: index for index, task in enumerate(self._tasks)}
        with open_named(path) as file:
            digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
        self._version = digest.hexdigest()[:12]

    @property
    def name(self) -> str:
        """The name of the file."""
        return self._path.name

    @property
    def version(self) -> str:
        """Short hash of the file's content."""
        return self._version

    @cached_property
    def content_hash(self) -> str:
        """Short hash of what the tasks say, however the file words it."""
        return hash_tasks(self._tasks)

    def __len__(self) -> int:
        """Number of tasks."""
        return len(self._tasks)

    def __getitem__(self, index: int) -> VideoQuestion:
        """Returns the task in row index, counted from 0. Raises IndexError past the end."""
        return self._tasks[index]

    def by_id(self, task_id: str) -> VideoQuestion:
        """Returns the task called task_id. Raises TaskError if there is none."""
        if task_id not in self._places:
            raise TaskError(
                f"{self._path}: task_id needs to be one of its {len(self)} ids, "
                f"like {self._tasks[0].id!r}, got {task_id!r}"
            )
        return self._tasks[self._places[task_id]]

    def open_video(self, task: VideoQuestion) -> Video:
        """Returns the video of a task, ready to be asked. Raises VideoError."""
        path = self._path.parent / task.video
        return VideoFile(path, on_damage=self._on_damage, limits=self._limits)


def read_rows(path: Path) -> Iterator[TaskRow]:
    """Yields every row of a manifest, good or bad.

    Raises:
        TaskError: the file cannot be read.
    """
    seen: dict[str, str] = {}
    for row in read_file(path):
        read = _read_row(row)
        if read.task and read.task.id in seen:
            repeated = brief(read.task.id)
            problem = f"id needs to be unique, got {repeated} as in {seen[read.task.id]}"
            read = replace(read, task=None, problems=(problem,))
        elif read.task:
            seen[read.task.id] = read.where
        yield read


def _read_row(row: Row) -> TaskRow:
    """Returns what a row means."""
    if row.problem:
        return TaskRow(row.where, problems=(row.problem,))
    fields = row.fields
    problems: list[str] = []

    def tried(read: Callable[[], Result]) -> Result | None:
        try:
            return read()
        except TaskError as error:
            problems.append(str(error))
            return None

    tried(lambda: _check_keys(fields))
    options = tried(lambda: _parse_options(fields.get("options")))
    evidence = tried(lambda: _parse_evidence(fields.get("evidence"))) or ()
    labels = tried(lambda: _parse_labels(fields.get("labels")))
    task = None
    if not problems:
        shown, answer = without_letters(options or (), fields["answer"])
        parsed = {"options": shown, "answer": answer, "evidence": evidence, "labels": labels}
        task = tried(lambda: _to_task({**fields, **parsed}))
    video = fields["video"] if isinstance(fields.get("video"), str) else ""
    return TaskRow(row.where, task, tuple(problems), video, evidence)


def write_manifest(path: Path, tasks: Iterable[VideoQuestion]) -> None:
    """Writes tasks to path as a manifest; their videos must be paths relative to it."""
    rows = (json.dumps(_to_row(task)) for task in tasks)
    path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def _check_keys(fields: Mapping[str, Any]) -> None:
    """Raises TaskError unless a row has its keys, no others, and texts where they belong."""
    if missing := [key for key in NEEDED if key not in fields]:
        raise TaskError(f"needed the keys {list(NEEDED)}, {missing} missing")
    if unknown := fields.keys() - {*NEEDED, *OPTIONAL}:
        raise TaskError(f"needed no keys but {[*NEEDED, *OPTIONAL]}, got {brief(sorted(unknown))}")
    for key in (*NEEDED, "category"):
        if not isinstance(fields.get(key, ""), str):
            raise TaskError(f"{key} needs a text, got {brief(fields[key])}")


def _to_task(fields: dict[str, Any]) -> VideoQuestion:
    """Returns the task that checked fields say. Raises TaskError."""
    return VideoQuestion(**{name: fields[name] for name in (*NEEDED, *OPTIONAL) if name in fields})


def _parse_options(value: Any) -> tuple[str, ...]:
    """Returns the options in a row; none for an open-ended question."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(option, str) for option in value):
        raise TaskError(f"options needs a list of texts, got {brief(value)}")
    return tuple(value)


def _parse_evidence(value: Any) -> tuple[Segment, ...]:
    """Returns the evidence segments in a row."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(map(_is_pair, value)):
        raise TaskError(f"evidence needs a list of [start, end] in seconds, got {brief(value)}")
    return tuple(Segment(float(start_s), float(end_s)) for start_s, end_s in value)


def _parse_labels(value: Any) -> tuple[tuple[str, str], ...]:
    """Returns the labels in a row."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(map(_is_label, value)):
        raise TaskError(f"labels needs a list of [kind, value], both texts, got {brief(value)}")
    return tuple((kind, text) for kind, text in value)


def _is_label(value: Any) -> bool:
    """Returns whether value is a list of two texts."""
    return isinstance(value, list) and len(value) == 2 and all(isinstance(x, str) for x in value)


def _is_pair(value: Any) -> bool:
    """Returns whether value is a list of two JSON numbers that a float can hold."""
    if not isinstance(value, list) or len(value) != 2:
        return False
    return all(map(is_finite_number, value))


def _written(options: Sequence[str]) -> list[str]:
    """Returns options that are read as these: with more letters where letters are taken off."""
    if without_letters(options, "")[0] == tuple(options):
        return list(options)
    return [f"{letter(index)}. {option}" for index, option in enumerate(options)]


def _to_row(task: VideoQuestion) -> dict[str, Any]:
    """Returns a task as a row; what may be left out is left out."""
    row: dict[str, Any] = {"id": task.id, "video": task.video, "question": task.question}
    if task.options:
        row["options"] = _written(task.options)
    row["answer"] = task.answer
    if task.evidence:
        row["evidence"] = [list(segment) for segment in task.evidence]
    if task.category:
        row["category"] = task.category
    if task.labels:
        row["labels"] = [list(label) for label in task.labels]
    return row
