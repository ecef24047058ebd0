"""Every frame of every kind of file, compared byte for byte with playing it from its start."""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.clips import PlayedInOrder, number_in, play
from benchmarks.speed.decoding.awkward.kinds import INEXACT, KINDS
from zoomgym.errors import VideoError
from zoomgym.video import Limits, VideoFile, close_files, forget_frames
from zoomgym.video.container import OpenFile
from zoomgym.video.decode import Decoder
from zoomgym.video.facts import measure
from zoomgym.video.packets import PacketReader
from zoomgym.video.scale import Orientation, Scaler

SIZE = (48, 80)
EVERYDAY = {
    "av1.mp4", "base.avi", "base.flv", "base.mkv", "base.mov", "base.mp4", "base.ts", "damaged.mp4",
    "edit_list.mp4", "edit_list_open.mp4", "false_keyframes.mp4", "fragments.mp4", "hevc.mp4",
    "hevc.ts", "interlaced.mp4", "mjpeg.avi", "mpeg2.mpg", "no_composition_times.mp4",
    "open_gop.mkv", "open_gop.mp4", "palette.avi", "rotated.mp4", "starts_mid_gop.ts",
    "truncated.ts", "vfr.mkv", "vfr.mp4", "vp9.webm",
}  # fmt: skip
"""Kinds that the default run reads; the others are read where all tests run."""


def index_at(playback: PlayedInOrder, time_s: float) -> int:
    """Returns the index of the last frame that started, within the tolerance, by time_s."""
    latest_s = Fraction(time_s) + min(playback.time_base / 2, Fraction(1, 2000))
    latest = playback.pts[0] + math.floor(latest_s / playback.time_base)
    return sum(ticks <= latest for ticks in playback.pts) - 1


def wanted_times(playback: PlayedInOrder, video: VideoFile, num_each: int) -> Iterator[list[float]]:
    """Yields the times of one call after the other: num_each of most kinds."""
    rng = np.random.default_rng(0)
    tick_s, end_s = float(playback.time_base), video.duration_s
    yield np.linspace(0, video.last_frame_s, 64).tolist()
    yield from ([time_s] for time_s in rng.uniform(0, end_s + 1, 2 * num_each).tolist())
    yield from rng.uniform(0, end_s + 1, (num_each, 8)).tolist()
    zooms_s = rng.uniform(0, end_s, min(2 * num_each, 4))
    yield from ((start_s + np.arange(16) / 8).tolist() for start_s in zooms_s)
    starts_s = [playback.time_s(int(i)) for i in rng.integers(0, len(playback.pts), num_each)]
    yield from ([start_s] for start_s in starts_s)
    yield from ([max(0, start_s - tick_s)] for start_s in starts_s)
    yield [0, video.last_frame_s, end_s, end_s + 10, 1e9]


@pytest.mark.parametrize("num_each", [1, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.long)
        for name in KINDS | INEXACT
    ],
)
def test_frames_are_those_of_playing_the_whole_file(
    name: str, num_each: int, clip: Callable[[str], Path]
) -> None:
    path = clip(name)
    playback = play(path, SIZE)
    expected = np.array(playback.pictures)
    with VideoFile(path) as video:
        assert video.last_frame_s == playback.time_s(-1)
        for times_s in wanted_times(playback, video, num_each):
            indices = [index_at(playback, time_s) for time_s in times_s]
            same = (video.frames_at(times_s, SIZE) == expected[indices]).all(axis=(1, 2, 3))
            assert same.all(), [t for t, is_same in zip(times_s, same, strict=True) if not is_same]


@pytest.mark.parametrize("name", ["base.mp4", "open_gop.mkv", "base.ts", "base.avi", "hevc.mp4"])
def test_frame_shows_its_own_number(name: str, clip: Callable[[str], Path]) -> None:
    with VideoFile(clip(name)) as video:
        frames = video.frames_at([index / 25 for index in range(100)], (96, 160))
    assert [number_in(frame) for frame in frames] == list(range(100))


@pytest.mark.long
@pytest.mark.parametrize(
    "name", ["old_x264.mp4", "palette.avi", "false_keyframes.avi", "fields.ts"]
)
@pytest.mark.parametrize("num_threads", [1, 2])
def test_frames_do_not_depend_on_what_was_opened_before(
    name: str, num_threads: int, clip: Callable[[str], Path]
) -> None:
    path = clip(name)
    playback = play(path, SIZE)
    video = VideoFile(path, num_threads=num_threads)
    for index in range(len(playback.pts) - 1, -1, -9):
        shown = video.frames_at([playback.time_s(index)], SIZE)
        assert (shown == playback.pictures[index]).all()
        close_files()  # as opening many others would do
    forget_frames()
    times_s = [playback.time_s(index) for index in range(0, len(playback.pts), 7)]
    assert (video.frames_at(times_s, SIZE) == np.array(playback.pictures[::7])).all()


def test_decoder_learns_from_the_first_packet_before_any_other(
    clip: Callable[[str], Path],
) -> None:
    path = clip("palette.avi")
    playback = play(path)
    opened = OpenFile(path, Limits())
    keyframe = next(opened.from_seek(playback.pts[-1]))
    opened.start_decoding()
    [frame] = [*opened.decode(keyframe), *opened.decode(None)]
    shown = Scaler().picture(frame, (96, 160), Orientation())
    assert (shown == playback.pictures[playback.pts.index(keyframe.pts)]).all()


def test_near_its_end_a_file_is_decoded_to_its_end(clip: Callable[[str], Path]) -> None:
    opened = OpenFile(clip("base.ts"), Limits())
    packets = [packet.pts for packet in PacketReader(opened).from_start()]
    for index, is_whole in [(-1, True), (-3, True), (-30, False)]:
        [run] = PacketReader(opened).runs([sorted(packets)[index]])
        assert ([packet.pts for packet in run.packets][-1] == packets[-1]) is is_whole


def test_mxf_with_an_index_is_not_played_whole(clip: Callable[[str], Path]) -> None:
    for name, is_played in [("mpeg2.mxf", False), ("no_index.mxf", True)]:
        opened = OpenFile(clip(name), Limits())
        assert (measure(opened, Decoder(opened)).playback is not None) is is_played


def test_recordings_joined_to_one_file_are_refused(
    clip: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "joined.ts"
    path.write_bytes(clip("base.ts").read_bytes() + clip("open_gop.ts").read_bytes())
    with pytest.raises(VideoError, match=r"joined\.ts: needed times that ascend, got some that"):
        VideoFile(path).frames_at([k / 25 for k in range(150)], SIZE)


@pytest.mark.parametrize("name", ["damaged.mp4", "damaged_mpeg4.avi", "damaged_mpeg2.mpg"])
def test_frames_that_the_decoder_calls_corrupt_are_damaged(
    name: str, clip: Callable[[str], Path]
) -> None:
    starts_s, is_damaged = [], []
    with av.open(str(clip(name))) as container:
        container.streams.video[0].codec_context.thread_count = 1  # more conceal in other ways
        for packet in container.demux(video=0):
            try:
                frames = packet.decode()
            except av.FFmpegError:  # its frame is missing, and the one before it is shown
                continue
            starts_s += [float(frame.pts * frame.time_base) for frame in frames]
            is_damaged += [frame.is_corrupt for frame in frames]
    times_s = [start_s - starts_s[0] for start_s in starts_s]
    video = VideoFile(clip(name))
    video.frames_at(times_s, SIZE)
    assert video.num_damaged == sum(is_damaged) > 0
    strict = VideoFile(clip(name), on_damage="raise")
    with pytest.raises(VideoError, match="needed 1 whole frames, 1 do not decode"):
        strict.frames_at([times_s[is_damaged.index(True)]], SIZE)


@pytest.mark.parametrize("name", ["base.mp4", "base.mkv", "base.ts", "hevc.mp4", "vp9.webm"])
@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_data_still_give_frames(
    name: str, seed: int, clip: Callable[[str], Path], tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    data = np.frombuffer(clip(name).read_bytes(), np.uint8).copy()
    data[rng.integers(len(data) // 4, len(data) * 3 // 5, 60)] ^= 0xFF
    path = tmp_path / name
    path.write_bytes(data.tobytes())
    with VideoFile(path) as video:
        frames = video.frames_at(np.linspace(0, video.last_frame_s, 64).tolist(), SIZE)
    assert number_in(frames[0]) == 0
    assert video.duration_s == pytest.approx(4.0, abs=0.01)
