from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_file, write_lines
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.timeline import Segment
from zoomgym.tasks.datasets.benchmark import locate_video
from zoomgym.tasks.datasets.lvbench import LVBENCH, read_time_reference

QUESTION = {
    "uid": "4343",
    "question": "What year appears?\n(A) 1636\n(B) 1366\n(C) 1363\n(D) 1633",
    "answer": "D",
    "question_type": ["key information retrieval", "reasoning"],
    "time_reference": "00:15-00:19",
}
VIDEO: dict[str, Any] = {
    "key": "Cm73ma6Ibcs",
    "type": "cartoon",
    "video_info": {"duration_minutes": 70.97, "fps": 25.0},
    "qa": [QUESTION, {**QUESTION, "uid": 4344, "time_reference": "01:00:00-01:02:05"}],
}


def test_every_question_of_a_video_is_a_task_with_evidence_and_all_its_types(
    tmp_path: Path,
) -> None:
    write_lines(tmp_path / "video_info.meta.jsonl", VIDEO)
    first, second = all_tasks(open_tasks("lvbench", tmp_path))
    assert first == VideoQuestion(
        id="4343",
        video="Cm73ma6Ibcs.mp4",
        question="What year appears?",
        answer="D",
        options=("1636", "1366", "1363", "1633"),
        evidence=(Segment(15.0, 19.0),),
        category="cartoon",
        labels=(
            ("question_type", "key information retrieval"),
            ("question_type", "reasoning"),
        ),
    )
    assert (second.id, second.evidence) == ("4344", (Segment(3600.0, 3725.0),))


def test_videos_are_found_where_the_authors_script_puts_them(tmp_path: Path) -> None:
    write_lines(tmp_path / "data" / "video_info.meta.jsonl", VIDEO)
    path = write_file(tmp_path / "scripts" / "videos" / "00000" / "Cm73ma6Ibcs.mp4")
    assert locate_video(LVBENCH, tmp_path, "Cm73ma6Ibcs.mp4") == path


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("", ()),
        ("00:15-00:19", (Segment(15, 19),)),
        ("95:05-96:00", (Segment(5705, 5760),)),
        ("1:02:03 - 1:02:10.5", (Segment(3723, 3730.5),)),
        ("00:30", (Segment(30, 31),)),
        ("00:30-00:30", (Segment(30, 31),)),
        ("00:01-00:02, 00:05-00:06", (Segment(1, 2), Segment(5, 6))),
    ],
)
def test_a_time_reference_is_evidence(text: str, segments: tuple[Segment, ...]) -> None:
    assert read_time_reference(text) == segments


@pytest.mark.parametrize("text", ["soon", "00:19-00:15", "1-2", "00:01-00:02-00:03", "-00:02"])
def test_a_time_reference_that_says_no_time_is_refused(text: str) -> None:
    with pytest.raises(TaskError, match="time_reference needs times like 00:15-00:19, got"):
        read_time_reference(text)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "jsonl:2: needed one JSON object"),
        ({"key": "x"}, "jsonl:2: needed a list of questions under the key 'qa'"),
        ({**VIDEO, "qa": [1]}, "jsonl:2: needed a list of questions under the key 'qa'"),
        ({**VIDEO, "qa": [{**QUESTION, "answer": "E"}]}, "jsonl:2 question 1: answer needs to be"),
        (
            {**VIDEO, "qa": [QUESTION, {**QUESTION, "question_type": "reasoning"}]},
            "jsonl:2 question 2: question_type needs a list of texts, got 'reasoning'",
        ),
        ({**VIDEO, "key": "../x"}, "jsonl:2 question 1: a path needs to stay below the folder"),
        ({**VIDEO, "key": None}, "jsonl:2 question 1: needed the key 'key'"),
        (
            {**VIDEO, "qa": [{**QUESTION, "question": "No options?"}]},
            "jsonl:2 question 1: answer needs to be a letter or one of",
        ),
    ],
)
def test_a_bad_line_is_an_error_that_names_line_and_question(
    tmp_path: Path, line: object, message: str
) -> None:
    write_lines(tmp_path / "data" / "video_info.meta.jsonl", VIDEO, line)
    with pytest.raises(TaskError, match=message):
        open_tasks("lvbench", tmp_path)
