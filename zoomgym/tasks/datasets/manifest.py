"""A manifest: tasks as JSON Lines (or one JSON list), with video paths relative to the file.

    {"id": "q1", "video": "clips/a.mp4", "question": "What color is the car?",
     "options": ["red", "blue"], "answer": "B", "evidence": [[12.0, 14.5]], "category": "color",
     "labels": [["duration", "long"], ["topic", "cars"], ["topic", "traffic"]]}

`options`, `evidence`, `category` and `labels` may be left out. With options, the answer is a letter
or an option's own text; without, a number, a text, or a segment, `"[12.5, 15.0]"`. Letters
that all options begin with (`A. red`, `(B) blue`) are taken off: questions are shown with letters
anyway. A manifest has no splits: write one file for each.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from zoomgym.errors import TaskError
from zoomgym.grading import letter
from zoomgym.io import brief, is_finite_number, open_named
from zoomgym.rules import Segment, VideoQuestion
from zoomgym.tasks.datasets.listed import ListedTasks
from zoomgym.tasks.datasets.options import without_letters
from zoomgym.tasks.datasets.rows import Row, TaskRow, read_file
from zoomgym.video import Limits, Video

Result = TypeVar("Result")

NEEDED = ("id", "video", "question", "answer")
OPTIONAL = ("options", "evidence", "category", "labels")


class ManifestTasks(ListedTasks):
    """The tasks of a manifest file. No video is opened before it is needed.

    Raises TaskError if the file cannot be read, or a row is wrong; names the file and the line.
    """

    def __init__(self, path: Path, on_damage: str = "nearest", limits: Limits = Limits()) -> None:
        super().__init__(
            read_rows(path), name=path.name, place=str(path), on_damage=on_damage, limits=limits
        )
        if not self._tasks:
            raise TaskError(f"{path}: needed at least one task, got an empty file: add rows")
        with open_named(path) as file:
            digest = hashlib.file_digest(file, "sha256")  # type: ignore[arg-type]
        self.version = digest.hexdigest()[:12]
        """Short hash of the file's content."""
        self._folder = path.parent

    def open_video(self, task: VideoQuestion) -> Video:
        """Returns the video of a task, ready to be asked. Raises VideoError."""
        return self._open(self._folder / task.video)


def read_rows(path: Path) -> Iterator[TaskRow]:
    """Yields every row of a manifest, good or bad. Raises TaskError if it cannot be read."""
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
    options = tried(lambda: _listed("options", fields))
    spans = tried(lambda: _listed("evidence", fields)) or ()
    evidence = tuple(Segment(float(start_s), float(end_s)) for start_s, end_s in spans)
    labels = tuple(tuple(pair) for pair in tried(lambda: _listed("labels", fields)) or ())
    task = None
    if not problems:
        shown, answer = without_letters(options or (), fields["answer"])
        parsed = {"options": shown, "answer": answer, "evidence": evidence, "labels": labels}
        task = tried(lambda: VideoQuestion(**{**fields, **parsed}))
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


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_pair(value: Any, of: Callable[[object], bool]) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(of, value))


LISTS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "options": ("texts", _is_text),
    "evidence": ("[start, end] in seconds", partial(_is_pair, of=is_finite_number)),
    "labels": ("[kind, value], both texts", partial(_is_pair, of=_is_text)),
}


def _listed(key: str, fields: Mapping[str, Any]) -> list[Any]:
    """Returns the list under a key of LISTS; an empty one if there is none. Raises TaskError."""
    value, (needed, is_right) = fields.get(key), LISTS[key]
    if value is None:
        return []
    if not isinstance(value, list) or not all(map(is_right, value)):
        raise TaskError(f"{key} needs a list of {needed}, got {brief(value)}")
    return value


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
