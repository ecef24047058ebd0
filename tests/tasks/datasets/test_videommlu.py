from pathlib import Path

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_lines, write_parquet
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion

FIRST = VideoQuestion(
    id="chem_7", video="chem_7.mp4", question="What reacts?", answer="Iron", category="Chemistry"
)


def test_a_row_a_question_is_read(tmp_path: Path) -> None:
    row = {
        "video_name": "chem_7",
        "question": "What reacts?",
        "answer": "Iron",
        "discipline": "Chemistry",
    }
    write_parquet(tmp_path / "data" / "test-0.parquet", [row, {**row, "question": "And then?"}])
    tasks = all_tasks(open_tasks("videommlu", tmp_path))
    assert tasks[0] == FIRST
    assert (tasks[1].id, tasks[1].question) == ("chem_7#2", "And then?")


def test_a_row_a_video_is_read(tmp_path: Path) -> None:
    row = {
        "video_id": "m.mp4",
        "discipline": "Math",
        "captions": "long",
        "reasoning_qa": [
            {"question": "How many?", "answer": 5},
            {"question": "Why?", "answer": "Because"},
        ],
    }
    write_lines(tmp_path / "video_mmlu.jsonl", row)
    tasks = all_tasks(open_tasks("videommlu", tmp_path))
    assert [(task.id, task.video, task.question, task.answer) for task in tasks] == [
        ("m.mp4-1", "m.mp4", "How many?", "5"),
        ("m.mp4-2", "m.mp4", "Why?", "Because"),
    ]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"video_name": "a", "question": "?"}, "jsonl:1: needed the key 'answer'"),
        ({"question": "?", "answer": "!"}, "jsonl:1: needed the key 'video_name' or 'video_id'"),
        ({"video_id": "a", "qa": ["?"]}, "jsonl:1 question 1: needed an object with a question"),
        ({"video_id": "a", "qa": []}, "needed at least one task of videommlu, got none"),
    ],
)
def test_a_bad_row_is_an_error(tmp_path: Path, row: dict[str, object], message: str) -> None:
    write_lines(tmp_path / "video_mmlu.jsonl", row)
    with pytest.raises(TaskError, match=message):
        open_tasks("videommlu", tmp_path)
