from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_file, write_parquet
from zoomgym.errors import TaskError, VideoError
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets.subtitles import MAX_SUBTITLE_CHARS

ROW: dict[str, Any] = {
    "video_id": "001",
    "duration": "short",
    "domain": "Knowledge",
    "sub_category": "Humanity & History",
    "url": "https://www.youtube.com/watch?v=fFjv93ACGo8",
    "videoID": "fFjv93ACGo8",
    "question_id": "001-1",
    "task_type": "Counting Problem",
    "question": "Which ornament is not red?",
    "options": [
        "A. Apples.",
        "B. Candles.",
        "C. Berries.",
        "D. The three kinds are of one number.",
    ],
    "answer": "C",
}
SRT = """1
00:00:01,500 --> 00:00:03,000
<font color="white" size=".72c">Merry</font>
<font color="white" size=".72c">Christmas</font>

2
00:00:04,000 --> 00:00:05,250
Candles &amp; berries
3
01:00:00,000 --> 01:00:01,000
The end
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [ROW, {**ROW, "videoID": "zzz", "question_id": "002-1", "answer": "A"}]
    write_parquet(tmp_path / "videomme" / "test-00000-of-00001.parquet", rows)
    return tmp_path


def test_rows_are_read_without_the_letters_of_their_options(folder: Path) -> None:
    tasks = open_tasks("videomme", folder)
    assert tasks[0] == VideoQuestion(
        id="001-1",
        video="fFjv93ACGo8.mp4",
        question="Which ornament is not red?",
        answer="C",
        options=("Apples.", "Candles.", "Berries.", "The three kinds are of one number."),
        category="Counting Problem",
        labels=(
            ("duration", "short"),
            ("domain", "Knowledge"),
            ("sub_category", "Humanity & History"),
        ),
    )
    assert (tasks.name, tasks.version, len(tasks)) == ("videomme", "0", 2)
    assert tasks.by_id("002-1") == tasks[1]
    with pytest.raises(TaskError, match="task_id needs to be one of its 2 ids, like '001-1'"):
        tasks.by_id("003-1")


def test_the_hash_is_that_of_the_content_wherever_it_lies(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    rows = [ROW, {**ROW, "videoID": "zzz", "question_id": "002-1", "answer": "A"}]
    write_parquet(other / "test-0.parquet", rows)
    assert open_tasks("videomme", folder).content_hash == open_tasks("videomme", other).content_hash


def test_a_missing_video_names_the_row(folder: Path) -> None:
    tasks = open_tasks("videomme", folder)
    with pytest.raises(
        VideoError,
        match=r"parquet row 2: needed the video 'zzz\.mp4' in .* \(in data, video, videos, \.\)",
    ):
        tasks.open_video(tasks[1])


@pytest.mark.parametrize("name", ["data/zzz.mp4", "data/zzz.MP4", "videos/zzz.mkv", "zzz.webm"])
def test_a_video_is_found_where_people_keep_it(folder: Path, name: str) -> None:
    write_file(folder / name)
    tasks = open_tasks("videomme", folder)
    with (
        tasks.open_video(tasks[1]) as video,
        pytest.raises(VideoError, match=name.rpartition("/")[2]),
    ):
        _ = video.duration_s


def test_there_is_a_test_split_only(folder: Path) -> None:
    with pytest.raises(TaskError, match="videomme has no split 'train': give split='test'"):
        open_tasks("videomme", folder, split="train")


def test_subtitles_stand_in_the_question_where_there_are_any(folder: Path) -> None:
    write_file(folder / "subtitle" / "fFjv93ACGo8.srt", SRT.replace("\n", "\r\n").encode())
    tasks = open_tasks("videomme", folder, subtitles=True)
    assert tasks[0].question == (
        "Which ornament is not red?\n\n"
        "Subtitles ([start, end] in seconds):\n"
        "[1.5, 3.0] Merry Christmas\n"
        "[4.0, 5.2] Candles & berries\n"
        "[3600.0, 3601.0] The end"
    )
    assert tasks.by_id("001-1") == tasks[0]
    assert tasks[1] == open_tasks("videomme", folder)[1]


def test_long_subtitles_are_thinned_out_over_the_whole_video(folder: Path) -> None:
    blocks = [
        f"{k}\n00:{k // 60:02}:{k % 60:02},000 --> 00:{k // 60:02}:{k % 60:02},900\nline {k:04}\n"
        for k in range(3000)
    ]
    write_file(folder / "subtitle" / "fFjv93ACGo8.srt", "\n".join(blocks).encode())
    question = open_tasks("videomme", folder, subtitles=True)[0].question
    said = question.split("\n")[3:]
    numbers = [int(line[-4:]) for line in said]
    assert f"{len(said)} of 3000 lines" in question
    assert 0.95 * MAX_SUBTITLE_CHARS < len("\n".join(said)) <= MAX_SUBTITLE_CHARS
    gaps = {after - before for before, after in pairwise(numbers)}
    assert numbers[0] == 0
    assert numbers[-1] > 2990
    assert max(gaps) - min(gaps) == 1


def test_subtitles_of_a_set_without_any_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="mlvu has no subtitles"):
        open_tasks("mlvu", tmp_path, subtitles=True)


def test_all_tasks_can_be_had_twice(folder: Path) -> None:
    tasks = open_tasks("videomme", folder)
    assert all_tasks(tasks) == all_tasks(tasks)
    with pytest.raises(IndexError):
        _ = tasks[2]
