"""Files that strangers made: frames or a clear VideoError, never a hang, a crash or a huge bill."""

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from damage import look_at, mutated

from benchmarks.speed.decoding.awkward.clips import draw, number_in, play, write
from benchmarks.speed.decoding.awkward.kinds import H264
from zoomgym.errors import VideoError
from zoomgym.video import Limits, VideoFile
from zoomgym.video import limits as limits_module
from zoomgym.video.container import OpenFile

Clip = Callable[[str], Path]
SIZE = (96, 160)
MUTATED = ["base.mp4", "base.mkv", "base.ts", "hevc.mp4", "vp9.webm", "mpeg4.avi", "fragments.mp4"]


@pytest.mark.long
def test_damaged_files_give_frames_or_an_error(clip: Clip, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in MUTATED:
        whole = clip(name).read_bytes()
        for index in range(6):
            path = tmp_path / f"{index}_{name}"
            path.write_bytes(mutated(whole, rng))
            started_s = time.process_time()
            assert look_at(path) in {"frames", "VideoError"}
            assert time.process_time() - started_s < 10, path.name


def write_many_streams(path: Path, start: int) -> None:
    """Writes a TS of ten videos, of one frame each."""
    with av.open(str(path), "w") as out:
        streams: list[Any] = [out.add_stream("mpeg2video", rate=25) for _ in range(10)]
        for stream in streams:
            stream.height, stream.width = SIZE
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(draw(start))
            frame.pts, frame.time_base = start, Fraction(1, 25)
            out.mux([*stream.encode(frame), *stream.encode()])


def test_streams_that_come_up_on_the_way_are_passed_over(tmp_path: Path) -> None:
    """PyAV knows the streams that a file has when it is opened, and reads past its list of them."""
    parts = [tmp_path / name for name in ("a.ts", "b.ts", "c.ts")]
    write(parts[0], "mpeg2video", pts=range(50))
    write_many_streams(parts[1], 50)
    write(parts[2], "mpeg2video", pts=range(51, 100))
    null = (b"\x47\x1f\xff\x10" + b"\xff" * 184) * 30_000  # more than is read in search of streams
    path = tmp_path / "all.ts"
    path.write_bytes(null.join(part.read_bytes() for part in parts))
    if av.__version__ < "19":  # which mended it
        with av.open(str(path)) as container, pytest.raises(IndexError):
            list(container.demux(container.streams.video[0]))
    packets = list(OpenFile(path, Limits()).from_start())
    assert sum(packet.size > 0 for packet in packets) == 100
    assert packets[-1].size == 0
    assert len(play(path).pts) == 100
    with VideoFile(path) as video:
        assert number_in(video.frames_at([0.0], SIZE)[0]) == 0
        assert number_in(video.frames_at([1e9], SIZE)[0]) == 48


def write_broken_group(source: Path, path: Path) -> None:
    """Writes source with its frames 40 to 59, a whole group of pictures, overwritten."""
    data = bytearray(source.read_bytes())
    with av.open(str(source)) as container:
        for packet in container.demux(video=0):
            if packet.size and 40 <= round(packet.pts * packet.time_base * 25) < 60:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)


def test_nearest_earlier_frame_stands_in_for_a_damaged_one(clip: Clip, tmp_path: Path) -> None:
    write_broken_group(clip("base.mp4"), tmp_path / "broken.mp4")
    video = VideoFile(tmp_path / "broken.mp4")
    frames = video.frames_at([k / 25 for k in (0, 39, 40, 50, 59, 60, 99)], SIZE)
    assert [number_in(frame) for frame in frames] == [0, 39, 39, 39, 39, 60, 99]
    assert video.num_damaged == 3
    video.frames_at([2.0, 2.0, 3.0], SIZE)
    assert video.num_damaged == 5
    beside = VideoFile(tmp_path / "broken.mp4", num_threads=2)
    beside.frames_at([1.0, 2.0, 2.2, 3.0], SIZE)
    assert beside.num_damaged == 2
    other = VideoFile(tmp_path / "broken.mp4")
    other.frames_at([2.0, 2.0, 3.0], SIZE)  # not decoded again, and counted all the same
    assert other.num_damaged == 2


def test_damaged_frame_is_an_error_if_asked_for(clip: Clip, tmp_path: Path) -> None:
    write_broken_group(clip("base.mp4"), tmp_path / "broken.mp4")
    video = VideoFile(tmp_path / "broken.mp4", on_damage="raise")
    assert number_in(video.frames_at([1.0], SIZE)[0]) == 25
    for _ in range(2):
        with pytest.raises(VideoError, match=r"broken.mp4: needed 2 whole frames, 1 do not decode"):
            video.frames_at([1.0, 2.0], SIZE)
    assert video.num_damaged == 0


def write_mjpeg_of(path: Path, side: int, in_header: bool) -> None:
    """Writes an AVI whose pictures, and whose header if wanted, claim side x side pixels."""
    write(path, "mjpeg", {"q:v": "4"}, pts=range(5), pix_fmt="yuvj420p")
    data = path.read_bytes()
    real, claimed = (96).to_bytes(2) + (160).to_bytes(2), side.to_bytes(2) * 2
    data = data.replace(b"\xff\xc0\x00\x11\x08" + real, b"\xff\xc0\x00\x11\x08" + claimed)
    if in_header:
        at = data.index(b"strf") + 12
        data = data[:at] + side.to_bytes(4, "little") * 2 + data[at + 8 :]
    path.write_bytes(data)


@pytest.mark.parametrize("in_header", [True, False])
def test_picture_of_16k_by_16k_is_not_decoded(in_header: bool, tmp_path: Path) -> None:
    path = tmp_path / "huge.avi"
    write_mjpeg_of(path, 16384, in_header)
    with pytest.raises(VideoError, match=r"huge\.avi: needed frames"):
        VideoFile(path).frames_at([0.0], SIZE)


def test_limit_of_pixels_can_be_set(clip: Clip) -> None:
    with pytest.raises(VideoError, match="at most 15359 pixels, got 160 x 96: shrink it"):
        _ = VideoFile(clip("base.mp4"), limits=Limits(pixels=15359)).size
    assert VideoFile(clip("base.mp4"), limits=Limits(pixels=15360)).size == SIZE


def test_headers_that_claim_a_billion_seconds_are_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    write(path, options=H264)
    data = bytearray(path.read_bytes())
    for name in (b"mvhd", b"mdhd"):
        at = data.index(name) + 20
        data[at : at + 4] = (0xFFFFFFF0).to_bytes(4)
    path.write_bytes(data)
    video = VideoFile(path)
    assert video.duration_s == 4.0
    assert number_in(video.frames_at([1e9], SIZE)[0]) == 99


def test_video_that_lasts_a_billion_seconds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "slow.mkv"
    write(path, options=H264, pts=[0, 1, 10**9], time_base=Fraction(1), rate=1)
    with pytest.raises(VideoError, match=r"at most 864000 s of video, got 1e\+09 s: cut it"):
        _ = VideoFile(path).duration_s
    video = VideoFile(path, limits=Limits(duration_s=1e10))
    assert number_in(video.frames_at([0.5e9], SIZE)[0]) == 1


@pytest.mark.parametrize(("height", "width"), [(8, 2048), (2048, 8), (8, 808)])
def test_pictures_that_are_far_too_long_are_refused(
    height: int, width: int, tmp_path: Path
) -> None:
    path = tmp_path / "ribbon.mp4"
    picture = np.full((height, width, 3), 90, np.uint8)
    write(path, options=H264, pts=range(3), pictures=lambda _: picture)
    with pytest.raises(
        VideoError,
        match=rf"ribbon\.mp4: needed pictures of at most 100:1, got {width} x {height}: crop them",
    ):
        _ = VideoFile(path).duration_s
    with VideoFile(path, limits=Limits(aspect=256)) as video:
        assert video.frames_at([0.0], video.size).shape == (1, height, width, 3)


def test_call_that_takes_too_long_is_given_up(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    video = VideoFile(clip("one_gop.mp4"), limits=Limits(call_s=50.0))
    assert video.duration_s == 4.0
    clock = itertools.count(0.0, 1.0)  # a second of work whenever somebody looks
    monkeypatch.setattr(limits_module.time, "thread_time", lambda: next(clock))
    with pytest.raises(
        VideoError, match=r"one_gop\.mp4: needed .* within 50 s of processor time, .* \(call_s\)"
    ):
        video.frames_at([3.9], SIZE)
    monkeypatch.undo()
    assert number_in(video.frames_at([3.9], SIZE)[0]) == 97


def test_first_look_at_a_file_has_its_time_too(clip: Clip) -> None:
    with pytest.raises(VideoError, match=r"base\.mp4: needed an answer within 1e-06 s"):
        _ = VideoFile(clip("base.mp4"), limits=Limits(call_s=1e-6)).duration_s


def test_busy_machine_takes_nothing_from_the_time_of_a_call(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = VideoFile(clip("one_gop.mp4"), limits=Limits(call_s=10.0))
    assert video.duration_s == 4.0
    clock = itertools.count(0.0, 1.0)  # a second passes whenever somebody looks
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert number_in(video.frames_at([3.9], SIZE)[0]) == 97


def test_disk_that_does_not_answer_is_no_end_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "large.mkv"
    write(path, options={"preset": "ultrafast", "qp": "0"})
    video = VideoFile(path)
    assert video.duration_s == 4.0
    clock = itertools.count(0.0, 100.0)
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: next(clock))  # PyAV looks here, too
        for name in ("large.mkv: cannot decode it", "large.mkv: cannot open it"):
            with pytest.raises(VideoError, match=f"{name}: its disk .* took too long.*wait_s"):
                video.frames_at([3.9], SIZE)
    assert number_in(video.frames_at([3.9], SIZE)[0]) == 97


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"call_s": 0}, "limits need numbers > 0, got call_s=0"),
        ({"wait_s": float("nan")}, "limits need numbers > 0, got wait_s=nan"),
        ({"pixels": "many"}, "limits need numbers > 0, got pixels='many'"),
        (
            {"seconds": 1},
            r"limits need a mapping from names of \['aspect', 'call_s', .*got \{'seconds': 1\}",
        ),
        ([60], r"limits need a mapping .*got \[60\]"),
    ],
)
def test_limit_that_means_nothing_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Limits.merged(settings)


def test_limits_that_are_not_given_stay() -> None:
    assert Limits.merged(None) == Limits()
    assert Limits.merged({"call_s": 5}) == Limits(call_s=5)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile http://127.0.0.1:9/a.ts\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
        '<?xml version="1.0"?><MPD type="static"><Period/></MPD>',
        "[InternetShortcut]\nURL=http://127.0.0.1:9/a.mp4\n",
        "\0" * 5000,
        "\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom",
    ],
)
@pytest.mark.parametrize("name", ["film.mp4", "film.m3u8", "film.ffconcat", "film.sdp", "film.mpd"])
def test_text_that_points_elsewhere_is_no_video(text: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(VideoError, match=f"{name}: cannot open it|{name}: needed a video stream"):
        _ = VideoFile(tmp_path / name).duration_s


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"on_damage": "ignore"}, "on_damage needs one of .*, got 'ignore'"),
        ({"num_threads": 0}, "num_threads needs at least 1, got 0"),
    ],
)
def test_setting_that_means_nothing_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VideoFile("film.mp4", **settings)  # type: ignore[arg-type]
