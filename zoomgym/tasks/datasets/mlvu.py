"""MLVU, its dev and its test set: long videos, seven and nine kinds of questions.

Source: the JSON files of MLVU's authors (`json/1_plotQA.json` .. `7_topic_reasoning.json`, videos
in `video/1_plotQA/` .., answers as texts; github.com/JUNJIE99/MLVU), and the parquet files of
sy1998/MLVU_dev and sy1998/MLVU_Test (options as lines of the question, answers as letters), which
lmms-eval scores. The two kinds of open-ended questions (8 and 9) are not read: they are no part of
the score.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import (
    answer_at,
    letter_options,
    read_answer,
    split_options,
    tell_apart,
)
from zoomgym.tasks.datasets.rows import Row, read_files

NUM_OPTIONS = 4
OTHER_NAMES = {"findNeedle": "needle"}
"""Kinds of questions that go by two names: in the JSON files, and where they are scored."""
COLUMNS = "question_id, video_name, video, question, candidates, answer, task_type, question_type"
MISWRITTEN = {"Catching a flying drone quadcopter": "Catching the drone"}
"""Answers that are no option as they are, in rows 34 and 338 of `2_needle.json`."""


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows that ask something. Raises TaskError.

    Row 27 of `7_topic_reasoning.json` has blank options and a blank answer. The score is over the
    2174 others.
    """
    for row in read_files(folder, patterns, columns):
        if row.fields.get("candidates") != [""] * NUM_OPTIONS:
            yield row


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row of either form. Raises TaskError."""
    kind = row.text("task_type", "question_type")
    kind = OTHER_NAMES.get(kind, kind)
    question, options = split_options(row.text("question"))
    if row.has("candidates"):
        given = row.texts("candidates")
        options = tell_apart(letter_options(given))
        answer = _answer(row.text("answer"), given, options)
    else:
        options = tell_apart(options)
        answer = read_answer(row.text("answer"), options)
    return VideoQuestion(
        id=row.name("question_id") if row.has("question_id") else _own_id(kind, row),
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


def _own_id(kind: str, row: Row) -> str:
    """Returns an id for a row that has none: its kind and its number in the file."""
    return f"{kind}-{re.split(r'[ :]', row.where)[-1]}"


def _video(row: Row) -> str:
    """Returns where the video of a row is, below a folder of videos.

    The authors' JSON files keep the videos of each file in a folder of the file's name.
    """
    if row.has("video_name"):
        return row.text("video_name")
    stem = Path(row.where.rpartition(" row ")[0]).stem
    return f"{stem}/{row.text('video')}"


MLVU = Layout(
    name="mlvu",
    files={
        "test": (
            "json/[1-7]_*.json",
            "MLVU/json/[1-7]_*.json",
            "data/[1-7]_*.json",
            "[1-7]_*.json",
            "data/*.parquet",
            "*.parquet",
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
