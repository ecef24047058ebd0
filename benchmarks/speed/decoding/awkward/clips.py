"""Writes small awkward video files, and plays them in order, the slow and obvious way.

Frame i of every file shows the number i as eight black or white blocks in its lower half.
"""

import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from zoomgym.video import ANY_METADATA, Orientation, exact, orientation_of

WIDTH, HEIGHT = 160, 96
NUM_FRAMES = 100
GOP = {"g": "20", "keyint_min": "20"}
X264 = {"preset": "veryfast", "crf": "20"}


@cache
def draw(index: int) -> NDArray[np.uint8]:
    """Returns frame `index`, (96, 160, 3) uint8, read-only: a drifting texture above the number."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    texture = 128 + 60 * np.sin((x + 3 * index) / 9) + 50 * np.cos((y - 2 * index) / 7)
    picture = np.stack([texture, 255 - texture, np.roll(texture, 5 * index, axis=1)], axis=2)
    bits = np.array([index >> k & 1 for k in range(8)]) * 255
    picture[HEIGHT // 2 :] = np.repeat(bits, WIDTH // 8)[None, :, None]
    drawn = picture.astype(np.uint8)
    drawn.flags.writeable = False
    return drawn


def number_in(picture: NDArray[np.uint8]) -> int:
    """Returns the number that a picture of any size shows."""
    height, width, _ = picture.shape
    centers = ((np.arange(8) + 0.5) * width / 8).astype(int)
    return sum(1 << k for k, x in enumerate(centers) if picture[height * 3 // 4, x].mean() > 128)


def write(
    target: Path | io.RawIOBase,
    codec: str = "libx264",
    options: Mapping[str, str] = {},
    *,
    pts: Sequence[int] = range(NUM_FRAMES),
    rate: int = 25,
    time_base: Fraction | None = None,
    format: str | None = None,
    container_options: Mapping[str, str] = {},
    pix_fmt: str = "yuv420p",
    pictures: Callable[[int], NDArray[np.uint8]] = draw,
    prepare: Callable[[Any], None] = lambda stream: None,
    with_audio: bool = False,
) -> None:
    """Encodes len(pts) frames, where pts counts units of time_base (default: 1 / rate)."""
    file = str(target) if isinstance(target, Path) else target
    with (
        _no_more_urgent(),
        av.open(file, "w", format=format, container_options=dict(container_options)) as out,
    ):
        stream: Any = out.add_stream(codec, rate=rate, options=dict(options))
        height, width, _ = pictures(0).shape
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        if time_base is not None:
            stream.codec_context.time_base = time_base
        prepare(stream)
        audio: Any = (
            out.add_stream("mp2" if codec == "mpeg2video" else "aac", 44100) if with_audio else None
        )
        for index, ticks in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(pictures(index))
            frame.pts, frame.time_base = ticks, time_base or Fraction(1, rate)
            out.mux(stream.encode(frame))
            if audio is not None:
                _mux_hum(out, audio, index, rate)
        out.mux(stream.encode())
        if audio is not None:
            out.mux(audio.encode())


@contextmanager
def _no_more_urgent() -> Iterator[None]:
    """Restores this thread's scheduling.

    SVT-AV1, run as root, makes the thread that opens it real-time for good, and all that it starts
    later: nothing else runs beside them.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def _mux_hum(out: Any, audio: Any, index: int, rate: int) -> None:
    """Adds one video frame's worth of sound."""
    num_samples = 44100 // rate
    sound = av.AudioFrame.from_ndarray(
        np.full((1, num_samples), 1000, np.int16), format="s16", layout="mono"
    )
    sound.sample_rate, sound.pts = 44100, index * num_samples
    out.mux(audio.encode(sound))


def remux(
    source: Path,
    target: Path | io.RawIOBase,
    *,
    cut_s: Fraction = Fraction(0),
    format: str | None = None,
    container_options: Mapping[str, str] = {},
    num_skipped: int = 0,
) -> None:
    """Copies the packets of source, moved cut_s earlier, without the first num_skipped."""
    file = str(target) if isinstance(target, Path) else target
    with (
        av.open(str(source)) as read,
        av.open(file, "w", format=format, container_options=dict(container_options)) as out,
    ):
        video = read.streams.video[0]
        stream = out.add_stream_from_template(video)
        packets = [packet for packet in read.demux(video) if packet.size][num_skipped:]
        for packet in packets:
            shift = round(cut_s / packet.time_base)
            packet.pts, packet.dts = (packet.pts or 0) - shift, (packet.dts or 0) - shift
            packet.stream = stream
            out.mux(packet)


class Pipe(io.FileIO):
    """A file without seeks, like a pipe."""

    def seekable(self) -> bool:
        """Returns false, whatever the file is."""
        return False


@dataclass(frozen=True)
class PlayedInOrder:
    """Every frame of a file, decoded from its start in order, as a player shows it."""

    time_base: Fraction
    pts: list[int]
    """Ascending ticks."""
    pictures: list[NDArray[np.uint8]]
    """One per pts, (H, W, 3) uint8 RGB."""

    def time_s(self, index: int) -> float:
        """Returns when frame `index` appears, seconds from the first frame."""
        return float((self.pts[index] - self.pts[0]) * self.time_base)


def play(
    path: Path, size: tuple[int, int] = (HEIGHT, WIDTH), max_frames: int | None = None
) -> PlayedInOrder:
    """Decodes at most max_frames of a file in order; skips only damaged packets.

    Decoders show frames in their right order, so the n-th frame gets the n-th pts. That is mostly
    its own, but FFmpeg's pts of H.264 with B-frames in AVI are in decode order.
    """
    pts: list[int] = []
    pictures: list[NDArray[np.uint8]] = []
    reformatter = VideoReformatter()
    orientation: Orientation | None = None
    with av.open(str(path), **ANY_METADATA) as container:
        stream: Any = next(
            stream
            for stream in [container.streams.best("video"), *container.streams.video]
            if stream is not None and not stream.disposition & Disposition.attached_pic
        )
        stream.codec_context.thread_count = 1
        for frame in islice(_decoded(container, stream), max_frames):
            if frame.pts is not None:
                orientation = orientation or orientation_of(frame)
                height, width = size[::-1] if orientation.is_transposed else size
                scaled = reformatter.reformat(
                    frame,
                    width=width,
                    height=height,
                    format="rgb24",
                    interpolation=Interpolation.LANCZOS
                    | Interpolation.ACCURATE_RND
                    | Interpolation.FULL_CHR_H_INT
                    | Interpolation.FULL_CHR_H_INP,
                    dst_color_range="JPEG",
                    threads=1,
                )
                pts.append(frame.pts)
                pictures.append(orientation.apply(scaled.to_ndarray().astype(np.uint8, copy=False)))
        return PlayedInOrder(exact(stream.time_base), sorted(pts), pictures)


def _decoded(container: Any, stream: Any) -> Any:
    """Yields the frames of a stream until its end, or until it cannot be read."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, IndexError, av.FFmpegError):
            return  # an IndexError of PyAV 18 ends a file in which streams came up on the way
        try:
            yield from packet.decode()
        except av.FFmpegError:
            continue
