"""EgoSchema: the 500 questions with public answers, on three minutes of daily life each.

Source: lmms-eval/egoschema on the hub (`Subset/test-*.parquet`, `videos/{video_idx}.mp4`), and the
authors' files (github.com/egoschema/EgoSchema): `questions.json` with `subset_answers.json`. Only
the authors' server knows the other 4,500 answers.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.io import brief
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import answer_at, letter_options
from zoomgym.tasks.datasets.rows import Row, find_files, read_file

NUM_OPTIONS = 5
QUESTIONS = "questions.json"
ANSWERS = "subset_answers.json"


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows that have an answer. Raises TaskError."""
    paths = find_files(folder, patterns)
    answers = _answers(folder) if paths[0].name == QUESTIONS else {}
    for path in paths:
        for row in read_file(path, columns):
            uid = row.fields.get("q_uid")
            if path.name != QUESTIONS or not isinstance(uid, str):
                yield row
            elif uid in answers:
                yield Row(row.where, {**row.fields, "answer": answers[uid]})


def _answers(folder: Path) -> Mapping[str, Any]:
    """Returns the public answers by question. Raises TaskError."""
    [path] = find_files(folder, (ANSWERS,))
    rows = list(read_file(path))
    if len(rows) != 1 or rows[0].problem:
        raise TaskError(f"{path}: needed one JSON object of answers on one line")
    return rows[0].fields


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    columns = (row.text(f"option {i}") for i in range(NUM_OPTIONS))
    options = letter_options(row.texts("option") if row.has("option") else tuple(columns))
    answer = row.name("answer")
    if not (answer.isascii() and answer.isdecimal()):
        raise TaskError(f"answer needs the index of an option, got {brief(answer)}")
    return VideoQuestion(
        id=row.name("question_idx", "q_uid"),
        video=f"{row.text('video_idx', 'q_uid')}.mp4",
        question=row.text("question"),
        answer=answer_at(int(answer[:3]), options),
        options=options,
    )


EGOSCHEMA = Layout(
    name="egoschema",
    files={"test": ("Subset/*.parquet", QUESTIONS)},
    to_task=to_task,
    columns="question_idx, q_uid, video_idx, question, answer, option, "
    + ", ".join(f"option {i}" for i in range(NUM_OPTIONS)),
    video_folders=("videos", "."),
    read=read,
)
