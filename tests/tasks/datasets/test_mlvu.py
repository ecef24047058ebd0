from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import (
    all_tasks,
    open_tasks,
    write_file,
    write_json,
    write_parquet,
)
from zoomgym.errors import TaskError, VideoError
from zoomgym.rules.question import VideoQuestion

PLOT = {
    "video": "movie101_66.mp4",
    "duration": 246,
    "question": "What color is he?",
    "candidates": ["Yellow", "Red", "Green", "Blue"],
    "answer": "Green",
    "question_type": "plotQA",
}


def dev(folder: Path, **files: list[dict[str, Any]]) -> list[VideoQuestion]:
    for name, rows in files.items():
        write_json(folder / "json" / f"{name.removeprefix('f')}.json", rows)
    return all_tasks(open_tasks("mlvu", folder))


def test_the_authors_files_are_read_in_order_with_answers_as_texts(tmp_path: Path) -> None:
    needle = {**PLOT, "question_type": "findNeedle", "candidates": ["B", "A"], "answer": "A"}
    summary = {
        "video": "s.mp4",
        "question": "Sum up.",
        "answer": "Well",
        "question_type": "summary",
    }
    tasks = dev(tmp_path, f2_needle=[needle], f1_plotQA=[PLOT], f9_summary=[summary])
    assert tasks == [
        VideoQuestion(
            id="plotQA-1",
            video="1_plotQA/movie101_66.mp4",
            question="What color is he?",
            answer="C",
            options=("Yellow", "Red", "Green", "Blue"),
            category="plotQA",
        ),
        VideoQuestion(
            id="needle-1",
            video="2_needle/movie101_66.mp4",
            question="What color is he?",
            answer="(B)",  # `B` would be the text of option A
            options=("B", "A"),
            category="needle",
        ),
    ]
    assert tasks[1].truth == "B"


def test_repeated_and_blank_options_are_told_apart_and_letters_stay(tmp_path: Path) -> None:
    blank = {**PLOT, "candidates": ["", "yes", "no", ""], "answer": "no"}
    twice = {**PLOT, "candidates": ["Six", "Three", "Three", "Eight"], "answer": "Eight"}
    tasks = dev(tmp_path, f1_plotQA=[blank, twice])
    assert [(task.options, task.answer) for task in tasks] == [
        (("(blank)", "yes", "no", "(blank) (D)"), "C"),
        (("Six", "Three", "Three (C)", "Eight"), "D"),
    ]


def test_known_faults_of_the_files_are_mended(tmp_path: Path) -> None:
    nothing = {**PLOT, "candidates": ["", "", "", ""], "answer": ""}
    drone = {
        **PLOT,
        "candidates": ["Fishing", "Catching the drone"],
        "answer": "Catching a flying drone quadcopter",
    }
    tasks = dev(tmp_path, f7_topic_reasoning=[nothing, drone])
    assert [(task.id, task.answer) for task in tasks] == [("plotQA-2", "B")]


def test_the_parquet_files_hold_options_as_lines_and_answers_as_letters(tmp_path: Path) -> None:
    row = {
        "video_name": "test_AR-1.mp4",
        "question": "What is odd?\n(A) Fire\n(B) Theft\n(C) Fight\n(D) Fall\n(E) Rain\n(F) Nothing",
        "candidates": ["Fire", "Theft", "Fight", "Fall", "Rain", "Nothing"],
        "answer": "F",
        "task_type": "anomaly_reco",
        "question_id": "AR_0",
    }
    write_parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [row])
    [task] = all_tasks(open_tasks("mlvu_test", tmp_path))
    assert task == VideoQuestion(
        id="AR_0",
        video="test_AR-1.mp4",
        question="What is odd?",
        answer="F",
        options=("Fire", "Theft", "Fight", "Fall", "Rain", "Nothing"),
        category="anomaly_reco",
    )
    without = {key: value for key, value in row.items() if key != "candidates"}
    write_parquet(tmp_path / "other" / "data" / "test.parquet", [without])
    assert all_tasks(open_tasks("mlvu", tmp_path / "other")) == [task]


def test_an_answer_that_is_no_option_names_file_and_row(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"1_plotQA\.json row 2: answer needs to be a letter or on"):
        dev(tmp_path, f1_plotQA=[PLOT, {**PLOT, "answer": "Violet"}])


def test_videos_lie_in_a_folder_for_each_file(tmp_path: Path) -> None:
    write_json(tmp_path / "json" / "1_plotQA.json", [PLOT])
    write_file(tmp_path / "video" / "1_plotQA" / "movie101_66.mkv")
    tasks = open_tasks("mlvu", tmp_path)
    with tasks.open_video(tasks[0]) as video, pytest.raises(VideoError, match=r"movie101_66\.mkv"):
        _ = video.duration_s
