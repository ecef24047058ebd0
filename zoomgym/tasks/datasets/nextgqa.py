"""NExT-GQA: why and how in videos of half a minute, and when that can be seen.

Source: doc-doc/NExT-GQA on GitHub, `datasets/nextgqa/`: `test.csv` (video_id, question, answer as
text, qid, type, a0 .. a4), and `gsub_test.json` with the segments of each question, as
`{video_id: {"location": {qid: [[start, end], ..]}}}`, which become the evidence; 36 of them start
just before the video. Videos of NExT-QA as `{video_id}.mp4`, in folders or not. Where `test.csv` is
missing, `val.csv` is read. `train.csv` has no segments.
"""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.io import brief, read_named, unreadable
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import answer_at, tell_apart
from zoomgym.tasks.datasets.rows import Row, find_files, leads_out, read_lines
from zoomgym.tasks.datasets.segments import segments

OPTIONS = ("a0", "a1", "a2", "a3", "a4")
FOLDERS = ("", "nextgqa/", "datasets/nextgqa/")
MAX_FILE_BYTES = 10_000_000


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields a row for every question, with its segments. Raises TaskError."""
    for path in find_files(folder, patterns):
        beside = path.with_name(f"gsub_{path.stem}.json")
        located = _read_segments(beside, folder)
        for where, fields in _read_csv(path):
            if None in fields or None in fields.values():
                yield Row(where, problem=f"needed as many columns as in the first line of {path}")
                continue
            video = located.get(fields.get("video_id", ""))
            location = video.get("location") if isinstance(video, dict) else None
            found = location.get(fields.get("qid")) if isinstance(location, dict) else None
            if found is None:
                yield Row(where, problem=f"needed the question's segments in {beside}, got none")
                continue
            yield Row(where, {**fields, "location": found})


def _read_csv(path: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yields the rows of a file by their columns, each after its place. Raises TaskError."""
    where = str(path)

    def lines() -> Iterator[str]:
        nonlocal where
        for place, line in read_lines(path):
            where = place
            yield f"{line}\n"

    try:
        for fields in csv.DictReader(lines()):
            yield where, fields
    except csv.Error as error:
        raise TaskError(f"{where}: needed a row of CSV, got {error}") from error


def _read_segments(path: Path, folder: Path) -> Mapping[str, Any]:
    """Returns what a file says of each video. Raises TaskError."""
    try:
        data = read_named(path, MAX_FILE_BYTES)
        if problem := leads_out(path, folder):
            raise TaskError(problem)
        value = json.loads(data)
    except (OSError, ValueError, RecursionError) as error:
        raise TaskError(unreadable(path, "a file of segments", error)) from error
    if not isinstance(value, dict):
        raise TaskError(f"{path}: needed a JSON object of videos, got {brief(value)}")
    return value


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    given = [row.text(key) for key in OPTIONS]
    answer, options = row.text("answer"), tell_apart(given)
    if answer not in given:
        raise TaskError(f"answer needs to be one of {brief(given)}, got {brief(answer)}")
    video = row.text("video_id")
    return VideoQuestion(
        id=f"{video}-{row.name('qid')}",
        video=f"{video}.mp4",
        question=row.text("question"),
        answer=answer_at(given.index(answer), options),
        options=options,
        evidence=segments("location", row.value("location")),
        category=row.text("type"),
    )


NEXTGQA = Layout(
    name="nextgqa",
    files={
        "test": tuple(f"{folder}{split}.csv" for split in ("test", "val") for folder in FOLDERS)
    },
    to_task=to_task,
    video_folders=("videos", "video", "NExTVideo", ".", "NExTVideo/*", "videos/*", "video/*"),
    read=read,
)
