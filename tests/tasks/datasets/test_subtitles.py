"""Subtitles that were asked for are shown, or it is said that they are not."""

import logging
from pathlib import Path

import pytest

from tests.tasks.datasets import test_longvideobench, test_videomme
from tests.tasks.datasets.layouts import open_tasks, write_file, write_json, write_parquet
from tests.tasks.datasets.test_videomme import SRT
from zoomgym.cli import main
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import TaskError
from zoomgym.tasks.datasets.subtitles import read_cues

IDS = ("one", "two", "three")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Video-MME with three videos, of which none has subtitles."""
    rows = [{**test_videomme.ROW, "videoID": name, "question_id": name} for name in IDS]
    write_parquet(tmp_path / "test-0.parquet", rows)
    return tmp_path


@pytest.mark.long
@pytest.mark.parametrize("is_there", [True, False])
def test_subtitles_that_no_video_has_are_an_error(folder: Path, is_there: bool) -> None:
    if is_there:
        write_file(folder / "subtitle" / "other.srt", SRT.encode())
    message = rf"videomme: needed subtitles like {folder}/subtitle/one\.srt, got none for any of 3"
    with pytest.raises(TaskError, match=message):
        open_tasks("videomme", folder, subtitles=True)
    with pytest.raises(TaskError, match=message):
        ZoomEnv(f"videomme:{folder}", split="test", subtitles=True)
    assert len(open_tasks("videomme", folder)) == 3


def test_videos_without_subtitles_are_counted_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_file(folder / "subtitle" / "two.srt", SRT.encode())
    with caplog.at_level(logging.WARNING):
        tasks = open_tasks("videomme", folder, subtitles=True)
        asked = [tasks[index].question for index in range(3)]
    assert caplog.messages == [
        f"videomme: 2 of 3 videos have no subtitles, such as {folder}/subtitle/one.srt"
    ]
    assert ["Merry Christmas" in question for question in asked] == [False, True, False]


def test_subtitles_that_all_videos_have_are_shown_without_a_word(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in IDS:
        write_file(folder / "subtitle" / f"{name}.srt", SRT.encode())
    with caplog.at_level(logging.WARNING):
        tasks = open_tasks("videomme", folder, subtitles=True)
        assert all("Merry Christmas" in tasks[index].question for index in range(3))
    assert caplog.messages == []


@pytest.mark.parametrize("content", [b"", b"\n \r\n", b"\xef\xbb\xbf"])
def test_blank_files_are_counted_when_they_are_read(
    folder: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for name, data in zip(IDS, (content, SRT.encode(), content), strict=True):
        write_file(folder / "subtitle" / f"{name}.srt", data)
    tasks = open_tasks("videomme", folder, subtitles=True)
    with caplog.at_level(logging.WARNING):
        _ = [tasks[index] for index in (0, 1, 2, 0, 1, 2)]
    assert caplog.messages == [
        f"{folder}/subtitle/{name}.srt: no subtitles in it, for this video; so far, {count} of the "
        "files of videomme have none"
        for name, count in (("one", 1), ("three", 2))
    ]


def test_subtitles_of_another_time_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [
        test_longvideobench.ROW,
        {**test_longvideobench.ROW, "id": "x", "subtitle_path": "x.json"},
    ]
    write_json(tmp_path / "lvb_val.json", rows)
    said = [{"timestamp": [1.0, 2.0], "text": "long before the video"}]
    write_json(tmp_path / "subtitles" / "86CxyhFV9MI_en.json", said)
    write_json(tmp_path / "subtitles" / "x.json", [])
    tasks = open_tasks("longvideobench", tmp_path, subtitles=True)
    with caplog.at_level(logging.WARNING):
        _ = tasks[0], tasks[1]
    assert [message.partition(": ")[2] for message in caplog.messages] == [
        f"no subtitles in it, for this video; so far, {count} of the files of longvideobench have "
        "none"
        for count in (1, 2)
    ]


UTF_16 = "needed subtitles in UTF-8, got UTF-16 or no text: convert it"
OTHER = "needed subtitles with times like 00:00:01,500 --> 00:00:03,000, got "


@pytest.mark.long
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SRT.encode("utf-16"), UTF_16),
        (SRT.encode("utf-16-le"), UTF_16),
        (SRT.encode("utf-16-be"), UTF_16),
        (b"\xfe\xff" + SRT.encode("utf-16-be"), UTF_16),
        (SRT.encode("utf-32"), UTF_16),
        (bytes(1000), UTF_16),
        (b"\x1f\x8b\x08\0\0\0\0\0", UTF_16),
        (b"<!DOCTYPE html>\n<html><body>404: no such file --></body></html>", f"{OTHER}a web page"),
        (b"\n <html>", f"{OTHER}a web page"),
        (b"<?xml version='1.0'?><tt></tt>", f"{OTHER}a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 9\n", f"{OTHER}none of"),
        (b"WEBVTT\n\n00:01.500 --> 00:03.000\nMerry Christmas\n", f"{OTHER}none of them"),
        (b"[Script Info]\nDialogue: 0,0:00:01.50,0:00:03.00,,Merry Christmas\n", f"{OTHER}none"),
        (b"Merry Christmas\n", f"{OTHER}none of them: fetch them again"),
        (b'{"error": "not found"}', f"{OTHER}none of them"),
    ],
)
def test_what_holds_no_subtitles_is_refused_by_name_and_never_quoted(
    folder: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_file(folder / "subtitle" / "one.srt", content)
    env = ZoomEnv(f"videomme:{folder}", split="test", subtitles=True)
    with pytest.raises(TaskError) as caught:
        _ = env.tasks[0]
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "Christmas" not in str(caught.value)
    assert "404" not in str(caught.value)
    with pytest.raises(TaskError, match=r"one\.srt: needed subtitles"):
        env.reset(seed=0, options={"task_id": "one"})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_json_in_another_encoding_is_refused(tmp_path: Path, encoding: str) -> None:
    path = write_file(tmp_path / "a.json", '[{"timestamp": [1, 2], "text": "x"}]'.encode(encoding))
    with pytest.raises(TaskError, match=r"a\.json: needed subtitles in UTF-8, got UTF-16"):
        read_cues(path)


def test_characters_that_cannot_be_shown_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_file(tmp_path / "a.srt", SRT.replace("Merry", "Fröhlich").encode("latin-1"))
    assert read_cues(path)[0].text == "Fr\ufffdhlich Christmas"
    assert caplog.messages == [f"{path}: 1 characters are no UTF-8 and cannot be shown"]


def test_a_cue_without_words_is_a_cue(tmp_path: Path) -> None:
    path = write_file(tmp_path / "a.srt", b"1\n00:00:01,500 --> 00:00:03,000\n<i></i>\n")
    assert read_cues(path) == ()


def test_the_command_line_says_that_there_are_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tasks", f"videomme:{folder}", "--split", "test", "--subtitles"]) == 1
    assert "needed subtitles like" in capsys.readouterr().err
