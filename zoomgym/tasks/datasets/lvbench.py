"""LVBench: 103 videos of up to two hours; each question says where its answer is.

Source: zai-org/LVBench on the hub (once THUDM/LVBench): `video_info.meta.jsonl`, one video a line
with its questions under `qa`; options are lines `(A) ..` of the question. The hub keeps no videos:
fetch them by their key, as `{key}.mp4`; rename what the authors' script (`video2dataset`) numbers,
as `videos/00000/..`. A question counts for each of its types.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoomgym.errors import TaskError
from zoomgym.io import brief
from zoomgym.rules import Segment, VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import read_answer, split_options
from zoomgym.tasks.datasets.rows import Row, read_files

CLOCK = re.compile(r"(?:(\d{1,2}):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)", re.ASCII)


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields a row for every question of every video. Raises TaskError."""
    for video in read_files(folder, patterns, columns):
        questions = video.fields.get("qa")
        if not isinstance(questions, list) or not all(isinstance(q, dict) for q in questions):
            problem = video.problem or "needed a list of questions under the key 'qa'"
            yield Row(video.where, problem=problem)
            continue
        about = {"key": video.fields.get("key"), "type": video.fields.get("type")}
        for number, question in enumerate(questions, start=1):
            yield Row(f"{video.where} question {number}", {**question, **about})


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a question's row. Raises TaskError."""
    question, options = split_options(row.text("question"))
    return VideoQuestion(
        id=row.name("uid"),
        video=f"{row.text('key')}.mp4",
        question=question,
        answer=read_answer(row.text("answer"), options),
        options=options,
        evidence=read_time_reference(row.text_or_none("time_reference")),
        category=row.text_or_none("type"),
        labels=tuple(("question_type", kind) for kind in row.texts("question_type")),
    )


def read_time_reference(text: str) -> tuple[Segment, ...]:
    """Returns the evidence in a text like `00:15-00:19; 01:02:03-01:02:10`; an instant is 1 s.

    An empty text means that none is known. Raises TaskError for any other.
    """
    return tuple(_segment(part, text) for part in re.split(r"[,;]", text) if part.strip())


def _segment(part: str, text: str) -> Segment:
    """Returns the segment in one part of a time reference. Raises TaskError."""
    times = [CLOCK.fullmatch(time.strip()) for time in part.split("-")]
    seconds = [
        int(time[1] or 0) * 3600 + int(time[2]) * 60 + float(time[3]) for time in times if time
    ]
    if len(seconds) != len(times) or len(seconds) > 2 or seconds[-1] < seconds[0]:
        raise TaskError(f"time_reference needs times like 00:15-00:19, got {brief(text)}")
    start_s, end_s = seconds[0], seconds[-1]
    return Segment(start_s, end_s if end_s > start_s else start_s + 1)


LVBENCH = Layout(
    name="lvbench",
    files={"test": ("video_info.meta.jsonl", "data/video_info.meta.jsonl")},
    to_task=to_task,
    video_folders=(
        *("all_videos", "videos", "video", "scripts/videos", ".", "videos/*", "scripts/videos/*"),
    ),
    read=read,
)
