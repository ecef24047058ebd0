"""Video-MMLU: lectures on mathematics, physics and chemistry, with open-ended questions.

Source: Enxin/lmms_video_mmlu on the hub, as lmms-eval reads it: parquet or JSON Lines with a
question a row; and `video_mmlu.jsonl` of Enxin/Video-MMLU, with a list of questions a video. Its
captions are not read. A judge model grades the answers.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.rows import Row, read_files

LISTS = ("reasoning_qa", "questions", "qa", "question")
"""Keys that may hold a video's questions."""


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields a row for every question. Raises TaskError."""
    for row in read_files(folder, patterns, columns):
        questions = next(
            (row.fields[key] for key in LISTS if isinstance(row.fields.get(key), list)), None
        )
        if questions is None:
            yield row
            continue
        for number, question in enumerate(questions, start=1):
            where = f"{row.where} question {number}"
            if isinstance(question, dict):
                yield Row(where, {**row.fields, **question, "number": number})
            else:
                yield Row(where, problem="needed an object with a question and an answer")


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a question's row. Raises TaskError."""
    video = row.name("video_name", "video_id")
    number = f"-{row.whole('number')}" if row.has("number") else ""
    return VideoQuestion(
        id=row.name("question_id") if row.has("question_id") else f"{video}{number}",
        video=f"{video.removesuffix('.mp4')}.mp4",
        question=row.text("question"),
        answer=row.name("answer"),
        category=row.text_or_none("discipline"),
    )


VIDEOMMLU = Layout(
    name="videommlu",
    files={
        "test": (
            "video_mmlu.jsonl",
            "source/video_mmlu.jsonl",
            "test.jsonl",
            "data/test-*.parquet",
            "test-*.parquet",
        )
    },
    to_task=to_task,
    columns=(
        "video_name, video_id, question_id, question, answer, discipline, reasoning_qa, questions, "
        "qa, number"
    ),
    video_folders=("youtube_videos", "videos", "video", "."),
    read=read,
)
