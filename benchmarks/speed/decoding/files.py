"""The video files that the benchmark decodes: drawn, encoded and remuxed here, once, into a folder.

A moving texture with a 1/f spectrum, shapes, grain and cuts cost a decoder what filmed video does.
Every frame shows its own number as black and white blocks, so a wrong frame is easy to see.

Encoding an hour takes long, so a file repeats a *segment* of a few distinct minutes with shifted
timestamps: a decoder keeps nothing from one minute to the next. A segment starts with a keyframe
that needs nothing before it, so borders between copies are closed even where GOPs are open. The
number in the picture starts again with each copy.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tqdm import tqdm

from zoomgym.io import cache_folder, written_file
from zoomgym.video import exact

NUM_BITS = 20
TEXTURE = (1200, 2200)
"""(H, W) of the still picture that a scene moves over."""
SPECTRUM = 1.15
"""Power of 1/f of its amplitudes."""
LOWEST, HIGHEST = 40, 215
"""Luma of the texture: leaves room for grain."""
NUM_GRAINS = 8
SOUND_RATE = 48_000
SOUND_FRAME = 1024
"""Samples of an AAC frame."""


@dataclass(frozen=True, slots=True)
class SourceClip:
    """A few minutes of distinct video, without sound."""

    name: str
    codec: str
    options: Mapping[str, str]
    size: tuple[int, int]
    """(H, W)."""
    rate: int
    """Frames per second."""
    num_frames: int
    scene_s: int
    grain: float
    """Standard deviation of the noise, in levels of luma."""


@dataclass(frozen=True, slots=True)
class SpeedFile:
    """A file: a segment, repeated, in a container, with sound if that takes AAC."""

    name: str
    segment: SourceClip
    num_copies: int

    @property
    def rate(self) -> int:
        """Frames per second."""
        return self.segment.rate

    @property
    def num_frames(self) -> int:
        """Frames of the whole file."""
        return self.segment.num_frames * self.num_copies

    def path(self, folder: Path) -> Path:
        """Returns the path of the file in folder; writes it if it is missing."""
        return written_file(folder / self.name, lambda part: _assemble(self, folder, part))


class _StoredPacket(NamedTuple):
    """A packet that outlives its file. Times are in ticks."""

    pts: int
    dts: int
    duration: int
    is_keyframe: bool
    data: bytes


def speed_dir() -> Path:
    """Returns the folder of the files."""
    return cache_folder("speed")


def number_shown(index: int, file: SpeedFile) -> int:
    """Returns the number that frame index of the file shows."""
    return index % file.segment.num_frames


def number_in(picture: NDArray[np.uint8]) -> int:
    """Returns the number that a picture (H, W, 3) of any size shows."""
    height, width, _ = picture.shape
    row = picture[height - max(1, height // 40)].mean(axis=1)
    centers = ((np.arange(NUM_BITS) + 0.5) * width / NUM_BITS).astype(int)
    return int(((row[centers] > 128) << np.arange(NUM_BITS)).sum())


X264 = {"crf": "28", "x264-params": "keyint=250:bframes=3:open-gop=0"}
LEAN = {"crf": "42", "preset": "superfast", "x264-params": "keyint=250:bframes=3:open-gop=0"}
OPEN = "keyint=250:bframes=3:open-gop=1:b-pyramid=normal"
VP9 = {"b": "400k", "deadline": "good", "cpu-used": "5", "row-mt": "1", "g": "250"}

H264_360P = SourceClip(
    "h264_360p30", "libx264", X264 | {"preset": "fast"}, (360, 640), 30, 30 * 150, 23, 3
)
OPEN_360P = SourceClip(
    "h264_360p24_open",
    "libx264",
    {"preset": "superfast", "crf": "28", "x264-params": OPEN},
    (360, 640),
    24,
    24 * 150,
    31,
    3,
)
H264_720P = SourceClip(
    "h264_720p30", "libx264", X264 | {"preset": "faster"}, (720, 1280), 30, 30 * 60, 17, 3
)
HEVC_360P = SourceClip(
    "hevc_360p25",
    "libx265",
    {"preset": "superfast", "crf": "30", "x265-params": "log-level=none:keyint=250:bframes=4"},
    (360, 640),
    25,
    25 * 60,
    19,
    3,
)
VP9_360P = SourceClip(
    "vp9_360p25",
    "libvpx-vp9",
    VP9 | {"auto-alt-ref": "1", "lag-in-frames": "16", "threads": "4"},
    (360, 640),
    25,
    25 * 60,
    19,
    3,
)
LEAN_360P = SourceClip("h264_360p30_lean", "libx264", LEAN, (360, 640), 30, 30 * 120, 29, 0)
TINY = SourceClip("tiny", "libx264", X264 | {"preset": "superfast"}, (180, 320), 25, 25 * 10, 3, 2)

FILES = {
    file.name: file
    for file in (
        SpeedFile("h264_360p_10min.mp4", H264_360P, 4),
        SpeedFile("h264_360p_10min_again.mp4", H264_360P, 4),
        SpeedFile("h264_360p_60min_open.mp4", OPEN_360P, 24),
        SpeedFile("h264_720p_5min.mp4", H264_720P, 5),
        SpeedFile("hevc_360p_5min.mp4", HEVC_360P, 5),
        SpeedFile("vp9_360p_5min.webm", VP9_360P, 5),
        SpeedFile("lean_10min.mp4", LEAN_360P, 5),
        SpeedFile("lean_10min.mkv", LEAN_360P, 5),
        SpeedFile("lean_10h.mp4", LEAN_360P, 300),
        SpeedFile("lean_10h.mkv", LEAN_360P, 300),
        *(SpeedFile(f"small_{k:02}.mp4", TINY, 1 + k % 4) for k in range(20)),
    )
}


def _quick(file: SpeedFile) -> SpeedFile:
    segment = file.segment
    short = replace(segment, name=f"quick_{segment.name}", size=(96, 160), num_frames=60, scene_s=1)
    return SpeedFile(f"quick_{file.name}", short, min(file.num_copies, 3))


QUICK_FILES = {name: _quick(file) for name, file in FILES.items()}
"""Files of a few seconds under the same names."""


def _assemble(file: SpeedFile, folder: Path, part: Path) -> None:
    """Writes the packets of the segment num_copies times, with sound between them."""
    segment = file.segment
    source = written_file(
        folder / "segments" / f"{segment.name}.mp4", lambda made: _encode(segment, made)
    )
    with av.open(str(source)) as read, av.open(str(part), "w") as out:
        video = read.streams.video[0]
        stream = out.add_stream_from_template(video)
        sound = None
        if part.suffix != ".webm":  # no AAC there
            sound = out.add_stream("aac", rate=SOUND_RATE)
            assert isinstance(sound, AudioStream)
            sound.layout = "mono"
        time_base = exact(video.time_base) or Fraction(1)
        packets = [
            _StoredPacket(p.pts, p.dts, p.duration or 0, p.is_keyframe, bytes(p))
            for p in read.demux(video)
            if p.size and p.pts is not None and p.dts is not None
        ]
        copy_ticks = round(Fraction(segment.num_frames, segment.rate) / time_base)
        num_sounds = 0
        for copy in tqdm(range(file.num_copies), file.name, unit="copy", leave=False):
            for packet in packets:
                shifted = packet._replace(
                    pts=packet.pts + copy * copy_ticks, dts=packet.dts + copy * copy_ticks
                )
                out.mux(_packet(shifted, stream, time_base))
                until = shifted.dts * time_base * SOUND_RATE
                while sound is not None and num_sounds * SOUND_FRAME <= until:
                    out.mux(_packet(_sound(num_sounds), sound, Fraction(1, SOUND_RATE)))
                    num_sounds += 1


def _packet(
    stored: _StoredPacket, stream: VideoStream | AudioStream, time_base: Fraction
) -> "av.Packet[Any]":
    packet: av.Packet[Any] = av.Packet(stored.data)
    packet.stream, packet.time_base = stream, time_base
    packet.pts, packet.dts, packet.duration = stored.pts, stored.dts, stored.duration
    packet.is_keyframe = stored.is_keyframe
    return packet


@cache
def _hum() -> tuple[bytes, ...]:
    rng = np.random.default_rng(0)
    encoder = av.AudioCodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SOUND_RATE, "mono", "fltp"
    encoder.open()
    frames = []
    for k in range(2 * SOUND_RATE // SOUND_FRAME):
        samples = rng.normal(0, 0.1, (1, SOUND_FRAME)).astype(np.float32)
        sound = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        sound.sample_rate, sound.pts = SOUND_RATE, k * SOUND_FRAME
        frames += [bytes(packet) for packet in encoder.encode(sound)]
    return tuple(frames)


def _sound(index: int) -> _StoredPacket:
    """Returns the index-th AAC frame of endless noise."""
    data = _hum()[index % len(_hum())]
    return _StoredPacket(index * SOUND_FRAME, index * SOUND_FRAME, SOUND_FRAME, True, data)


def _encode(segment: SourceClip, part: Path) -> None:
    height, width = segment.size
    with av.open(str(part), "w") as out:
        stream = out.add_stream(segment.codec, rate=segment.rate, options=dict(segment.options))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        pictures = tqdm(_pictures(segment), segment.name, segment.num_frames, leave=False)
        for index, planes in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, segment.rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def _pictures(segment: SourceClip) -> Iterator[NDArray[np.uint8]]:
    """Yields the frames of a segment, each (3H/2, W) uint8: the three planes of yuv420p."""
    height, width = segment.size
    seed = int.from_bytes(segment.name.encode()) % 2**32
    rng = np.random.default_rng(seed)
    texture, sprite = _texture(seed % 7), _texture(7)[: height // 3, : width // 4, 0]
    noise = rng.normal(0, segment.grain, (NUM_GRAINS, height, width)).round()
    grains = noise.clip(-20, 20).astype(np.int8).view(np.uint8)  # adding them wraps around
    room = np.array(TEXTURE) - (height, width) - 400
    home = np.zeros(2, np.int64)
    for index in range(segment.num_frames):
        time_s = index / segment.rate
        if index % (segment.scene_s * segment.rate) == 0:
            home = 200 + rng.integers(0, room.clip(1))
        sway = 150 * np.sin([0.61 * time_s, 0.9 * time_s])
        planes = _crop(texture, home + sway, segment.size)
        place = (0.5 + 0.5 * np.sin([0.53 * time_s, 0.37 * time_s])) * (2 * height / 3, width / 2)
        top, left = place.astype(int)
        planes[:height][top : top + height // 3, left : left + width // 4] = sprite
        planes[:height] += grains[index % NUM_GRAINS]
        _write_number(planes, index, segment.size)
        yield planes


@cache
def _texture(seed: int) -> NDArray[np.uint8]:
    """Returns a still picture with a 1/f spectrum, shapes and text, (H, W, 3) uint8 YUV."""
    rng = np.random.default_rng(seed)
    height, width = TEXTURE
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = 1
    layers = []
    for _ in range(3):
        spectrum = np.fft.rfft2(rng.standard_normal(TEXTURE)) / frequency**SPECTRUM
        layer = np.fft.irfft2(spectrum, s=TEXTURE)
        layers.append(128 + 38 * (layer - layer.mean()) / layer.std())
    image = Image.fromarray(np.stack(layers, axis=2).clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for k in range(220):
        x, y, extent = (int(rng.integers(limit)) for limit in (width, height, 140))
        color = tuple(rng.integers(0, 256, 3).tolist())
        box = (x, y, x + extent + 10, y + extent // 2 + 10)
        if k % 3 == 0:
            draw.ellipse(box, fill=color)
        elif k % 3 == 1:
            draw.rectangle(box, outline=color, width=3)
        else:
            draw.text((x, y), f"zoom {k}", fill=color, font_size=12 + extent // 3)
    luma, *chroma = (np.asarray(plane) for plane in image.convert("YCbCr").split())
    return np.stack([luma.clip(LOWEST, HIGHEST), *chroma], axis=2)


def _crop(
    texture: NDArray[np.uint8], place: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.uint8]:
    """Returns the planes, as `_pictures` yields them, of the texture at place (y, x)."""
    height, width = size
    top, left = (int(at) // 2 * 2 for at in place)  # whole chroma pixels
    part = texture[top : top + height, left : left + width]
    chroma = [part[::2, ::2, k].reshape(-1, width) for k in (1, 2)]
    return np.concatenate([part[..., 0], *chroma])


def _write_number(planes: NDArray[np.uint8], number: int, size: tuple[int, int]) -> None:
    """Draws the number as blocks along the bottom."""
    height, width = size
    bits = (number >> np.arange(NUM_BITS)) & 1
    columns = np.arange(width) * NUM_BITS // width
    planes[height - height // 20 : height] = np.where(bits, 235, 16)[columns]
    for plane in planes[height:].reshape(2, height // 2, width // 2):
        plane[-(height // 40) - 1 :] = 128
