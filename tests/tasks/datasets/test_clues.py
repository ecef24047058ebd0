"""Benchmarks with evidence: NExT-GQA and CG-Bench, and what answers name of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_file, write_json, write_lines
from zoomgym.errors import TaskError, VideoError
from zoomgym.grading import Segment
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks import Graded, compare
from zoomgym.tasks.datasets.official import SCORINGS

HEADER = "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"
LINES = (
    '4882821564,2697,640,480,"why did the boy, in red, move",unwrap it,1,CW,share,sit,unwrap it,'
    "play,gesture",
    "2435100235,1906,640,480,how is the baby feeling,happy,7,TC,sad,calm,bored,happy,happy",
)
GSUB: dict[str, Any] = {
    "4882821564": {"duration": 90, "location": {"1": [[-0.1, 5.8], [20, 23.5]]}, "fps": 29.97},
    "2435100235": {"duration": 34, "location": {"7": [[1.2, 5.8]]}, "fps": 25},
}
NEXT = {
    "video_id": "4882821564",
    "question": "why did the boy move",
    "answer": "unwrap it",
    "qid": "1",
    "type": "CW",
    **dict(
        zip(("a0", "a1", "a2", "a3", "a4"), ("share", "sit", "unwrap it", "p", "g"), strict=True)
    ),
    "location": [[-0.1, 5.8], [20, 23.5]],
}
CG: dict[str, Any] = {
    "qid": 7,
    "video_uid": "uJ6b",
    "question": "What is in the cup?",
    "answer": "tea",
    "choices": ["milk", "tea", "water"],
    "right_answer": "B",
    "clue_intervals": [[10, 12], [30, 30], [40.5, 45]],
    "duration": 1800.0,
    "domain": "Life Record",
    "sub_category": "Entity Perception",
}


def write_next(folder: Path, *lines: str, gsub: object = GSUB, split: str = "test") -> None:
    write_lines(folder / f"{split}.csv", HEADER, *(lines or LINES))
    write_json(folder / f"gsub_{split}.json", gsub)


@pytest.mark.parametrize("folder", ["", "nextgqa", "datasets/nextgqa"])
@pytest.mark.parametrize("split", ["test", "val"])
def test_rows_of_nextgqa_have_their_segments_as_evidence(
    tmp_path: Path, folder: str, split: str
) -> None:
    write_next(tmp_path / folder, split=split)
    first, second = all_tasks(open_tasks("nextgqa", tmp_path))
    assert first == VideoQuestion(
        id="4882821564-1",
        video="4882821564.mp4",
        question="why did the boy, in red, move",
        answer="C",
        options=("share", "sit", "unwrap it", "play", "gesture"),
        evidence=(Segment(0, 5.8), Segment(20, 23.5)),  # not before the video
        category="CW",
    )
    assert (second.answer, second.options[3:]) == ("D", ("happy", "happy (E)"))  # the first counts


def test_videos_of_nextqa_are_found_in_their_folders(tmp_path: Path) -> None:
    write_next(tmp_path)
    tasks = open_tasks("nextgqa", tmp_path)
    with pytest.raises(VideoError, match=r"test\.csv:2: needed the video '4882821564\.mp4'"):
        tasks.open_video(tasks[0])
    write_file(tmp_path / "NExTVideo" / "0101" / "4882821564.mp4")
    with tasks.open_video(tasks[0]) as video, pytest.raises(VideoError, match="NExTVideo"):
        _ = video.duration_s


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("4882821564,1", r"test\.csv:2: needed as many columns as in the first line"),
        (f"{LINES[0]},more", r"test\.csv:2: needed as many columns as in the first line"),
        (LINES[0].replace("unwrap it,1,", "unwrap,1,"), r"test\.csv:2: answer needs to be one of"),
        (
            LINES[0].replace(",1,CW", ",2,CW"),
            r"test\.csv:2: needed the question's segments in .*gsub",
        ),
        (LINES[0].replace("4882821564", "5"), r"test\.csv:2: needed the question's segments in"),
        (
            '"' + "x" * 200_000,
            r"test\.csv:2: needed a row of CSV, got field larger than field limit",
        ),
    ],
)
def test_a_bad_line_of_nextgqa_is_named(tmp_path: Path, line: str, message: str) -> None:
    write_next(tmp_path, line)
    with pytest.raises(TaskError, match=message):
        open_tasks("nextgqa", tmp_path)


@pytest.mark.parametrize(
    ("gsub", "message"),
    [
        ([], r"gsub_test\.json: needed a JSON object of videos, got \[\]"),
        ({"4882821564": []}, r"test\.csv:2: needed the question's segments in"),
        ({"4882821564": {"location": {"1": "x"}}}, r"test\.csv:2: location needs a list of"),
        ({"4882821564": {"location": {"1": [[5, 1]]}}}, r"test\.csv:2: location needs 0 <= start"),
    ],
)
def test_bad_segments_of_nextgqa_are_named(tmp_path: Path, gsub: object, message: str) -> None:
    write_next(tmp_path, gsub=gsub)
    with pytest.raises(TaskError, match=message):
        open_tasks("nextgqa", tmp_path)


def test_questions_without_their_file_of_segments_are_an_error(tmp_path: Path) -> None:
    write_next(tmp_path)
    (tmp_path / "gsub_test.json").write_text("{")
    with pytest.raises(TaskError, match=r"gsub_test\.json: needed a file of segments"):
        open_tasks("nextgqa", tmp_path)
    (tmp_path / "gsub_test.json").unlink()
    with pytest.raises(TaskError, match=r"gsub_test\.json"):
        open_tasks("nextgqa", tmp_path)


@pytest.mark.parametrize("name", ["cgbench", "cgbench_mini"])
def test_rows_of_cgbench_have_their_clues_as_evidence(tmp_path: Path, name: str) -> None:
    write_json(tmp_path / f"{name}.json", [CG])
    srt = "1\n00:00:01,500 --> 00:00:03,000\nTea?\n"
    write_file(tmp_path / "cg_subtitles" / "uJ6b.srt", srt.encode())
    [task] = all_tasks(open_tasks(name, tmp_path, subtitles=True))
    assert task == VideoQuestion(
        id="7",
        video="uJ6b.mp4",
        question="What is in the cup?\n\nSubtitles ([start, end] in seconds):\n[1.5, 3.0] Tea?",
        answer="B",
        options=("milk", "tea", "water"),
        evidence=(Segment(10, 12), Segment(40.5, 45)),
        category="Entity Perception",
        labels=(("duration", "20 ~ 30"), ("domain", "Life Record")),
    )


@pytest.mark.parametrize(
    ("duration_s", "span"),
    [(1, "0 ~ 10"), (600, "0 ~ 10"), (600.1, "10 ~ 20"), (3600, "50 ~ 60"), (3601, "60+")],
)
def test_durations_of_cgbench_have_its_spans(tmp_path: Path, duration_s: float, span: str) -> None:
    write_json(tmp_path / "cgbench.json", [{**CG, "duration": duration_s}])
    [task] = all_tasks(open_tasks("cgbench", tmp_path))
    assert task.labels[0] == ("duration", span)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"right_answer": "D"}, "row 1: answer needs to be a letter or one of"),
        ({"choices": "tea"}, "row 1: choices needs a list of texts"),
        ({"clue_intervals": "[[1, 2]]"}, r"row 1: clue_intervals needs a list of \[start, end\]"),
        ({"clue_intervals": [[1, 2, 3]]}, r"row 1: clue_intervals needs \[start, end\] in seconds"),
        ({"clue_intervals": [[2, 1]]}, "row 1: clue_intervals needs 0 <= start <= end"),
        ({"clue_intervals": None}, "row 1: needed the key 'clue_intervals'"),
        ({"duration": "long"}, "row 1: duration needs a finite number"),
        ({"video_uid": "../x"}, "row 1: a path needs to stay below the folder"),
    ],
)
def test_a_bad_row_of_cgbench_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    write_json(tmp_path / "cgbench.json", [{**CG, **changes}])
    with pytest.raises(TaskError, match=message):
        open_tasks("cgbench", tmp_path)


TASK = VideoQuestion(
    "q", "v", "?", "B", options=("x", "y"), evidence=(Segment(10, 20), Segment(30, 34))
)


def graded(is_right: bool, *named: tuple[float, float], text: str | None = None) -> Graded:
    answer = text or ("B" if is_right else "A")
    return Graded(TASK, answer, is_right, tuple(Segment(*pair) for pair in named))


def scores(benchmark: str, *answers: Graded) -> dict[str, tuple[float, float]]:
    found = compare(benchmark, answers)
    assert found is not None
    named = {g.name: (g.strict, g.official) for g in found.groups if g.kind == "evidence"}
    return {"all": (found.strict, found.official), **named}


def test_nextgqa_is_scored_by_right_answers_that_name_true_evidence() -> None:
    found = scores(
        "nextgqa",
        graded(True, (10, 15)),  # all of it is true, and half of one segment
        graded(True, (10, 20), (30, 34)),  # the stretch from 10 to 34 is true in 10 of 24 s
        graded(False, (10, 20)),
        graded(True),
    )
    assert found == {
        "all": (0.75, 0.75),
        "Acc@GQA": (0.5, 0.25),
        "mean IoP": (0.75, pytest.approx((1 + 10 / 24 + 1) / 4)),
        "IoP 0.3": (0.75, 0.75),
        "IoP 0.5": (0.75, 0.5),
        "mean IoU": (pytest.approx((5 / 14 + 1 + 10 / 14) / 4),
                     pytest.approx((0.5 + 10 / 24 + 1) / 4)),
        "IoU 0.3": (0.75, 0.75),
        "IoU 0.5": (0.5, 0.5),
    }  # fmt: skip


def test_cgbench_is_scored_by_all_that_answers_name() -> None:
    found = scores(
        "cgbench",
        graded(True, (10, 20), (30, 34)),
        graded(False, (10, 17), text="It is B"),  # half of 14 s: not above 0.5
        graded(False, (10, 20)),
        graded(True),
    )
    assert found == {
        "all": (0.5, 0.75),
        "mean IoU": (pytest.approx((1 + 0.5 + 10 / 14) / 4),) * 2,
        "rec@IoU": (pytest.approx((1 + 0.8 + 1) / 4),) * 2,
        "acc@IoU": (0.25, pytest.approx((1 + 0.8) / 4)),
    }


def test_tasks_without_evidence_score_nothing_and_break_nothing() -> None:
    bare = replace(graded(True, (1, 2)), task=replace(TASK, evidence=()))
    assert scores("nextgqa", bare)["Acc@GQA"] == (0.0, 0.0)
    assert scores("cgbench_mini", bare)["acc@IoU"] == (0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("B", True), ("It is B", True), ("A or B", True), ("b", False), ("AB", False),
        ('```json\n{"result": "B"}\n```', True), ('```json\n{"result": "A"}\n``` or B', False),
        ('```json\n{"result": B}\n```', True), ("```json\n[]\n``` B", True), ("", False),
        ("```json" + "[" * 100_000, False),
    ],
)  # fmt: skip
def test_the_scorer_of_cgbench_takes_a_letter_anywhere(text: str, is_right: bool) -> None:
    assert SCORINGS["cgbench"].is_right(TASK, text) is is_right
