from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_file, write_lines
from zoomgym.errors import TaskError, VideoError
from zoomgym.rules.question import VideoQuestion

ROW: dict[str, Any] = {
    "problem_id": 0,
    "problem": "Why (0:00:00-0:00:30)?  \nD. To sleep.  \nA. To run.  \nB. To eat.  \nC. To fly.",
    "data_type": "video",
    "problem_type": "goal",
    "reasoning": "..",
    "videos": "longvila_videos/I_Q3ajyOrcI.mp4",
    "answer": "<answer>B</answer>",
}


def test_options_stand_in_the_order_of_their_letters_whatever_that_of_their_lines(
    tmp_path: Path,
) -> None:
    write_lines(tmp_path / "test.jsonl", ROW)
    assert all_tasks(open_tasks("longvideoreason", tmp_path)) == [
        VideoQuestion(
            id="0",
            video="I_Q3ajyOrcI.mp4",
            question="Why (0:00:00-0:00:30)?",
            answer="B",
            options=("To run.", "To eat.", "To fly.", "To sleep."),
            category="goal",
        )
    ]


def test_train_and_test_come_from_files_of_their_own(tmp_path: Path) -> None:
    write_lines(tmp_path / "test.jsonl", ROW)
    with pytest.raises(TaskError, match=r"needed train\.jsonl or train\.json or .* got none of th"):
        open_tasks("longvideoreason", tmp_path, split="train")
    write_lines(tmp_path / "train.jsonl", {**ROW, "problem_id": 1, "videos": "x.mp4"})
    assert [
        [task.id for task in all_tasks(open_tasks("longvideoreason", tmp_path, split=split))]
        for split in ("train", "test")
    ] == [["1"], ["0"]]


def test_videos_are_found_as_the_archives_unpack_them(tmp_path: Path) -> None:
    write_lines(tmp_path / "test.jsonl", ROW)
    write_file(tmp_path / "longvideo_eval_subset3" / "I_Q3ajyOrcI.webm")
    tasks = open_tasks("longvideoreason", tmp_path)
    with (
        tasks.open_video(tasks[0]) as video,
        pytest.raises(VideoError, match=r"subset3/I_Q3ajyOrcI\.webm"),
    ):
        _ = video.duration_s


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "<answer>E</answer>"}, "answer needs to be a letter or one of"),
        ({"problem": "Open?"}, "answer needs to be a letter or one of"),
        ({"videos": ["a.mp4"]}, r"videos needs a text, got \['a\.mp4'\]"),
        ({"videos": ".."}, "a path needs to stay below the folder"),
    ],
)
def test_a_bad_row_is_an_error_that_names_file_and_line(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_lines(tmp_path / "test.jsonl", ROW, {**ROW, **change})
    with pytest.raises(TaskError, match=rf"test\.jsonl:2: {message}"):
        open_tasks("longvideoreason", tmp_path)
