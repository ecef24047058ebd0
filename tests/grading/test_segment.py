"""Answers that are a segment of a video: how they are read, and when they are right."""

import random
from pathlib import Path

import pytest

from tests.benchmarks.episodes import played as played_without_video
from tests.benchmarks.test_leaderboard import lines
from tests.clips import first_video
from tests.grading.test_registry import Answering
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.grading import Segment, overlap, read_segment, true_segment, write_segment
from zoomgym.grading.registry import make_grader
from zoomgym.grading.segment import SegmentGrader, answer_iou
from zoomgym.records import Record, replay
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets import write_manifest
from zoomgym.tasks.synthetic import SyntheticTasks

TRUTH = "[12.5, 15.0]"
TASK = VideoQuestion("s", "v", "When does it start?", TRUTH)


@pytest.mark.parametrize(
    ("text", "segment"),
    [
        ("[12.5, 15.0]", (12.5, 15)),
        (" [12.5,15] ", (12.5, 15)),
        ("(12.5, 15.0)", (12.5, 15)),
        ("[12.5, 15.0)", (12.5, 15)),
        ("[12.5s, 15.0s]", (12.5, 15)),
        ("[12.5, 15.0] seconds", (12.5, 15)),
        ("[12.5 - 15.0]", (12.5, 15)),
        ("12.5 - 15.0", (12.5, 15)),
        ("12.5-15", (12.5, 15)),
        ("12.5 – 15.0 s", (12.5, 15)),
        ("12.5s—15s", (12.5, 15)),
        ("12.5~15.0", (12.5, 15)),
        ("12.5 to 15.0 seconds", (12.5, 15)),
        ("12.5 Seconds To 15.0 Seconds.", (12.5, 15)),
        ("From 12.5s to 15s", (12.5, 15)),
        (".5 - 1", (0.5, 1)),
        ("12.333333333333334 - 15", (12.333333333333334, 15)),
        ("0:12.5 - 0:15", (12.5, 15)),
        ("[01:02, 01:10]", (62, 70)),
        ("1:00:00 - 1:02:05", (3600, 3725)),
        ("95:05 - 96:00", (5705, 5760)),
        (r"\boxed{[12.5, 15.0]}", (12.5, 15)),
        ("0 - 1", (0, 1)),
    ],
)
def test_a_segment_is_read_however_people_write_one(
    text: str, segment: tuple[float, float]
) -> None:
    assert read_segment(text) == Segment(*segment)


@pytest.mark.parametrize(
    "text",
    [
        "", "12.5", "[12.5]", "[12.5, 15.0, 16]", "15 - 12.5", "[15.0, 12.5]", "12 - 12",
        "-1 - 5", "[-1, 5]", "12,500", "12, 15", "[12, 15", "12, 15]", "The event is at 12 - 15",
        "12 - 15, I think", "[12, 15] [20, 25]", "[[12, 15]]", "1:75 - 2:00", "1:2:3:4 - 2:00",
        "12 15", "12 and 15", "12 m - 15 m", "nan - inf", "[NaN, 15]", "1e1 - 1e2", "12 - 15 s s",
        "twelve to fifteen", "\N{ARABIC-INDIC DIGIT ONE} - 5", r"\boxed{12 - 15", "12to15",
        f"{'9' * 400} - {'9' * 401}", "[" * 5000, "1 - " + "2" * 5000,
    ],
)  # fmt: skip
def test_what_is_no_single_segment_is_not_guessed(text: str) -> None:
    assert read_segment(text) is None


@pytest.mark.parametrize(
    ("truth", "segment"),
    [
        (TRUTH, (12.5, 15.0)),
        ("[0, 9]", (0.0, 9.0)),
        ("1-2", None),  # a score: only JSON asks for a segment
        ("(0, 9)", None),
        ("[9, 0]", None),
        ("[-1, 9]", None),
        ("[0, NaN]", None),
        ("[true, 2]", None),
        ('["0", "9"]', None),
        ("[0, 9, 10]", None),
        ("[" * 90, None),
        ("[" * 10**6, None),
        ("3", None),
    ],
)
def test_a_task_asks_for_a_segment_if_its_answer_is_one_in_json(
    truth: str, segment: tuple[float, float] | None
) -> None:
    assert true_segment(truth) == (segment and Segment(*segment))


def test_a_written_segment_is_read_as_the_same() -> None:
    rng = random.Random(0)
    for _ in range(200):
        segment = Segment(start := rng.uniform(0, 1e4), start + rng.uniform(1e-3, 1e3))
        assert true_segment(write_segment(segment)) == segment
        assert answer_iou(write_segment(segment), write_segment(segment)) == 1.0


@pytest.mark.parametrize(
    ("answer", "iou"),
    [
        ("12.5 - 15", 1.0),
        ("[12.5, 13.75]", 0.5),
        ("[10, 15]", 0.5),
        ("[0, 25]", 0.1),
        ("[15, 20]", 0.0),
        ("the end", 0.0),
        (None, 0.0),
    ],
)
def test_an_answer_overlaps_by_intersection_over_union(answer: str | None, iou: float) -> None:
    assert answer_iou(answer, TRUTH) == iou
    assert answer_iou(answer, "a cat") is None


@pytest.mark.parametrize(
    ("setting", "answer", "is_right"),
    [
        ("segment", "[12.5, 13.75]", True),  # 0.5 is enough
        ("segment", "[12.5, 13.7]", False),
        ({"segment": {}}, "[12.5, 13.75]", True),
        ({"segment": {"iou": 0.7}}, "[12.5, 13.75]", False),
        ({"segment": {"iou": 0.7}}, "[12.5, 14.25]", True),
        ({"segment": {"iou": 1}}, "0:12.5 to 0:15", True),
        ("strict", "[12.5, 13.75]", False),
        ("strict", TRUTH, True),
    ],
)
def test_a_segment_is_right_from_a_threshold_on(
    setting: object, answer: str, is_right: bool
) -> None:
    assert TASK.grade(answer, make_grader(setting)) is is_right  # type: ignore[arg-type]


def test_answers_that_are_no_segment_are_graded_strictly() -> None:
    grader = make_grader("segment")
    assert grader.name == "segment:0.5"
    assert VideoQuestion("s", "v", "?", "1-2").grade("1-2", grader)
    assert not VideoQuestion("s", "v", "?", "1-2").grade("1 to 2", grader)
    assert VideoQuestion("s", "v", "?", "3").grade("3.0", grader)
    assert not VideoQuestion("s", "v", "?", "a cat").grade("[12.5, 15.0]", grader)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"segment": None}, r"segment needs no settings but \['iou'\], got None"),
        ({"segment": {"IoU": 0.5}}, "segment needs no settings but"),
        ({"segment": {"iou": 0}}, "segment iou needs a number above 0 up to 1, got 0"),
        ({"segment": {"iou": 1.1}}, "segment iou needs a number above 0 up to 1, got 1.1"),
        ({"segment": {"iou": "half"}}, "segment iou needs a number above 0 up to 1"),
        ({"segment": {"iou": float("nan")}}, "segment iou needs a number above 0 up to 1"),
        ({"segment": {"iou": True}}, "segment iou needs a number above 0 up to 1"),
    ],
)
def test_settings_that_a_segment_cannot_have_are_refused(setting: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_grader(setting)  # type: ignore[arg-type]


def test_the_overlap_of_sets_counts_every_moment_once() -> None:
    assert overlap([Segment(0, 2), Segment(1, 4)], [Segment(2, 6)]) == 2 / 6
    assert overlap([], []) == 0.0


def record_of(answer: str, agent: str, number: int, truth: str = TRUTH) -> Record:
    task = VideoQuestion(f"q{number}", f"v{number}", "When?", truth)
    return played_without_video(f'{{"answer": "{answer}"}}', task=task, agent=agent)


def test_a_leaderboard_shows_how_far_segments_overlap() -> None:
    records = [
        record_of("12.5 - 15", "a", 0),
        record_of("[12.5, 13.75]", "a", 1),
        record_of("[12.5, 13.5]", "a", 2),
        record_of("soon", "a", 3),
        record_of("a cat", "b", 4, "a cat"),
    ]
    found = lines(records, "segments")
    assert list(found) == [("a",)]  # b was not asked for one
    row = found["a",]
    assert list(row) == ["episodes", "mean IoU", "IoU@0.3", "IoU@0.5", "IoU@0.7"]
    assert row["episodes"] == 4
    assert [row[name].mean for name in list(row)[1:]] == [  # type: ignore[union-attr]
        pytest.approx((1 + 0.5 + 0.4) / 4), 0.75, 0.5, 0.25,
    ]  # fmt: skip


def test_segments_and_numbers_of_a_manifest_are_played_graded_and_kept(tmp_path: Path) -> None:
    tasks = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    video = first_video(tasks, tmp_path).name
    rows = [
        VideoQuestion("when", video, "When does the car stop?", TRUTH),
        VideoQuestion("many", video, "How many cars are there?", "1,200"),
    ]
    write_manifest(tmp_path / "tasks.jsonl", rows)
    env = ZoomEnv(tmp_path / "tasks.jsonl", grader={"segment": {"iou": 0.3}}, frame_size=(8, 8))
    assert [env.tasks[0].answer, env.tasks[1].answer] == [TRUTH, "1,200"]
    played = {
        (task_id, answer): play_episode(
            env, Answering(f'{{"answer": "{answer}"}}'), agent_name="a", task_id=task_id, seed=0
        )
        for task_id, answer in [
            ("when", "12.5s to 13.5s"), ("when", "1 to 2"), ("many", "1200.0"), ("many", "1201"),
        ]
    }  # fmt: skip
    env.close()
    assert [one.reward_parts.accuracy for one in played.values()] == [1.0, 0.0, 1.0, 0.0]
    assert {one.grading for one in played.values()} == {"segment:0.3"}
    for one in played.values():
        again = Record.from_json(one.to_json())
        assert again == one
        assert replay(again).is_right == bool(one.reward_parts.accuracy)


def test_the_grader_of_segments_is_a_value() -> None:
    assert make_grader("segment") == SegmentGrader(0.5)
    assert SegmentGrader(1).name == "segment:1.0"
