"""Formats that are opened, and those that are not because they reach outside or hold no times."""

import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from benchmarks.speed.decoding.awkward.clips import number_in, write
from benchmarks.speed.decoding.awkward.kinds import H264
from zoomgym.errors import VideoError
from zoomgym.video import VideoFile
from zoomgym.video.formats import CONTAINERS

Clip = Callable[[str], Path]

REACHING_OUTSIDE = {
    *("concat", "concatf", "dash", "hls", "image2", "imf", "lavfi", "mlv", "rtp", "rtsp", "sap"),
    *("sdp", "vobsub", "webm_dash_manifest"),
}

HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{target}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{target}'\n"
DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S">
<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">
<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>
"""
IMF = """<?xml version="1.0"?>
<CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">
<Id>urn:uuid:0eb3d1b9-b77b-4d3f-bbe5-7c69b15dca85</Id><ContentTitle>{target}</ContentTitle>
<EditRate>25 1</EditRate><SegmentList/></CompositionPlaylist>
"""
SDP = "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\na=x:{target}\n"
SUBTITLES = "# VobSub index file, v7\nsize: 720x576\nid: en, index: 0\n{target}\n"
SHORTCUT = "[InternetShortcut]\nURL=file://{target}\n"
FFMETADATA = ";FFMETADATA1\ntitle={target}\n"
TEXTS = [HLS, CONCAT, DASH, IMF, SDP, SUBTITLES, SHORTCUT, FFMETADATA]
NAMES = ["film.mp4", "film.m3u8", "film.ffconcat", "film.mpd", "film.xml", "film.sdp", "film.idx"]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("is_relative", [True, False])
def test_text_that_names_a_video_beside_it_is_no_video(
    text: str, name: str, is_relative: bool, clip: Clip, tmp_path: Path
) -> None:
    target = tmp_path / "base.ts"
    target.write_bytes(clip("base.ts").read_bytes())
    content = text.replace("{target}", target.name if is_relative else str(target))
    (tmp_path / name).write_text(content)
    with pytest.raises(VideoError, match=f"{name}: cannot open it: .* .it is a text: files that a"):
        _ = VideoFile(tmp_path / name).duration_s


PROTOCOLS = ["concat:", "subfile,,start,0,end,0,,:", "file:", "async:", "cache:", "data:"]


@pytest.mark.parametrize(
    "name", [*(f"{start}base.ts" for start in PROTOCOLS), "*.ts", "%d.mp4", "a.ts|b.ts"]
)
def test_name_that_ffmpeg_could_read_as_something_else_is_a_name(
    name: str, clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.ts").write_bytes(clip("base.ts").read_bytes())
    with pytest.raises(VideoError, match="needed a video file, found none"):
        _ = VideoFile(name).duration_s
    Path(name).write_bytes(clip("no_b.mp4").read_bytes())
    assert number_in(VideoFile(name).frames_at([1.0], (96, 160))[0]) == 25
    assert VideoFile(name).duration_s == 4.0


def test_no_format_that_opens_other_files_is_opened() -> None:
    assert set(CONTAINERS) <= av.formats_available  # FFmpeg compares whole names
    assert not REACHING_OUTSIDE & set(CONTAINERS)


def write_picture(path: Path) -> None:
    """Writes a still picture."""
    with av.open(str(path), "w", format="image2") as out:
        stream: Any = out.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
        out.mux(stream.encode(av.VideoFrame(32, 32, "rgb24")))


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """Returns the names and contents of the boxes of an mp4."""
    found, at = [], 0
    while at < len(data):
        num_bytes = int.from_bytes(data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + num_bytes]))
        at += num_bytes
    return found


def box(name: bytes, content: bytes) -> bytes:
    """Returns a box of an mp4."""
    return struct.pack(">I", len(content) + 8) + name + content


def pointed_elsewhere(data: bytes, target: Path) -> bytes:
    """Returns the boxes of an mp4, emptied of samples, which are said to be in another file.

    Source: mov_read_dref and mov_open_dref in FFmpeg's libavformat/mov.c.
    """
    path = str(target).encode()
    path += bytes(len(path) % 2)
    levels = struct.pack(">HH", 1, 1)  # to find it from the folder of the mp4, too
    alias = bytes(130) + levels + bytes(16) + struct.pack(">hH", 2, len(path)) + path
    alias += struct.pack(">hH", -1, 0)
    reference = bytes(4) + struct.pack(">I", 1) + box(b"alis", bytes(4) + alias)
    result = b""
    for name, content in boxes(data):
        if name in {b"moov", b"trak", b"mdia", b"minf", b"dinf"}:
            content = pointed_elsewhere(content, target)
        elif name == b"dref":
            content = reference
        elif name == b"mdat":
            content = bytes(len(content))
        result += box(name, content)
    return result


def test_mp4_whose_samples_are_in_another_file_is_refused(clip: Clip, tmp_path: Path) -> None:
    secret, path = tmp_path / "secret.mp4", tmp_path / "film.mp4"
    secret.write_bytes(clip("no_b.mp4").read_bytes())
    path.write_bytes(pointed_elsewhere(secret.read_bytes(), secret))
    with av.open(str(path), options={"enable_drefs": "1"}) as container:  # FFmpeg would follow it
        assert len(list(container.decode(video=0))) == 100
    with pytest.raises(VideoError, match=r"film\.mp4: "):
        VideoFile(path).frames_at([0.0], (96, 160))


@pytest.mark.parametrize(
    ("name", "codec", "reason"),
    [
        ("film.h264", "libx264", "it is a raw stream, which holds no times"),
        ("film.hevc", "libx265", "it is a raw stream, which holds no times"),
        ("film.m2v", "mpeg2video", "it is a raw stream, which holds no times"),
        ("film.obu", "libsvtav1", "it is a raw stream, which holds no times"),
        ("film.mjpeg", "mjpeg", "it is a still picture, or a raw stream of pictures"),
        ("film.webp", "libwebp_anim", "it is WebP, whose animations FFmpeg does not decode"),
        ("film.swf", "flv", "it is of another format"),
    ],
)
def test_format_that_is_not_opened_says_why(
    name: str, codec: str, reason: str, tmp_path: Path
) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    write(tmp_path / name, codec, options, pts=range(5), pix_fmt=pix_fmt)
    with pytest.raises(VideoError, match=f"{name}: cannot open it: .* .{reason}.*[)]. Needed"):
        _ = VideoFile(tmp_path / name).duration_s


def test_still_picture_is_no_video(tmp_path: Path) -> None:
    write_picture(tmp_path / "picture.png")
    with pytest.raises(VideoError, match=r"picture\.png: cannot open it: .* .it is a still"):
        _ = VideoFile(tmp_path / "picture.png").duration_s


@pytest.mark.parametrize("name", ["film.3gp", "film.m4v", "film.f4v", "film.mts", "film.vob"])
def test_other_names_of_opened_formats_are_opened(name: str, tmp_path: Path) -> None:
    is_ps = name == "film.vob"
    options = {"bf": "0", "g": "20", "b": "900k"} if is_ps else H264
    write(tmp_path / name, "mpeg2video" if is_ps else "libx264", options)
    assert number_in(VideoFile(tmp_path / name).frames_at([2.0], (96, 160))[0]) == 50


@pytest.mark.skipif(sys.platform != "linux", reason="schedulers of Linux")
def test_encoding_leaves_the_thread_as_urgent_as_it_was(tmp_path: Path) -> None:
    before = os.sched_getscheduler(0), os.sched_getparam(0).sched_priority
    write(tmp_path / "av1.mp4", "libsvtav1", {"preset": "12", "crf": "45"}, pts=range(5))
    assert (os.sched_getscheduler(0), os.sched_getparam(0).sched_priority) == before
