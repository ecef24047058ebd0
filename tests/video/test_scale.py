"""Upright pictures with square pixels and the right colors, and sizes."""

import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.speed.decoding.awkward.clips import X264, write
from zoomgym.video import Limits, VideoFile, native_size

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def corners(index: int) -> NDArray[np.uint8]:
    """Returns (64, 96, 3): red and green above, blue and white below."""
    picture = np.empty((64, 96, 3), np.uint8)
    picture[:32, :48], picture[:32, 48:] = RED, GREEN
    picture[32:, :48], picture[32:, 48:] = BLUE, WHITE
    return picture


def shown_corners(path: Path, size: tuple[int, int]) -> list[str]:
    """Returns the names of the colors in the four corners as they are shown."""
    names = {(True, False, False): "red", (False, True, False): "green"}
    names |= {(False, False, True): "blue", (True, True, True): "white"}
    with VideoFile(path) as video:
        assert video.size == size
        [frame] = video.frames_at([0.0], size)
    height, width = size
    places = [(y, x) for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]
    return [names[tuple(bool(c) for c in frame[place] > 128)] for place in places]


@pytest.mark.parametrize("name", ["turned.mp4", "turned.mkv", "turned.mov"])
@pytest.mark.parametrize(
    ("degrees", "is_mirrored", "expected"),
    [
        (0, False, ["red", "green", "blue", "white"]),
        (90, False, ["green", "white", "red", "blue"]),  # counter-clockwise
        (180, False, ["white", "blue", "green", "red"]),
        (270, False, ["blue", "red", "white", "green"]),
        (0, True, ["green", "red", "white", "blue"]),
        (180, True, ["blue", "white", "red", "green"]),
        (90, True, ["white", "green", "blue", "red"]),
        (270, True, ["red", "blue", "green", "white"]),
    ],
)
def test_picture_is_upright(
    name: str, degrees: int, is_mirrored: bool, expected: list[str], tmp_path: Path
) -> None:
    def turn(stream: Any) -> None:
        stream.set_display_rotation(degrees, hflip=is_mirrored)

    write(tmp_path / name, options=X264, pts=[0, 1], pictures=corners, prepare=turn)
    size = (96, 64) if degrees % 180 else (64, 96)
    assert shown_corners(tmp_path / name, size) == expected


def write_exif(path: Path, orientation: int) -> None:
    """Writes JPEG pictures with an orientation as cameras do: in Exif, before the picture."""
    tag = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + struct.pack("<2sHIH", b"II", 42, 8, 1) + tag + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("mjpeg", rate=25)
        stream.height, stream.width, _ = corners(0).shape
        stream.pix_fmt = "yuvj420p"
        for index in range(2):
            frame = av.VideoFrame.from_ndarray(corners(index))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            for encoded in stream.encode(frame):
                data = bytes(encoded)
                packet = av.Packet(data[:2] + segment + data[2:])
                packet.pts = packet.dts = index
                packet.stream, packet.time_base = stream, Fraction(1, 25)
                packet.is_keyframe = True
                out.mux(packet)


@pytest.mark.parametrize("name", ["exif.avi", "exif.mov", "exif.mkv"])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, ["red", "green", "blue", "white"]),
        (2, ["green", "red", "white", "blue"]),
        (3, ["white", "blue", "green", "red"]),
        (4, ["blue", "white", "red", "green"]),
        (5, ["red", "blue", "green", "white"]),
        (6, ["blue", "red", "white", "green"]),
        (7, ["white", "green", "blue", "red"]),
        (8, ["green", "white", "red", "blue"]),
    ],
)
def test_picture_is_upright_beside_side_data_that_pyav_does_not_know(
    name: str, orientation: int, expected: list[str], tmp_path: Path
) -> None:
    write_exif(tmp_path / name, orientation)
    size = (96, 64) if orientation > 4 else (64, 96)
    assert shown_corners(tmp_path / name, size) == expected


WIDE = [
    (Fraction(4, 3), 0, (64, 128)),
    (Fraction(1, 2), 0, (64, 48)),
    (Fraction(4, 3), 90, (128, 64)),
    (Fraction(16, 11), 0, (64, 140)),
]


@pytest.mark.parametrize(
    ("name", "pixel_aspect", "degrees", "size"),
    [
        (name, *case)
        for name in ("wide.mp4", "wide.mkv", "wide.ts")
        for case in WIDE
        if not (name == "wide.ts" and case[1])  # MPEG-TS stores no rotation
    ],
)
def test_size_counts_square_pixels(
    name: str, pixel_aspect: Fraction, degrees: int, size: tuple[int, int], tmp_path: Path
) -> None:
    def prepare(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = pixel_aspect
        stream.set_display_rotation(degrees)

    write(tmp_path / name, options=X264, pts=range(25), pictures=corners, prepare=prepare)
    with VideoFile(tmp_path / name) as video:
        assert video.size == size
        assert video.frames_at([0.0], size).shape == (1, *size, 3)


UNSPECIFIED, BT709, BT601, BT2020 = 2, 1, 6, 9
LIMITED, FULL = 1, 2


def luma_weights(matrix: int) -> tuple[float, float]:
    """Returns the weights of red and blue in luma."""
    return {BT709: (0.2126, 0.0722), BT2020: (0.2627, 0.0593)}.get(matrix, (0.299, 0.114))


def rgb_of(y: int, u: int, v: int, matrix: int, color_range: int) -> list[int]:
    """Returns the RGB of an 8-bit YUV color, by the book (ITU-T H.273)."""
    red, blue = luma_weights(matrix)
    luma = (y - 16) / 219 if color_range == LIMITED else y / 255
    scale = 224 if color_range == LIMITED else 255
    cb, cr = (u - 128) / scale, (v - 128) / scale
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    g = (luma - red * r - blue * b) / (1 - red - blue)
    return [round(255 * min(1, max(0, c))) for c in (r, g, b)]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le"])
@pytest.mark.parametrize("color_range", [LIMITED, FULL])
@pytest.mark.parametrize("matrix", [UNSPECIFIED, BT709, BT601, BT2020])
@pytest.mark.parametrize("yuv", [(81, 90, 200), (120, 110, 90), (170, 166, 60)])
def test_colors_follow_the_tags_of_the_file(
    yuv: tuple[int, int, int], matrix: int, color_range: int, pix_fmt: str, tmp_path: Path
) -> None:
    path = tmp_path / "color.mp4"
    write_yuv(path, yuv, matrix, color_range, pix_fmt)
    with VideoFile(path) as video:
        frame = video.frames_at([0.0], (20, 30))[0]
    expected = rgb_of(*yuv, matrix=matrix, color_range=color_range)
    assert np.abs(frame.astype(int) - expected).max() <= 2


@pytest.mark.parametrize(("color_range", "levels"), [(LIMITED, (16, 235)), (FULL, (0, 255))])
def test_black_is_0_and_white_is_255(
    color_range: int, levels: tuple[int, int], tmp_path: Path
) -> None:
    for level, expected in zip(levels, (0, 255), strict=True):
        path = tmp_path / f"{level}.mp4"
        write_yuv(path, (level, 128, 128), BT709, color_range, "yuv420p")
        with VideoFile(path) as video:
            assert (video.frames_at([0.0], (20, 30)) == expected).all()


def write_yuv(
    path: Path, yuv: tuple[int, int, int], matrix: int, color_range: int, pix_fmt: str
) -> None:
    """Writes a file of one color, lossless, with tags."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"qp": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = color_range
        frame = av.VideoFrame(64, 48, pix_fmt)
        frame.colorspace, frame.color_range = matrix, color_range
        depth = np.uint16 if "10" in pix_fmt else np.uint8
        for plane, value in zip(frame.planes, yuv, strict=True):
            level = value * 4 if depth is np.uint16 else value
            plane.update(np.full(plane.buffer_size // np.dtype(depth).itemsize, level, depth))
        out.mux(stream.encode(frame))
        out.mux(stream.encode())


@pytest.mark.parametrize("size", [(1, 1), (1, 160), (96, 1), (3, 5), (1000, 30), (97, 161)])
def test_any_size_can_be_asked_for(size: tuple[int, int], clip: Callable[[str], Path]) -> None:
    with VideoFile(clip("base.mp4")) as video:
        assert video.frames_at([0.0, 1.0], size).shape == (2, *size, 3)


@pytest.mark.parametrize(
    ("size", "max_pixels", "expected"),
    [
        ((1080, 1920), 100_352, (237, 422)),
        ((360, 640), 100_352, (237, 422)),
        ((224, 448), 100_352, (224, 448)),
        ((100, 100), 100_352, (100, 100)),
        ((1_000_000, 1), 100, (100, 1)),
        ((1, 1_000_000), 100, (1, 100)),
        ((5, 7), 1, (1, 1)),
    ],
)
def test_native_size_keeps_the_aspect_within_the_bound(
    size: tuple[int, int], max_pixels: int, expected: tuple[int, int]
) -> None:
    assert native_size(size, max_pixels) == expected


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 200_000))
def test_native_size_is_never_larger(height: int, width: int, max_pixels: int) -> None:
    new_height, new_width = native_size((height, width), max_pixels)
    assert 1 <= new_height <= height
    assert 1 <= new_width <= width
    assert new_height * new_width <= max_pixels


@given(st.integers(1, 80), st.floats(1.0, 100.0), st.integers(1, 200_000), st.booleans())
def test_what_limits_allow_never_grows_too_long_for_qwen(
    short: int, aspect: float, max_pixels: int, is_wide: bool
) -> None:
    size = (short, int(short * aspect)) if is_wide else (int(short * aspect), short)
    new_size = native_size(size, max_pixels)
    assert max(new_size) <= 2 * Limits().aspect * min(new_size) == 200 * min(new_size)


def test_native_size_refuses_nothing_at_all() -> None:
    with pytest.raises(ValueError, match="sizes need to be 1 or more"):
        native_size((10, 0), 100)
