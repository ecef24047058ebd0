import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_file, write_json
from zoomgym.errors import TaskError, VideoError
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.timeline import Segment
from zoomgym.tasks.datasets.videozoomer_rl import write_rl_rows

CHOICE: dict[str, Any] = {
    "problem": "<image>What color is it?\nA. red\nB. green",
    "solution": "B",
    "videos": ["clips/a.mp4"],
    "data_source": "longvideo-reason",
    "extra_info": {"answer_type": "multiple_choice"},
    "doc_id": "q-1",
}
OPEN: dict[str, Any] = {
    **CHOICE,
    "problem": "<image>How many?\nA. is no option here",
    "solution": "5",
    "extra_info": {"answer_type": "open_ended"},
    "doc_id": "q-2",
}
TASKS = [
    VideoQuestion(
        id="q-1",
        video="clips/a.mp4",
        question="What color is it?",
        answer="B",
        options=("red", "green"),
        category="longvideo-reason",
    ),
    VideoQuestion(
        id="q-2",
        video="clips/a.mp4",
        question="How many?\nA. is no option here",
        answer="5",
        category="longvideo-reason",
    ),
]


def test_rows_become_tasks_and_tasks_the_same_rows(tmp_path: Path) -> None:
    write_json(tmp_path / "rl.json", [CHOICE, OPEN])
    tasks = all_tasks(open_tasks("videozoomer_rl", tmp_path, split="train"))
    assert tasks == TASKS
    (tmp_path / "again").mkdir()
    write_rl_rows(tmp_path / "again" / "rl.json", tasks)
    assert json.loads((tmp_path / "again" / "rl.json").read_text()) == [CHOICE, OPEN]
    again = all_tasks(open_tasks("videozoomer_rl", tmp_path / "again", split="train"))
    assert again == TASKS


@pytest.mark.parametrize(
    "fields",
    [
        {"question": "What is it?\nC. blue"},
        {"question": "What is in the <image>?"},
        {"options": ("red", "green\n\nAnswer now."), "answer": "A"},
        {"video": "../a.mp4"},
        {"video": "/a.mp4"},
    ],
)
def test_a_task_that_would_be_read_as_another_one_is_not_written(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    task = replace(TASKS[0], **fields)
    with pytest.raises(TaskError, match="q-1: needed a task that such a row can say"):
        write_rl_rows(tmp_path / "rl.json", [TASKS[1], task])
    assert list(tmp_path.iterdir()) == []


def test_evidence_and_labels_are_left_out(tmp_path: Path) -> None:
    task = replace(TASKS[0], evidence=(Segment(1, 2),), labels=(("x", "y"),), answer="green")
    write_rl_rows(tmp_path / "rl.json", [task])
    assert all_tasks(open_tasks("videozoomer_rl", tmp_path, split="train")) == TASKS[:1]


def test_the_rows_are_for_training_only(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="videozoomer_rl has no split 'test': give split='train'"):
        open_tasks("videozoomer_rl", tmp_path, split="test")


def test_an_absolute_path_stays_below_the_folder(tmp_path: Path) -> None:
    outside = write_file(tmp_path / "outside.mp4")
    write_json(tmp_path / "in" / "rl.json", [{**CHOICE, "videos": [str(outside)]}])
    tasks = open_tasks("videozoomer_rl", tmp_path / "in", split="train")
    assert tasks[0].video == str(outside).lstrip("/")
    with pytest.raises(VideoError, match=r"rl\.json row 1: needed the video '.*outside\.mp4' in"):
        tasks.open_video(tasks[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"videos": []}, "videos needs one path, got 0"),
        ({"videos": ["a.mp4", "b.mp4"]}, "videos needs one path, got 2"),
        ({"videos": [None]}, "videos needs a text, got None"),
        ({"videos": ["../a.mp4"]}, "a path needs to stay below the folder, got '../a.mp4'"),
        ({"extra_info": None}, "needed the key 'extra_info'"),
        ({"extra_info": {"answer_type": "song"}}, "answer_type needs 'multiple_choice' or 'open"),
        ({"solution": "C"}, "answer needs to be a letter or one of"),
        ({"solution": float("nan")}, "solution needs a whole number, got nan"),
        ({"problem": "<image>"}, "answer needs to be a letter"),
        ({"doc_id": {}}, "doc_id needs a whole number, got {}"),
    ],
)
def test_a_bad_row_is_an_error_that_names_file_and_row(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "rl.json", [OPEN, {**CHOICE, **change}])
    with pytest.raises(TaskError, match=rf"rl\.json row 2: {message}"):
        open_tasks("videozoomer_rl", tmp_path, split="train")
