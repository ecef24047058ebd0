"""Reads and writes VideoZoomer's own rows for reinforcement learning.

Source: zsgvivo/rl_datasets on the hub: JSON lists of `{"problem": "<image>..", "solution": "B",
"videos": [one path], "data_source", "extra_info": {"answer_type"}, "doc_id"}`. Options are lines of
the problem. Absolute paths are looked up below the folder, too. Evidence and labels have no place.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.grading import letter
from zoomgym.io import brief
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import read_answer, split_options
from zoomgym.tasks.datasets.rows import Row, contained

MARK = "<image>"
"""Marks where the frames go; one a video."""
CHOICE, OPEN = "multiple_choice", "open_ended"


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    kind = row.part("extra_info").text("answer_type")
    if kind not in (CHOICE, OPEN):
        raise TaskError(f"answer_type needs {CHOICE!r} or {OPEN!r}, got {brief(kind)}")
    videos = row.texts("videos")
    if len(videos) != 1:
        raise TaskError(f"videos needs one path, got {len(videos)}")
    question = row.text("problem").replace(MARK, "").replace("<video>", "").strip()
    options: tuple[str, ...] = ()
    if kind == CHOICE:
        question, options = split_options(question)
    solution = row.name("solution")
    return VideoQuestion(
        id=row.name("doc_id"),
        video=videos[0],
        question=question,
        answer=read_answer(solution, options) if kind == CHOICE else solution,
        options=options,
        category=row.text_or_none("data_source"),
    )


def write_rl_rows(path: Path, tasks: Iterable[VideoQuestion]) -> None:
    """Writes tasks as such rows; their videos must be paths below the file's folder.

    Raises TaskError, and writes nothing, if a task would be read as another one.
    """
    rows = [_checked(task) for task in tasks]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _checked(task: VideoQuestion) -> dict[str, Any]:
    """Returns a task as a row, from which it can be read again. Raises TaskError."""
    row = _to_row(task)
    try:
        read = to_task(Row(task.id, row))
        is_same = contained(read.video) == task.video and read.truth == task.truth
    except TaskError as error:
        raise TaskError(f"{task.id}: needed a task that such a row can say: {error}") from error
    if not is_same or read != replace(task, answer=read.answer, evidence=(), labels=()):
        raise TaskError(
            f"{task.id}: needed a task that such a row can say, got a video outside the folder, "
            f"{MARK} in a text, or lines that read as options or as their end"
        )
    return row


def _to_row(task: VideoQuestion) -> dict[str, Any]:
    """Returns a task as a row, which may not read as the same task."""
    options = [f"{letter(i)}. {option}" for i, option in enumerate(task.options)]
    return {
        "problem": "\n".join([f"{MARK}{task.question}", *options]),
        "solution": task.truth,
        "videos": [task.video],
        "data_source": task.category,
        "extra_info": {"answer_type": CHOICE if options else OPEN},
        "doc_id": task.id,
    }


VIDEOZOOMER_RL = Layout(
    name="videozoomer_rl",
    files={"train": ("*.json", "*.jsonl", "data/*.json")},
    to_task=to_task,
    video_folders=(".", "videos"),
)
