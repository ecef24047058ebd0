"""Awkward kinds of video file: a name, and what writes it."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

from benchmarks.speed.decoding.awkward.clips import GOP, NUM_FRAMES, X264, Pipe, draw, remux, write
from benchmarks.speed.decoding.awkward.strange import STRANGE

Get = Callable[[str], Path]
"""Returns the path of another kind; writes it if it is missing."""

H264 = X264 | GOP | {"x264-params": "bframes=3:b-adapt=0:open-gop=0"}
OPEN_GOP = X264 | {"x264-params": "open-gop=1:keyint=30:min-keyint=10:bframes=3:b-adapt=0"}
X265 = "log-level=none:keyint=25:min-keyint=25:bframes=4"
HEVC = {"preset": "fast", "x265-params": X265}
VPX = {"g": "40", "auto-alt-ref": "1", "b": "200k"}
VP8 = {"deadline": "good", "cpu-used": "5", "lag-in-frames": "10"} | VPX
VP9 = {"deadline": "realtime", "cpu-used": "6", "lag-in-frames": "16"} | VPX
AV1 = {"preset": "12", "crf": "45", "g": "40"}
FRAGMENTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
FRAGMENTS_WITH_SIDX = {"movflags": FRAGMENTS["movflags"] + "+dash"}


def uneven_pts(num_frames: int, seed: int, longest: int) -> list[int]:
    """Returns ascending ticks with gaps of 1 to longest."""
    gaps = np.random.default_rng(seed).integers(1, longest + 1, num_frames)
    return [int(ticks) for ticks in np.cumsum(gaps) - gaps[0]]


def x264(params: str, **settings: Any) -> Callable[[Path, Get], None]:
    """Returns a writer of H.264 with the given x264 parameters."""
    return lambda path, get: write(path, options=X264 | {"x264-params": params}, **settings)


def encoded(codec: str, options: dict[str, str], **settings: Any) -> Callable[[Path, Get], None]:
    """Returns a writer of another codec."""
    return lambda path, get: write(path, codec, options, **settings)


def copied(source: str, **settings: Any) -> Callable[[Path, Get], None]:
    """Returns a writer that puts the packets of another kind into a new container."""
    return lambda path, get: remux(get(source), path, **settings)


def piped(source: str) -> Callable[[Path, Get], None]:
    """Returns a writer of mkv into a pipe: no frame count, duration or index."""

    def write_piped(path: Path, get: Get) -> None:
        with Pipe(path, "wb") as pipe:
            remux(get(source), pipe, format="matroska")

    return write_piped


def cut_off(source: str, part: float) -> Callable[[Path, Get], None]:
    """Returns a writer of the first part of another kind's bytes."""

    def write_part(path: Path, get: Get) -> None:
        whole = get(source).read_bytes()
        path.write_bytes(whole[: int(part * len(whole))])

    return write_part


def shown_only_for(source: str, num_ms: int) -> Callable[[Path, Get], None]:
    """Returns a writer of an mp4 whose edit list ends early, as after trimming on a phone."""

    def write_edited(path: Path, get: Get) -> None:
        data = bytearray(get(source).read_bytes())
        duration_at = data.index(b"elst") + 12  # after the name, the flags and the count
        rate_at = data.index(b"mvhd") + 16  # ticks a second of a whole file: FFmpeg 9 has others
        ticks = int.from_bytes(data[rate_at : rate_at + 4], "big") * num_ms // 1000
        data[duration_at : duration_at + 4] = ticks.to_bytes(4, "big")
        path.write_bytes(data)

    return write_edited


def large(index: int) -> NDArray[np.uint8]:
    """Returns frame `index` in the size of PAL."""
    return np.kron(draw(index), np.ones((6, 5, 1), np.uint8))[:576, :720]


def with_second_video(path: Path, get: Get) -> None:
    """Writes a file whose first video stream is small and not the default one."""
    with av.open(str(path), "w") as out:
        small = out.add_stream("libx264", rate=25, options=X264)
        small.width, small.height, small.pix_fmt = 32, 32, "yuv420p"
        small.disposition = Disposition(0)
        large = out.add_stream("libx264", rate=25, options=H264)
        large.width, large.height, large.pix_fmt = 160, 96, "yuv420p"
        large.disposition = Disposition.default
        for index in range(NUM_FRAMES):
            out.mux(small.encode(av.VideoFrame.from_ndarray(draw(0)[:32, :32].copy())))
            out.mux(large.encode(av.VideoFrame.from_ndarray(draw(index))))
        out.mux(small.encode())
        out.mux(large.encode())


def with_cover(path: Path, get: Get) -> None:
    """Writes a video with an attached cover picture."""
    with av.open(str(get("base.mp4"))) as read, av.open(str(path), "w") as out:
        video = out.add_stream_from_template(read.streams.video[0])
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 192, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = np.repeat(np.repeat(draw(0), 2, axis=0), 2, axis=1)
        out.mux(cover.encode(av.VideoFrame.from_ndarray(picture).reformat(format="yuvj420p")))
        for packet in read.demux(video=0):
            if packet.size:
                packet.stream = video
                out.mux(packet)
        out.mux(cover.encode())


MILLI, CENTI = Fraction(1, 1000), Fraction(1, 100)

INEXACT: dict[str, Callable[[Path, Get], None]] = {
    "intra_refresh.mp4": x264("intra-refresh=1:keyint=30"),
    "truncated.avi": cut_off("mpeg4.avi", 0.6),
    "truncated.mpg": cut_off("mpeg2.mpg", 0.6),
    "truncated.asf": cut_off("wmv2.asf", 0.6),
}
"""Files with frames that look a little different when they are not played from the start."""

KINDS: dict[str, Callable[[Path, Get], None]] = {
    # H.264 in mp4
    "base.mp4": lambda path, get: write(path, options=H264, with_audio=True),
    "ntsc.mp4": lambda path, get: write(
        path, options=H264, pts=range(0, 1001 * NUM_FRAMES, 1001), time_base=Fraction(1, 30000)
    ),
    "open_gop.mp4": lambda path, get: write(path, options=OPEN_GOP, with_audio=True),
    "deep_b.mp4": x264("bframes=8:b-pyramid=normal:ref=6:b-adapt=0:keyint=50"),
    "no_b.mp4": x264("bframes=0:keyint=30"),
    "slices.mp4": x264("slices=4:keyint=30"),
    "interlaced.mp4": x264("tff=1:keyint=30"),
    "one_gop.mp4": x264("keyint=infinite"),
    "faststart.mp4": copied("base.mp4", container_options={"movflags": "faststart"}),
    "base.mov": copied("base.mp4"),
    # times
    "vfr.mp4": x264("keyint=30", pts=uneven_pts(NUM_FRAMES, 1, 4)),
    "vfr.mkv": copied("vfr.mp4"),
    "vfr_ms.mkv": x264("keyint=30", pts=uneven_pts(NUM_FRAMES, 2, 90), time_base=MILLI),
    "sparse.mp4": x264("keyint=12", pts=uneven_pts(60, 3, 120)),
    "offset.mp4": copied("base.mp4", cut_s=Fraction(-73, 10)),
    "offset.mkv": copied("base.mp4", cut_s=Fraction(-73, 10)),
    "edit_list.mp4": copied("base.mp4", cut_s=Fraction(137, 100)),
    "edit_list_open.mp4": copied("open_gop.mp4", cut_s=Fraction(141, 100)),
    "edit_list_exact.mp4": copied("base.mp4", cut_s=Fraction(136, 100)),
    "edit_list_end.mp4": shown_only_for("base.mp4", 1500),
    "no_edit_list.mp4": copied("base.mp4", container_options={"use_editlist": "0"}),
    "negative_cts.mp4": copied("base.mp4", container_options={"movflags": "negative_cts_offsets"}),
    "fragments.mp4": copied("open_gop.mp4", container_options=FRAGMENTS),
    "fragments_sidx.mp4": copied("open_gop.mp4", container_options=FRAGMENTS_WITH_SIDX),
    # other containers
    "base.mkv": copied("base.mp4"),
    "open_gop.mkv": copied("open_gop.mp4"),
    "piped.mkv": piped("base.mp4"),
    "piped_open.mkv": piped("open_gop.mp4"),
    "base.ts": copied("base.mp4"),
    "open_gop.ts": copied("open_gop.mp4"),
    "own.ts": lambda path, get: write(path, options=OPEN_GOP, with_audio=True),
    "starts_mid_gop.ts": copied("own.ts", num_skipped=7),
    "starts_open.ts": copied("own.ts", num_skipped=30),
    "hevc_starts_open.ts": copied("hevc.ts", num_skipped=25),
    "base.flv": copied("base.mp4"),
    "no_b.avi": x264("bframes=0:keyint=30"),
    "base.avi": lambda path, get: write(path, options=H264, with_audio=True),
    # and rarer ones
    "vp8.ivf": copied("vp8.webm"),
    "vp9.ivf": copied("vp9.webm"),
    "av1.ivf": encoded("libsvtav1", AV1),
    "vp8.ogg": copied("vp8.webm"),
    "mpeg2.mxf": encoded("mpeg2video", {"bf": "2", "g": "15", "b": "900k"}),
    "base.nut": copied("base.mp4"),
    "open_gop.nut": copied("open_gop.mp4"),
    "rv20.rm": encoded("rv20", {"g": "20", "b": "300k"}),
    "mpeg2.wtv": encoded("mpeg2video", {"bf": "2", "g": "15", "b": "900k"}),
    "raw.y4m": encoded("rawvideo", {}, pts=range(30)),
    "pal.dv": encoded("dvvideo", {}, pts=range(10), pictures=large),
    "base.gif": encoded("gif", {}, pix_fmt="rgb8", pts=range(40)),
    "vfr.gif": encoded("gif", {}, pix_fmt="rgb8", pts=uneven_pts(40, 4, 9), time_base=CENTI),
    "base.apng": encoded("apng", {}, pix_fmt="rgb24", pts=range(40)),
    "alpha.apng": encoded("apng", {}, pix_fmt="rgba", pts=range(20)),
    # other codecs
    "hevc.mp4": encoded("libx265", HEVC),
    "hevc_closed.mp4": encoded("libx265", HEVC | {"x265-params": X265 + ":open-gop=0"}),
    "hevc.ts": copied("hevc.mp4"),
    "hevc.mkv": copied("hevc.mp4"),
    "hevc_10bit.mp4": encoded("libx265", HEVC, pix_fmt="yuv420p10le"),
    "vp9.webm": encoded("libvpx-vp9", VP9),
    "vp9.mp4": copied("vp9.webm"),
    "vp8.webm": encoded("libvpx", VP8),
    "av1.mp4": encoded("libsvtav1", AV1),
    "av1.mkv": encoded("libsvtav1", AV1),
    "mpeg4.avi": encoded("mpeg4", {"bf": "2", "g": "30", "b": "900k"}),
    "mpeg4_one_b.avi": encoded("mpeg4", {"bf": "1", "g": "30", "b": "900k"}),
    "mpeg4_no_b.avi": encoded("mpeg4", {"g": "30", "b": "900k"}),
    "mpeg4.mp4": encoded("mpeg4", {"bf": "2", "g": "30", "b": "900k"}),
    "mpeg2.ts": encoded("mpeg2video", {"bf": "2", "g": "15", "b": "900k"}, with_audio=True),
    "mpeg2_packs.mpg": encoded("mpeg2video", {"bf": "2", "g": "12", "b": "300k"}),
    "mpeg2.mpg": encoded("mpeg2video", {"bf": "2", "g": "15", "b": "900k"}, with_audio=True),
    "mjpeg.avi": encoded("mjpeg", {"q:v": "4"}, pix_fmt="yuvj420p"),
    "wmv2.asf": encoded("wmv2", {"g": "30", "b": "900k"}),
    # pictures
    "10bit_444.mkv": x264("keyint=30", pix_fmt="yuv444p10le"),
    "rotated.mp4": x264("keyint=30", prepare=lambda stream: stream.set_display_rotation(180)),
    # streams
    "two_videos.mp4": with_second_video,
    "cover.mp4": with_cover,
    # damage
    "truncated_faststart.mp4": cut_off("faststart.mp4", 0.6),
    "truncated_fragments.mp4": cut_off("fragments.mp4", 0.6),
    "truncated.mkv": cut_off("base.mkv", 0.6),
    "truncated_hevc.mkv": cut_off("hevc.mkv", 0.6),
    "truncated.ts": cut_off("base.ts", 0.6),
    "truncated.flv": cut_off("base.flv", 0.6),
    "truncated.webm": cut_off("vp9.webm", 0.6),
    **STRANGE,
}
