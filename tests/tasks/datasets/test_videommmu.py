from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_parquet
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion

ROW: dict[str, Any] = {
    "id": "validation_Art_Theory_1",
    "question": "Which style is shown?",
    "options": ["Baroque", "Rococo", "A", "B", "C", "D", "E"],
    "answer": "G",
    "question_type": "multiple-choice",
    "image": {"bytes": b"\x89PNG", "path": "1.png"},
}


def write_tracks(folder: Path, adaptation: dict[str, Any]) -> None:
    for track in ("Perception", "Comprehension"):
        write_parquet(folder / track / "test-00000-of-00001.parquet", [ROW])
    write_parquet(folder / "Adaptation" / "test-00000-of-00001.parquet", [adaptation])


def test_the_three_tracks_are_read_with_open_questions_and_many_options(tmp_path: Path) -> None:
    number = {**ROW, "id": "dev_Mechanical_Engineering_2", "options": None, "answer": "0.6"}
    write_tracks(tmp_path, {**number, "question_type": "open"})
    tasks = all_tasks(open_tasks("videommmu", tmp_path))
    assert tasks[0] == VideoQuestion(
        id="perception-validation_Art_Theory_1",
        video="Art/validation_Art_Theory_1.mp4",
        question="Which style is shown?\n(A quiz in the last frames of the video is not meant.)",
        answer="G",
        options=("Baroque", "Rococo", "A", "B", "C", "D", "E"),
        category="Art",
        labels=(("track", "Perception"), ("subject", "Art_Theory")),
    )
    assert tasks[1].id == "comprehension-validation_Art_Theory_1"
    assert tasks[2] == VideoQuestion(
        id="adaptation-dev_Mechanical_Engineering_2",
        video="Engineering/dev_Mechanical_Engineering_2.mp4",
        question=(
            "Which style is shown?\n(The image of this question is shown at the end of the video.)"
        ),
        answer="0.6",
        category="Engineering",
        labels=(("track", "Adaptation"), ("subject", "Mechanical_Engineering")),
    )


def test_an_answer_whose_letter_is_another_options_text_is_still_that_letter(
    tmp_path: Path,
) -> None:
    write_tracks(tmp_path, {**ROW, "answer": "C"})
    task = open_tasks("videommmu", tmp_path)[2]
    assert (task.answer, task.truth, task.grade("C"), task.grade("E")) == ("(C)", "C", True, False)


def test_an_id_without_a_subject_and_a_track_without_files_are_errors(tmp_path: Path) -> None:
    write_tracks(tmp_path, {**ROW, "id": "validation_Cooking_1"})
    with pytest.raises(TaskError, match="row 1: id needs to hold a subject, as in 'validation_Art"):
        open_tasks("videommmu", tmp_path)
    with pytest.raises(TaskError, match=r"needed Perception/\*\.parquet or data/Perception"):
        open_tasks("videommmu", tmp_path / "Adaptation")
