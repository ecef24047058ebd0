from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_json, write_parquet
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion

ROW: dict[str, Any] = {
    "video_id": "86CxyhFV9MI",
    "question": "What does he do when the subtitle says 'now'?",
    "candidates": ["sits", "runs", "swims", "flies", "nothing"],
    "correct_choice": 4,
    "position": [4030, 7571],
    "topic_category": "MR-Movie-Recaps",
    "question_category": "TAA",
    "level": "L2-Relation",
    "id": "86CxyhFV9MI_1",
    "video_path": "86CxyhFV9MI.mp4",
    "subtitle_path": "86CxyhFV9MI_en.json",
    "duration_group": 600,
    "starting_timestamp_for_subtitles": 100,
    "duration": 563.37,
}
TASK = VideoQuestion(
    id="86CxyhFV9MI_1",
    video="86CxyhFV9MI.mp4",
    question="What does he do when the subtitle says 'now'?",
    answer="E",
    options=("sits", "runs", "swims", "flies", "nothing"),
    category="TAA",
    labels=(("duration", "600"), ("level", "L2-Relation"), ("topic", "MR-Movie-Recaps")),
)


def test_rows_are_read_with_three_to_five_options(tmp_path: Path) -> None:
    three = {**ROW, "id": "x", "candidates": ["a", "b", "c"], "correct_choice": 0}
    write_json(tmp_path / "lvb_val.json", [ROW, three])
    tasks = all_tasks(open_tasks("longvideobench", tmp_path))
    assert tasks[0] == TASK
    assert (tasks[1].options, tasks[1].answer) == (("a", "b", "c"), "A")


def test_the_parquet_file_says_the_same(tmp_path: Path) -> None:
    row = {key: value for key, value in ROW.items() if key != "candidates"}
    options = {f"option{i}": option for i, option in enumerate(ROW["candidates"])}
    write_parquet(
        tmp_path / "validation-00000-of-00001.parquet",
        [{**row, **options}, {**row, **options, "option4": "N/A", "correct_choice": 3}],
    )
    tasks = all_tasks(open_tasks("longvideobench", tmp_path))
    assert tasks[0] == TASK
    assert (tasks[1].id, tasks[1].options, tasks[1].answer) == (
        "86CxyhFV9MI_1#2", ("sits", "runs", "swims", "flies"), "D",
    )  # fmt: skip


def test_subtitles_of_both_forms_stand_in_the_question_with_their_times(tmp_path: Path) -> None:
    write_json(tmp_path / "lvb_val.json", [ROW, {**ROW, "id": "x", "subtitle_path": "x.json"}])
    write_json(
        tmp_path / "subtitles" / "86CxyhFV9MI_en.json",
        [
            {"timestamp": [90.0, 99.5], "text": "before the video"},
            {"timestamp": [95.0, 101.5], "text": "<i>hello</i>\nthere"},
            {"timestamp": [130.25, None], "text": "&amp; on"},
        ],
    )
    write_json(
        tmp_path / "subtitles" / "x.json",
        [{"start": "00:01:41.500", "end": "00:01:42", "line": "now"}],
    )
    tasks = open_tasks("longvideobench", tmp_path, subtitles=True)
    assert tasks[0].question == (
        "What does he do when the subtitle says 'now'?\n\n"
        "Subtitles ([start, end] in seconds):\n"
        "[0.0, 1.5] hello there\n"
        "[30.2, 563.4] & on"
    )
    assert tasks.by_id("x").question.endswith("seconds):\n[1.5, 2.0] now")
    plain = open_tasks("longvideobench", tmp_path)
    assert plain[0] == TASK
    assert plain.content_hash != tasks.content_hash


@pytest.mark.parametrize(
    ("cues", "message"),
    [
        ({"text": "x"}, r"en\.json: needed a JSON list of subtitles, got"),
        ([{"text": "x"}], r"en\.json row 1: needed a text and its times"),
        ([{"timestamp": [1], "text": "x"}], "row 1: needed a text and its times"),
        ([{"timestamp": ["a", 2], "text": "x"}], "row 1: needed a text and its times"),
        ([{"start": "1:2:3:4", "end": "00:00:02", "line": "x"}], "row 1: needed a text and its"),
        ([{"timestamp": [1, 2], "text": None}], "row 1: needed a text and its times"),
        (["x"], "row 1: needed a text and its times"),
        ([{"timestamp": [10**400, 2], "text": "x"}], "row 1: needed a text and its times"),
        ([{"start": 1.5, "end": 2.5, "line": "x"}], "row 1: needed a text and its times"),
    ],
)
def test_bad_subtitles_are_named_when_they_are_needed(
    tmp_path: Path, cues: object, message: str
) -> None:
    write_json(tmp_path / "lvb_val.json", [{**ROW, "starting_timestamp_for_subtitles": 0}])
    write_json(tmp_path / "subtitles" / "86CxyhFV9MI_en.json", cues)
    tasks = open_tasks("longvideobench", tmp_path, subtitles=True)
    with pytest.raises(TaskError, match=message):
        _ = tasks[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"subtitle_path": "../../x.json"},
            "a path needs to stay below the folder, got 'subtitles",
        ),
        ({"subtitle_path": None}, "needed the key 'subtitle_path'"),
        ({"starting_timestamp_for_subtitles": "0"}, "starting_.* needs a finite number, got '0'"),
        ({"duration": float("inf")}, "duration needs a finite number, got inf"),
    ],
)
def test_a_row_that_misnames_its_subtitles_matters_only_with_subtitles(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "lvb_val.json", [{**ROW, **change}])
    assert open_tasks("longvideobench", tmp_path)[0] == TASK
    with pytest.raises(TaskError, match=rf"lvb_val\.json row 1: {message}"):
        open_tasks("longvideobench", tmp_path, subtitles=True)


@pytest.mark.parametrize(
    ("name", "got"),
    [
        ("86CxyhFV9MI_en.json", "but there is no folder"),
        ("x" * 300, "but there is no folder"),
        ("\ud800.json", "got 'utf-8' codec can't encode"),
    ],
)
def test_missing_subtitles_are_named(tmp_path: Path, name: str, got: str) -> None:
    write_json(tmp_path / "lvb_val.json", [{**ROW, "subtitle_path": name}])
    tasks = open_tasks("longvideobench", tmp_path, subtitles=True)
    with pytest.raises(TaskError, match=rf"{name}: needed a file of subtitles, {got}"):
        _ = tasks[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"correct_choice": 5}, "answer needs an index of 5 options, got 5"),
        ({"correct_choice": -1}, "answer needs an index of 5 options, got -1"),
        ({"correct_choice": True}, "correct_choice needs a whole number, got True"),
        ({"correct_choice": float("nan")}, "correct_choice needs a whole number, got nan"),
        ({"candidates": []}, "answer needs an index of 0 options"),
        ({"candidates": "abc"}, "candidates needs a list of texts, got 'abc'"),
        ({"candidates": ["a", float("nan")]}, "candidates needs a text, got nan"),
        ({"video_path": "../../etc/passwd"}, "a path needs to stay below the folder"),
        ({"video_path": "a/../../b.mp4"}, "a path needs to stay below the folder"),
        ({"video_path": "x" * 1001}, "a path needs to stay below the folder"),
        ({"video_path": "a\0b.mp4"}, "a path needs to stay below the folder"),
        ({"question": "x" * 100_001}, "question needs at most 100000 characters, got 100001"),
        ({"id": None}, "needed the key 'id', got"),
    ],
)
def test_a_bad_row_is_an_error_that_names_file_and_row(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "lvb_val.json", [ROW, {**ROW, **change}])
    with pytest.raises(TaskError, match=rf"lvb_val\.json row 2: {message}"):
        open_tasks("longvideobench", tmp_path)
