"""Times, sizes, errors and copies of VideoFile."""

import copy
import math
import pickle
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.clips import X264, number_in, write
from benchmarks.speed.decoding.awkward.kinds import H264, MILLI
from zoomgym.errors import VideoError
from zoomgym.video import Video, VideoFile

Clip = Callable[[str], Path]
SIZE = (96, 160)


def numbers_at(video: Video, times_s: list[float]) -> list[int]:
    return [number_in(frame) for frame in video.frames_at(times_s, SIZE)]


def test_frame_on_screen_is_the_last_one_that_started(clip: Clip) -> None:
    with VideoFile(clip("base.mp4")) as video:
        assert numbers_at(video, [0, 0.039, 0.04, 0.079, 1.0]) == [0, 0, 1, 1, 25]


def test_frame_starts_at_most_half_a_tick_or_half_a_millisecond_early(clip: Clip) -> None:
    with VideoFile(clip("base.mp4")) as video:  # a tick is 1/12800 s
        assert numbers_at(video, [0.04 - 0.00003, 0.04 - 0.00005]) == [1, 0]
    with VideoFile(clip("base.avi")) as video:  # a tick is 1/25 s
        assert numbers_at(video, [0.04 - 0.0004, 0.04 - 0.0006]) == [1, 0]


def test_frame_k_is_found_at_k_over_fps_in_floats(tmp_path: Path) -> None:
    for name in ("thirds.mp4", "thirds.mkv"):
        write(tmp_path / name, options=H264, rate=30)
        with VideoFile(tmp_path / name) as video:
            assert numbers_at(video, [k / 30 for k in range(100)]) == list(range(100))
            assert numbers_at(video, [k * (1 / 30) for k in range(100)]) == list(range(100))


def test_last_frame_is_found_at_its_own_time_and_stays(clip: Clip) -> None:
    with VideoFile(clip("ntsc.mp4")) as video:
        assert video.last_frame_s == float(Fraction(99 * 1001, 30000))
        assert video.duration_s == float(Fraction(100 * 1001, 30000))
        assert numbers_at(video, [video.last_frame_s, video.duration_s, 1e300]) == [99, 99, 99]
        assert numbers_at(video, [video.last_frame_s - 0.001]) == [98]


def test_length_is_that_of_the_frames_not_of_the_headers(clip: Clip) -> None:
    with VideoFile(clip("truncated_faststart.mp4")) as video:
        assert 2 < video.duration_s < 2.6
        assert video.duration_s == pytest.approx(video.last_frame_s + 0.04, abs=1e-9)
        assert numbers_at(video, [4.0]) == [round(video.last_frame_s * 25)]


@pytest.mark.parametrize(
    "name", ["offset.mp4", "offset.mkv", "piped.mkv", "base.ts", "base.avi", "mpeg2.mpg"]
)
def test_time_counts_from_the_first_frame_to_the_end_of_the_last(name: str, clip: Clip) -> None:
    with VideoFile(clip(name)) as video:
        assert (video.last_frame_s, video.duration_s) == (3.96, 4.0)


def test_time_counts_from_the_first_frame_after_an_edit(clip: Clip) -> None:
    with VideoFile(clip("edit_list_exact.mp4")) as video:  # cut at 1.36 s
        assert numbers_at(video, [0, 0.04, 1.0]) == [34, 35, 59]
        assert (video.last_frame_s, video.duration_s) == (2.6, 2.64)


def test_what_an_edit_cuts_off_the_end_is_not_shown(clip: Clip) -> None:
    with VideoFile(clip("edit_list_end.mp4")) as video:  # whole GOPs after 1.5 s are hidden
        assert (video.last_frame_s, video.duration_s) == (1.48, 1.52)
        assert numbers_at(video, [0, 1.47, 1.48, 4.0]) == [0, 36, 37, 37]


def test_times_come_back_in_the_order_asked_and_repeat(clip: Clip) -> None:
    with VideoFile(clip("open_gop.mp4")) as video:
        assert numbers_at(video, [3.0, 0.2, 3.0, 9.0, 0.0, 0.2]) == [75, 5, 75, 99, 0, 5]


def test_no_times_give_no_frames(clip: Clip) -> None:
    with VideoFile(clip("base.mp4")) as video:
        assert video.frames_at([], (20, 30)).shape == (0, 20, 30, 3)


def test_numpy_numbers_are_times(clip: Clip) -> None:
    with VideoFile(clip("base.mp4")) as video:
        frames = video.frames_at(np.array([0, 2], np.float32), SIZE)  # type: ignore[arg-type]
    assert [number_in(frame) for frame in frames] == [0, 50]


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    write(tmp_path / "one.mp4", options=H264, pts=[0])
    with VideoFile(tmp_path / "one.mp4") as video:
        assert (video.last_frame_s, video.duration_s) == (0.0, 0.04)
        assert numbers_at(video, [0, 5]) == [0, 0]


def test_frames_are_read_only_and_shared(clip: Clip) -> None:
    frames = VideoFile(clip("base.mp4")).frames_at([0.0], SIZE)
    assert VideoFile(clip("base.mp4")).frames_at([0], SIZE) is frames
    with pytest.raises(ValueError, match="read-only"):
        frames[:] = 7


def test_default_video_stream_is_read(clip: Clip) -> None:
    with VideoFile(clip("two_videos.mp4")) as video:
        assert video.size == (96, 160)
        assert numbers_at(video, [2.0]) == [50]


def test_cover_picture_is_not_the_video(clip: Clip) -> None:
    with VideoFile(clip("cover.mp4")) as video:
        assert video.size == (96, 160)


@pytest.mark.parametrize("remade", [copy.deepcopy, lambda video: pickle.loads(pickle.dumps(video))])
def test_copy_reads_the_same_file_by_itself(remade: Any, clip: Clip) -> None:
    video = VideoFile(clip("base.mp4"))
    before = remade(video)
    numbers_at(video, [1.0])
    after = remade(video)
    video.close()
    assert numbers_at(before, [2.0]) == numbers_at(after, [2.0]) == [50]
    assert before.duration_s == after.duration_s == 4.0
    before.close()
    after.close()


def test_closing_twice_is_safe_and_a_later_question_opens_again(clip: Clip) -> None:
    video = VideoFile(clip("base.ts"))
    video.close()
    assert numbers_at(video, [1.0]) == [25]
    video.close()
    video.close()
    assert video.duration_s == 4.0
    assert numbers_at(video, [0.0, 1.0, 9.0]) == [0, 25, 99]
    video.close()


@pytest.mark.parametrize("time_s", [-0.001, -math.inf, math.inf, math.nan])
def test_time_that_is_none_is_refused(time_s: float, clip: Clip) -> None:
    with (
        VideoFile(clip("base.mp4")) as video,
        pytest.raises(VideoError, match=rf"base.mp4: needed finite times >= 0, got {time_s}"),
    ):
        video.frames_at([0.0, time_s], SIZE)


def write_text(path: Path) -> None:
    path.write_text("this is no video, but it is called one. " * 100)


def write_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as out:
        sound = out.add_stream("aac", 44100)
        samples = np.zeros((1, 44100), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 44100
        out.mux(sound.encode(frame))
        out.mux(sound.encode())


def write_raw(path: Path) -> None:
    write(path, options=X264, format="h264")


def write_header_only(path: Path) -> None:
    write(path, options=H264, container_options={"movflags": "empty_moov+frag_keyframe"})
    path.write_bytes(path.read_bytes()[:900])


def write_playlist(path: Path) -> None:
    write(path.with_suffix(".ts"), options=H264)
    path.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n"
        f"{path.with_suffix('.ts').name}\n#EXT-X-ENDLIST\n"
    )


def write_concatenation(path: Path) -> None:
    write(path.with_suffix(".ts"), options=H264)
    path.write_text(f"ffconcat version 1.0\nfile {path.with_suffix('.ts').name}\n")


def write_picture(path: Path) -> None:
    write(path, "png", pts=[0], pix_fmt="rgb24", format="image2")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "needed a video file, found none"),
        (Path.mkdir, "needed a regular file, got something else"),
        (Path.touch, "needed a video file, got 0 bytes"),
        (write_text, "cannot open it: Invalid data"),
        (write_sound, "needed a video stream, got audio"),
        (write_raw, "cannot open it: Invalid argument"),
        (write_header_only, "needed frames with timestamps, none decodes|cannot open it"),
        (write_playlist, "cannot open it: Invalid"),
        (write_concatenation, "cannot open it: Invalid"),
        (write_picture, "cannot open it: Invalid"),
    ],
)
def test_what_is_no_video_is_named_and_explained(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    make(path)
    video = VideoFile(path)
    with pytest.raises(VideoError, match=rf"^{re.escape(str(path))}: ({message})"):
        _ = video.duration_s
    with pytest.raises(VideoError, match=message):
        video.frames_at([0.0], SIZE)
    video.close()


def test_cover_picture_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as out:
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 32, 32, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        out.mux(cover.encode(av.VideoFrame(32, 32, "yuvj420p")))
        out.mux(cover.encode())
    with pytest.raises(VideoError, match="a cover picture is no video"):
        _ = VideoFile(path).size


def test_file_names_are_no_protocols(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a|b.mp4", "http:%03d.mp4", "ünï 漢.mp4"):
        write(Path("plain.mp4"), options=H264)
        Path("plain.mp4").rename(name)
        with VideoFile(name) as video:
            assert numbers_at(video, [1.0]) == [25]


def test_milliseconds_of_matroska_are_exact(tmp_path: Path) -> None:
    pts = [0, 33, 67, 100, 2033]
    write(tmp_path / "ms.mkv", options=H264, pts=pts, time_base=MILLI)
    with VideoFile(tmp_path / "ms.mkv") as video:
        assert video.last_frame_s == 2.033
        assert numbers_at(video, [1 / 30, 2 / 30, 0.0664, 2.0324, 2.0325]) == [1, 2, 1, 3, 4]
