"""MLVU, its dev and its test set: long videos, seven and nine kinds of questions.

Source: the JSON files of MLVU's authors (`json/1_plotQA.json` .. `7_topic_reasoning.json`, videos
in `video/1_plotQA/` .., answers as texts; github.com/JUNJIE99/MLVU), and the parquet files of
sy1998/MLVU_dev and sy1998/MLVU_Test (options as lines of the question, answers as letters), which
lmms-eval scores. Kinds 8 and 9 are open-ended, do not count in the score, and are not read.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import answer_at, letter_options, read_answer, split_options
from zoomgym.tasks.datasets.rows import Row, read_files

NUM_OPTIONS = 4
OTHER_NAMES = {"findNeedle": "needle"}
"""Kinds of questions that have one name in the JSON files, another where they are scored."""
COLUMNS = "question_id, video_name, video, question, candidates, answer, task_type, question_type"
MISWRITTEN = {"Catching a flying drone quadcopter": "Catching the drone"}
"""Answers that differ from their option, in rows 34 and 338 of `2_needle.json`."""


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields the 2174 rows that are scored: one in `7_topic_reasoning.json` is blank."""
    for row in read_files(folder, patterns, columns):
        if row.fields.get("candidates") != [""] * NUM_OPTIONS:
            yield row


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row of either form. Raises TaskError."""
    kind = row.text("task_type", "question_type")
    kind = OTHER_NAMES.get(kind, kind)
    number = re.split(r"[ :]", row.where)[-1]
    question, options = split_options(row.text("question"))
    if row.has("candidates"):
        given = row.texts("candidates")
        options = letter_options(given)
        answer = _answer(row.text("answer"), given, options)
    else:
        answer = read_answer(row.text("answer"), options)
    return VideoQuestion(
        id=row.name("question_id") if row.has("question_id") else f"{kind}-{number}",
        video=_video(row),
        question=question,
        answer=answer,
        options=options,
        category=kind,
    )


def _answer(text: str, given: tuple[str, ...], options: tuple[str, ...]) -> str:
    """Returns the answer: the text of an option, where it is one, before the letter of one."""
    text = MISWRITTEN.get(text, text)
    return answer_at(given.index(text), options) if text in given else read_answer(text, options)


def _video(row: Row) -> str:
    """Returns a row's video: rows of the authors' files have theirs in a folder of that name."""
    if row.has("video_name"):
        return row.text("video_name")
    stem = Path(row.where.rpartition(" row ")[0]).stem
    return f"{stem}/{row.text('video')}"


MLVU = Layout(
    name="mlvu",
    files={
        "test": (
            *(f"{folder}[1-7]_*.json" for folder in ("json/", "MLVU/json/", "data/", "")),
            *("data/*.parquet", "*.parquet"),
        )
    },
    to_task=to_task,
    columns=COLUMNS,
    video_folders=("video", "MLVU/video", "videos", ".", "video/*", "videos/*"),
    read=read,
)

MLVU_TEST = Layout(
    name="mlvu_test",
    files={"test": ("data/*.parquet", "*.parquet")},
    to_task=to_task,
    columns=COLUMNS,
    video_folders=("videos", "video", ".", "MLVU_Test/video", "videos/*", "video/*"),
)
