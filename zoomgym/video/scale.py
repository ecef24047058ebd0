"""Turns decoded frames into upright pictures with square pixels, and scales them."""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import numpy as np
from av.filter import Graph
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from zoomgym.video.letterbox import resized

# Nearest to accurate RGB resized by Pillow's LANCZOS, and faster than the two steps.
SCALING = (
    Interpolation.LANCZOS
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)


MAX_SIDE_DATA = 64  # FFmpeg 8.1 has 32 kinds


@dataclass(frozen=True, slots=True)
class Orientation:
    """Steps that turn a stored picture upright: transposed first, then mirrored."""

    is_transposed: bool = False
    is_mirrored_x: bool = False
    is_mirrored_y: bool = False

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns a view of picture (H, W, 3), upright."""
        if self.is_transposed:
            picture = picture.transpose(1, 0, 2)
        return picture[:: -1 if self.is_mirrored_y else 1, :: -1 if self.is_mirrored_x else 1]


def orientation_of(frame: VideoFrame) -> Orientation:
    """Returns what the frame's display matrix says, to the nearest quarter turn.

    `frame.rotation` calls a mirrored picture a half turn.

    Source: FFmpeg, libavutil/display.h: x' = a*x + c*y, y' = b*x + d*y of [a, b, u, c, d, ...].
    """
    matrix = _side_data(frame).get(Type.DISPLAYMATRIX)
    if matrix is None:
        return Orientation()
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(matrix))
    is_transposed = abs(b) > abs(a)
    return Orientation(
        is_transposed,
        is_mirrored_x=(c if is_transposed else a) < 0,
        is_mirrored_y=(b if is_transposed else d) < 0,
    )


def _side_data(frame: VideoFrame) -> Mapping[Type, SideData]:
    """Returns the side data of frame that PyAV knows; 18 fails on others, such as Exif."""
    try:
        known: object = frame.side_data
    except ValueError:
        known = _without_unknown_side_data(frame).side_data
    return cast("Mapping[Type, SideData]", known)  # PyAV's type is that of a dict


def _without_unknown_side_data(frame: VideoFrame) -> VideoFrame:
    """Returns the same picture with only those side data that PyAV has names for."""
    unknown = set(range(MAX_SIDE_DATA)) - {kind.value for kind in Type}
    graph = Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        ),
        *(graph.add("sidedata", f"mode=delete:type={number}") for number in sorted(unknown)),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*nodes).configure()
    graph.push(frame)
    return cast("VideoFrame", graph.pull())


def shown_size(
    stored: tuple[int, int], pixel_aspect: Fraction, orientation: Orientation
) -> tuple[int, int]:
    """Returns the (H, W) of an upright picture with square pixels, from stored (H, W)."""
    height, width = stored[0], max(1, round(stored[1] * pixel_aspect))
    return (width, height) if orientation.is_transposed else (height, width)


class Scaler:
    """Makes upright RGB pictures of a wanted size out of frames, reusing FFmpeg's scaler."""

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def picture(
        self, frame: VideoFrame, size: tuple[int, int], orientation: Orientation
    ) -> NDArray[np.uint8]:
        """Returns frame as (H, W, 3) uint8 RGB for size (H, W), upright."""
        height, width = size[::-1] if orientation.is_transposed else size
        scaled = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="gbrp",  # the bytes of rgb24 in a third of its time: FFmpeg has SIMD for it
            interpolation=SCALING,
            dst_color_range=ColorRange.JPEG,
            threads=1,
        )
        return orientation.apply(scaled.to_ndarray().astype(np.uint8, copy=False))


def native_size(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """Returns the largest (H, W) in the aspect of size with H*W <= max_pixels, never larger."""
    height, width = size
    if height < 1 or width < 1 or max_pixels < 1:
        raise ValueError(f"sizes need to be 1 or more, got {size} within {max_pixels} pixels")
    if height * width <= max_pixels:
        return size
    new_width = max(1, math.isqrt(max_pixels * width // height))
    new_height = max(1, min(round(new_width * height / width), max_pixels // new_width))
    return new_height, min(new_width, max_pixels // new_height)


def cropped(
    picture: NDArray[np.uint8], box: tuple[float, float, float, float], max_pixels: int
) -> NDArray[np.uint8]:
    """Returns a part of a picture, shrunk to max_pixels if it has more: (h, w, 3) uint8.

    Args:
        picture: (H, W, 3) uint8.
        box: left, top, right, bottom, as shares of it. Pixels that are in it in part are in it.
        max_pixels: bound of the result.
    """
    height, width, _ = picture.shape
    left, top, right, bottom = box
    rows = slice(min(math.floor(top * height), height - 1), max(1, math.ceil(bottom * height)))
    columns = slice(min(math.floor(left * width), width - 1), max(1, math.ceil(right * width)))
    part = picture[rows, columns]
    size = native_size((part.shape[0], part.shape[1]), max_pixels)
    if size == part.shape[:2]:
        return part.copy()
    return resized(part, size, Image.Resampling.LANCZOS)
