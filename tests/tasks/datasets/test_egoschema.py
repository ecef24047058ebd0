from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_json, write_parquet
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion

OPTIONS = ("C cooks.", "C cleans.", "C reads.", "C sleeps.", "C plays.")
UID = "0074f737-11cb-497d-8d07-77c3a8127391"


def task(name: str, index: str) -> VideoQuestion:
    return VideoQuestion(
        id=name, video=f"{UID}.mp4", question="What does C do?", answer=index, options=OPTIONS
    )


def test_the_subset_of_the_hub_is_read(tmp_path: Path) -> None:
    row = {
        "question_idx": "1",
        "question": "What does C do?",
        "video_idx": UID,
        "option": [f"{letter}. {text}" for letter, text in zip("ABCDE", OPTIONS, strict=True)],
        "answer": "3",
    }
    write_parquet(tmp_path / "Subset" / "test-00000-of-00001.parquet", [row])
    assert all_tasks(open_tasks("egoschema", tmp_path)) == [task("1", "D")]


def author_files(folder: Path, answers: object) -> None:
    question: dict[str, Any] = {
        "q_uid": UID,
        "question": "What does C do?",
        **{f"option {i}": text for i, text in enumerate(OPTIONS)},
    }
    write_json(folder / "questions.json", [question, {**question, "q_uid": "secret"}])
    write_json(folder / "subset_answers.json", answers)


def test_the_authors_files_give_the_questions_whose_answers_are_public(tmp_path: Path) -> None:
    author_files(tmp_path, {UID: 4, "other": 1})
    assert all_tasks(open_tasks("egoschema", tmp_path)) == [task(UID, "E")]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({UID: 5}, "questions.json row 1: answer needs an index of 5 options, got 5"),
        ({UID: "B"}, "questions.json row 1: answer needs the index of an option, got 'B'"),
        ({UID: None}, "questions.json row 1: needed the key 'answer'"),
        ({}, "needed at least one task of egoschema, got none"),
        ([1], "subset_answers.json: needed one JSON object of answers"),
    ],
)
def test_bad_answers_are_named(tmp_path: Path, answers: object, message: str) -> None:
    author_files(tmp_path, answers)
    with pytest.raises(TaskError, match=message):
        open_tasks("egoschema", tmp_path)
