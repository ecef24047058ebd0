"""The decoding benchmark, small: it writes its files, measures, and sees wrong frames as wrong."""

import json
import math
from pathlib import Path

import av
import numpy as np
import pytest
from rich.console import Console

from benchmarks.speed import __main__ as speed
from benchmarks.speed.decoding import against_peers as video_peers
from benchmarks.speed.decoding import exactness as video_exactness
from benchmarks.speed.decoding import files as video_files
from benchmarks.speed.decoding.awkward.clips import write
from benchmarks.speed.decoding.files import QUICK_FILES, SpeedFile, number_in, number_shown
from benchmarks.speed.decoding.measure import (
    Measurement,
    SpeedClaim,
    Timing,
    print_part,
    write_part,
)
from benchmarks.speed.decoding.peers import FrameCall, PeerJob, run_job

pytestmark = pytest.mark.long
HOUR = "h264_360p_60min_open.mp4"


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOOMGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(video_files, "TEXTURE", (500, 620))
    video_files._texture.cache_clear()


def frames_in_order(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("name", [HOUR, "hevc_360p_5min.mp4", "lean_10min.mkv"])
def test_every_frame_of_a_repeated_segment_shows_its_number(name: str, tmp_path: Path) -> None:
    file = QUICK_FILES[name]
    frames = frames_in_order(file.path(tmp_path))
    assert file.num_frames == 3 * file.segment.num_frames
    expected = [number_shown(index, file) for index in range(file.num_frames)]
    assert [number_in(frame) for frame in frames] == expected
    assert [number_in(frame[::3, ::3]) for frame in frames] == expected  # scaled down


def test_frames_of_a_peer_are_wrong_if_they_show_another_number(tmp_path: Path) -> None:
    file: SpeedFile = QUICK_FILES[HOUR]
    frames = np.stack(frames_in_order(file.path(tmp_path)))
    times_s = [(index + 0.4) / file.rate for index in range(10)]
    count = video_peers._num_wrong
    assert count("decord", frames[:10], times_s, file, None) == 0
    assert count("decord", frames[1:11], times_s, file, None) == 10
    assert count("decord", frames[:8], times_s, file, None) == 2


def test_frames_of_ours_are_wrong_if_one_byte_differs(tmp_path: Path) -> None:
    file = QUICK_FILES[HOUR]
    frames = np.stack(frames_in_order(file.path(tmp_path)))[:4]
    expected = dict(enumerate(frames.copy()))
    frames[2, 0, 0, 0] ^= 1
    times_s = [(index + 0.4) / file.rate for index in range(4)]
    assert video_peers._num_wrong("ours", frames, times_s, file, expected) == 1


def test_nearest_picture_decides_whether_a_peers_frame_is_right() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    noisy = (pictures[4] // 2 + 60).astype(np.uint8)
    assert video_exactness._is_nearest(noisy, 4, pictures)
    assert not video_exactness._is_nearest(noisy, 5, pictures)


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    path = str(QUICK_FILES[HOUR].path(tmp_path))
    outcome = run_job(PeerJob("ours", path, (24, 40), (FrameCall("", "cold", (0.1,)),)), 0)
    assert outcome.errors == ("hangs: stopped after 0 s",)
    assert outcome.frames == (None,)


def test_an_error_of_a_peer_is_told_and_the_next_call_is_made(tmp_path: Path) -> None:
    calls = (FrameCall("", "cold", (-1.0,)), FrameCall("", "cold", (0.1,)))
    path = str(QUICK_FILES[HOUR].path(tmp_path))
    outcome = run_job(PeerJob("ours", path, (24, 40), calls), 60)
    assert "VideoError" in outcome.errors[0]
    assert math.isnan(outcome.wall_s[0])
    assert outcome.errors[1] == ""
    assert outcome.frames[1] is not None


@pytest.mark.parametrize(
    ("bar", "verdict"),
    [
        (SpeedClaim("a", 0.5, 0.5), "met"),
        (SpeedClaim("a", 0.51, 0.5), "NOT MET"),
        (SpeedClaim("a", 1.7, 1.6, is_floor=True), "met"),
        (SpeedClaim("a", 1.5, 1.6, is_floor=True), "NOT MET"),
        (SpeedClaim("a", math.nan, 0.5), "not measured"),
    ],
)
def test_a_bar_is_met_or_not(bar: SpeedClaim, verdict: str) -> None:
    assert bar.verdict == verdict


def test_speed_of_video_ends_with_tables_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "--parts",
        "peers",
        "--files",
        HOUR,
        "--peers",
        "ours",
        "ffmpeg floor",
        "--out",
        str(tmp_path),
    ]
    assert speed.main(["video", "--quick", *arguments]) == 0
    assert "rows -> " in capsys.readouterr().out
    result = json.loads((tmp_path / "video.json").read_text())["parts"]["peers"]
    assert result["is_quick"]
    assert result["versions"]["av"] == av.__version__
    assert {(row["peer"], row["num_wrong"]) for row in result["rows"]} == {
        ("ours", 0),
        ("ffmpeg floor", 0),
    }


def test_a_part_that_is_measured_later_leaves_the_others(tmp_path: Path) -> None:
    write_part(tmp_path, {"date": "1"}, "peers", Measurement(bars=(SpeedClaim("a", 0.4, 0.5),)))
    write_part(
        tmp_path, {"date": "2"}, "memory", Measurement(bars=(SpeedClaim("b", math.nan, 0.5),))
    )
    path = write_part(
        tmp_path, {"date": "3"}, "memory", Measurement(bars=(SpeedClaim("b", math.nan, 0.6),))
    )
    parts = json.loads(path.read_text())["parts"]
    assert [(name, part["date"]) for name, part in parts.items()] == [
        ("peers", "1"),
        ("memory", "3"),
    ]
    assert [parts["memory"]["bars"][0][key] for key in ("ratio", "limit")] == [None, 0.6]


def test_exactness_finds_no_wrong_frame_of_ours(tmp_path: Path) -> None:
    assert speed.main(["exactness", "--quick", "--peers", "ours", "--out", str(tmp_path)]) == 0
    cells = json.loads((tmp_path / "exactness.json").read_text())["cells"]
    assert [(cell["num_wrong"], cell["num_missing"]) for cell in cells] == [(0, 0)] * 3


def test_exactness_takes_a_folder_of_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    (folder / "deeper").mkdir(parents=True)
    write(folder / "deeper" / "clip.mp4", pts=range(20))
    (folder / "notes.txt").write_text("no video")
    arguments = ["exactness", "--folder", str(folder), "--quick", "--peers", "ours"]
    assert speed.main([*arguments, "--out", str(tmp_path / "out")]) == 0
    [cell] = json.loads((tmp_path / "out" / "exactness.json").read_text())["cells"]
    assert (cell["file"], cell["num_wrong"], cell["num_missing"]) == ("deeper/clip.mp4", 0, 0)
    assert "no video: notes.txt" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        speed.main(["exactness", "--folder", str(tmp_path / "absent")])
    assert "absent: needed a folder of videos, but there is no such" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        speed.main(["exactness", "--clips", str(tmp_path / "absent.mp4")])
    assert "absent.mp4: needed a video file, but there is no such" in capsys.readouterr().err


def test_files_are_told_apart_in_80_columns_and_what_was_not_measured_is_empty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = ("h264_360p_10min.mp4", HOUR)
    peers = ("ours", "torchcodec approximate, 2 threads")
    rows = [
        Timing("overview, cold", file, peer, (1.2345,), 64, 0, "", (1.1,))
        for file in files
        for peer in peers
    ]
    bar = SpeedClaim(f"{HOUR}: overview, cold, ours / VideoZoomer's way", math.nan, 0.45)
    print_part(
        Console(width=80), Measurement((*rows, Timing("zoom, cold", HOUR, "decord")), (bar,))
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in lines if "Medians" in line] == [
        f"Medians of {file}" for file in files
    ]
    assert [line for line in lines if "nan" in line or "…" in line or len(line) > 80] == []
