from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_json, write_parquet
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion

ROW: dict[str, Any] = {
    "id": "validation_1",
    "video": "https://huggingface.co/datasets/yale-nlp/MMVU/resolve/main/videos/Chemistry/0.mp4",
    "youtube_url": "https://www.youtube.com/watch?v=6HuyUxJBY3E",
    "question_type": "multiple-choice",
    "metadata": {"subject": "Chemistry", "textbook": "", "knowledge": [], "rationale": ""},
    "question": "How many grams?",
    "choices": {"A": "10.0", "B": "5.0", "C": "12.0", "D": "15.0", "E": "20.0"},
    "answer": "E",
}
OPEN: dict[str, Any] = {
    **ROW,
    "id": "validation_0",
    "question_type": "open-ended",
    "choices": dict.fromkeys("ABCDE", ""),
    "metadata": {"subject": "Computer_Science"},
    "answer": "Dolly Zoom",
}


def test_choices_and_open_questions_are_read(tmp_path: Path) -> None:
    write_json(tmp_path / "data" / "validation.json", [ROW, OPEN])
    assert all_tasks(open_tasks("mmvu", tmp_path)) == [
        VideoQuestion(
            id="validation_1",
            video="Chemistry/0.mp4",
            question="How many grams?",
            answer="E",
            options=("10.0", "5.0", "12.0", "15.0", "20.0"),
            category="Science",
            labels=(("subject", "Chemistry"), ("question_type", "multiple-choice")),
        ),
        VideoQuestion(
            id="validation_0",
            video="Chemistry/0.mp4",
            question="How many grams?",
            answer="Dolly Zoom",
            category="Engineering",
            labels=(("subject", "Computer Science"), ("question_type", "open-ended")),
        ),
    ]


def test_the_parquet_file_says_the_same(tmp_path: Path) -> None:
    write_json(tmp_path / "json" / "validation.json", [ROW])
    write_parquet(tmp_path / "hub" / "validation-00000-of-00001.parquet", [ROW])
    tasks = [all_tasks(open_tasks("mmvu", tmp_path / name)) for name in ("json", "hub")]
    assert tasks[0] == tasks[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question_type": "essay"}, "question_type needs 'multiple-choice' or 'open-ended'"),
        ({"metadata": {"subject": "Cooking"}}, "subject needs one of the 27 of MMVU, got 'Cook"),
        ({"metadata": "Art"}, "metadata needs an object, got 'Art'"),
        ({"choices": ["a", "b"]}, r"choices needs an object, got \['a', 'b'\]"),
        ({"choices": dict.fromkeys("ABCDE", "")}, "answer needs to be a letter or one of"),
        ({"choices": {"A": 1, "B": 2}}, "A needs a text, got 1"),
        ({"answer": 7}, "answer needs a text, got 7"),
        ({"video": "https://x/videos/../../../etc/passwd"}, "a path needs to stay below"),
    ],
)
def test_a_bad_row_is_an_error_that_names_file_and_row(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "validation.json", [OPEN, {**ROW, **change}])
    with pytest.raises(TaskError, match=rf"validation\.json row 2: {message}"):
        open_tasks("mmvu", tmp_path)
