"""Benchmarks whose answers are segments: Charades-STA and ExtremeWhenBench, and their scores."""

import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import (
    all_tasks,
    open_tasks,
    write_file,
    write_json,
    write_lines,
    write_parquet,
)
from zoomgym.errors import TaskError, VideoError
from zoomgym.grading import Segment, read_segment
from zoomgym.grading.registry import make_grader
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks import Graded, compare
from zoomgym.tasks.datasets.moments import read_charades, read_extremewhen

LINES = "3MSZA 24.3 30.4##person turn a light on.\nAMT7R 4.3 12.5##a person hangs a picture.\n"
CHARADES: dict[str, Any] = {
    "video": "3MSZA.mp4",
    "caption": "person turn a light on.",
    "timestamp": [24.3, 30.4],
}
EXTREME: dict[str, Any] = {
    "qid": "abc_q042",
    "video_id": "abc",
    "source_corpus": "VideoMME",
    "question": "When does a woman with round glasses speak?",
    "correct_interval": [1805, 1822],
    "duration_s": 17,
    "video_duration_s": 4271,
    "category": "reaction",
}
FORM = "Answer with its start and end in seconds from the beginning of the video, like 12.5 - 15.0"


def test_the_form_that_questions_ask_for_is_read_by_everyone() -> None:
    for read in (read_segment, read_charades, read_extremewhen):
        assert read("12.5 - 15.0") == Segment(12.5, 15.0)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_lines_of_charades_sta_ask_when_a_sentence_happens(tmp_path: Path, ending: str) -> None:
    write_file(tmp_path / "charades_sta_test.txt", LINES.replace("\n", ending).encode())
    first, second = all_tasks(open_tasks("charades_sta", tmp_path))
    assert first == VideoQuestion(
        id="3MSZA-1",
        video="3MSZA.mp4",
        question=f"When does this happen: person turn a light on.\n{FORM}",
        answer="[24.3, 30.4]",
    )
    assert (second.id, second.answer) == ("AMT7R-2", "[4.3, 12.5]")
    assert first.grade("24.3 - 30.4", make_grader("segment"))


def test_rows_of_charades_sta_on_the_hub_keep_their_half_precision(tmp_path: Path) -> None:
    pyarrow, numpy = map(importlib.import_module, ("pyarrow", "numpy"))
    times = pyarrow.array(
        [list(map(numpy.float16, [24.3, 30.4]))], pyarrow.list_(pyarrow.float16())
    )
    table = pyarrow.table({"video": ["3MSZA.mp4"], "caption": ["x"], "timestamp": times})
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "test-00000-of-00001.parquet"
    importlib.import_module("pyarrow.parquet").write_table(table, path)
    [task] = all_tasks(open_tasks("charades_sta", tmp_path))
    assert (task.id, task.video, task.answer) == ("3MSZA-1", "3MSZA.mp4", "[24.296875, 30.40625]")


def test_lines_that_end_before_they_start_are_skipped(tmp_path: Path) -> None:
    lines = ("AO8RW 0.0 6.9##a person reads.", "LEOL6 8.0 7.0##x.", "Y6R7T 20.8 30.0##plays.")
    write_lines(tmp_path / "charades_sta_train.txt", *lines)
    tasks = all_tasks(open_tasks("charades_sta", tmp_path, split="train"))
    assert [task.id for task in tasks] == ["AO8RW-1", "Y6R7T-3"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("3MSZA 24.3##x", r"test\.txt:2: needed a line like '3MSZA 24\.3 30\.4##person turn a"),
        ("3MSZA 24.3 30.4 x", r"test\.txt:2: needed a line like"),
        ("3MSZA 24.3 nan##x", r"test\.txt:2: needed a line like"),
        ("3MSZA 24.3 24.3##x", r"test\.txt:2: timestamp needs an end after its start"),
        ("3MSZA 24.3 30.4## ", r"test\.txt:2: caption needs a text, got none"),
        ("../x 24.3 30.4##x", r"test\.txt:2: a path needs to stay below the folder"),
    ],
)
def test_a_bad_line_of_charades_sta_is_named(tmp_path: Path, line: str, message: str) -> None:
    write_lines(tmp_path / "charades_sta_test.txt", LINES.split("\n")[0], line)
    with pytest.raises(TaskError, match=message):
        open_tasks("charades_sta", tmp_path)


def test_text_that_is_none_names_its_file(tmp_path: Path) -> None:
    write_file(tmp_path / "charades_sta_test.txt", b"3MSZA 24.3 30.4##\xff")
    with pytest.raises(TaskError, match=r"charades_sta_test\.txt: needed a file of tasks"):
        open_tasks("charades_sta", tmp_path)


@pytest.mark.parametrize("name", ["Charades_v1_480/3MSZA.mp4", "Charades_v1/3MSZA.mp4"])
def test_videos_of_charades_are_found(tmp_path: Path, name: str) -> None:
    write_lines(tmp_path / "charades_sta_test.txt", LINES.split("\n")[0])
    tasks = open_tasks("charades_sta", tmp_path)
    with pytest.raises(VideoError, match=r"test\.txt:1: needed the video '3MSZA\.mp4' in"):
        tasks.open_video(tasks[0])
    write_file(tmp_path / name)
    with tasks.open_video(tasks[0]) as video, pytest.raises(VideoError, match=r"3MSZA\.mp4"):
        _ = video.duration_s


@pytest.mark.parametrize("form", ["data/test-0.parquet", "all.json", "all.jsonl"])
def test_rows_of_extremewhenbench_ask_when(tmp_path: Path, form: str) -> None:
    if form.endswith("parquet"):
        write_parquet(tmp_path / form, [EXTREME])
    elif form.endswith("l"):
        write_lines(tmp_path / form, EXTREME)
    else:
        write_json(tmp_path / form, [EXTREME])
    [task] = all_tasks(open_tasks("extremewhenbench", tmp_path))
    assert task == VideoQuestion(
        id="abc_q042",
        video="abc.mp4",
        question=f"When does a woman with round glasses speak?\n{FORM}",
        answer="[1805.0, 1822.0]",
        category="reaction",
        labels=(("source_corpus", "VideoMME"),),
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"correct_interval": [1805]}, r"row 1: correct_interval needs \[start, end\] in seconds"),
        ({"correct_interval": "1-2"}, r"row 1: correct_interval needs \[start, end\] in seconds"),
        ({"correct_interval": [5, 5]}, "row 1: correct_interval needs an end after its start"),
        ({"correct_interval": [9, 5]}, "row 1: correct_interval needs 0 <= start <= end"),
        ({"correct_interval": [-9, 5]}, "row 1: correct_interval needs 0 <= start <= end"),
        ({"correct_interval": [True, 5]}, r"row 1: correct_interval needs \[start, end\]"),
        ({"question": None}, "row 1: needed the key 'question'"),
        ({"source_corpus": ""}, "row 1: labels need texts"),
    ],
)
def test_a_bad_row_of_extremewhenbench_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "all.json", [{**EXTREME, **changes}])
    with pytest.raises(TaskError, match=message):
        open_tasks("extremewhenbench", tmp_path)


@pytest.mark.parametrize(
    ("text", "charades", "extreme"),
    [
        ("The event happens in the 24.3 - 30.4 seconds.", (24.3, 30.4), (24.3, 30.4)),
        ("24.3 to 30.4", (24.3, 30.4), None),
        ("30.4 - 24.3", (24.3, 30.4), (24.3, 30.4)),
        ("24.3~30.4", None, (24.3, 30.4)),
        ("24.3 – 30.4", None, (24.3, 30.4)),
        ("[24.3, 30.4]", None, None),
        ("It starts at 3 seconds.\nIt ends at 12.5 seconds.", (3, 12.5), None),
        ("It starts at 3 and ends at 12.5 seconds.", None, None),
        ("from 0:12 - 0:15", (0, 12), (0, 12)),  # faults, and known as such
        ("1 - 2! It happens at 8 - 9", (1, 2), (8, 9)),
        ("1..2 - 3", None, (2, 3)),
        ("", None, None),
        ("9" * 4096, None, None),
        ("1" + " " * 4095, None, None),
        ("1." * 2048, None, None),
    ],
)
def test_scorers_of_grounding_read_segments_in_their_own_way(
    text: str, charades: tuple[float, float] | None, extreme: tuple[float, float] | None
) -> None:
    assert read_charades(text) == charades
    assert read_extremewhen(text) == extreme


def graded(answer: str | None, number: int = 0) -> Graded:
    task = VideoQuestion(f"q{number}", "v", "When?", "[10, 20]")
    return Graded(task, answer, is_right=False)


def test_grounding_is_scored_by_iou_read_strictly_and_officially() -> None:
    answers = [
        graded("10 - 20", 0),
        graded("[10, 16]", 1),  # the scorers need a dash
        graded("It happens in the 10 - 14 seconds.", 2),
        graded(None, 3),
    ]
    found = compare("charades_sta", answers)
    assert found is not None
    assert (found.name, found.num_tasks) == ("mean IoU", 4)
    assert (found.strict, found.official) == (pytest.approx(1.6 / 4), pytest.approx(1.4 / 4))
    assert [(g.kind, g.name, g.num_tasks, g.strict, g.official) for g in found.groups] == [
        ("R@1", "IoU 0.3", 4, 0.5, 0.5), ("R@1", "IoU 0.5", 4, 0.5, 0.25),
        ("R@1", "IoU 0.7", 4, 0.25, 0.25),
    ]  # fmt: skip
    assert [(one.task.id, one.is_right) for one in found.parted] == [("q1", True)]
    extreme = compare("extremewhenbench", answers)
    assert extreme is not None
    assert extreme.groups[:3] == found.groups
    assert [(g.kind, g.name, g.strict, g.official) for g in extreme.groups[3:]] == [
        ("unread", "no segment", 0.5, 0.5)
    ]


def test_records_that_claim_to_be_of_a_benchmark_are_scored_without_its_segments() -> None:
    task = VideoQuestion("q", "v", "When?", "soon")
    found = compare("charades_sta", [Graded(task, "10 - 20", is_right=False)])
    assert found is not None
    assert (found.strict, found.official) == (0.0, 0.0)
