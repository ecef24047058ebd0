"""Plays a file once from its start, and finds the same frames again without playing all of it.

This is for files whose packets do not tell which frame is on screen when: B-frames without
composition times, keyframes that are none, damage. The n-th frame shown has the n-th time. A frame
is returned only if it looks as it did when the file was played.
"""

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import chain, groupby, islice

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from zoomgym.errors import VideoError
from zoomgym.video.container import OpenFile, VideoPacket
from zoomgym.video.decode import Shown
from zoomgym.video.emptiness import is_empty

MAX_TRIES = 4
"""Keyframes to try to decode from before the file is played from its start."""
MAX_SKIPPED = 1000
"""Most packets to look through for the keyframe after a seek."""
MAX_SHIFT = 32
"""Most places by which times of frames are out of order: twice what a codec reorders."""
MAX_LEADING = 32
"""Frames that a decoder may show before the keyframe it was started at."""


@dataclass(frozen=True, slots=True)
class SeekPoint:
    """A frame that the decoder called a keyframe."""

    index: int
    pts: int


@dataclass(frozen=True, slots=True, eq=False)
class Playback:
    """Every frame of a file, in the order of display."""

    last_ticks: int
    """Duration of the last frame, 0 if unknown."""
    pts: tuple[int, ...]
    """(N,) ascending."""
    fingerprints: tuple[int, ...]
    """(N,) of the pixels."""
    corrupt: frozenset[int]
    failed_pts: tuple[int, ...]
    """Ascending, of packets that did not decode."""
    starts: tuple[SeekPoint, ...]
    """Ascending."""
    unfit: set[int] = field(default_factory=set)
    """Indices of starts from which the frames look different."""

    def index_at(self, limit: int) -> int:
        """Returns the index of the last frame with a pts <= limit."""
        return max(0, bisect_right(self.pts, limit) - 1)

    def is_damaged(self, index: int, limit: int) -> bool:
        """Returns whether something other than the frame at index should answer limit."""
        failed = bisect_right(self.failed_pts, limit)
        is_late = failed > 0 and self.failed_pts[failed - 1] > self.pts[index]
        return is_late or index in self.corrupt

    def start_before(self, index: int) -> SeekPoint | None:
        """Returns the last fit start at or before index; None is the start of the file."""
        number = bisect_right(self.starts, index, key=lambda start: start.index)
        fit = (start for start in reversed(self.starts[:number]) if start.index not in self.unfit)
        return next(fit, None)


def play(opened: OpenFile) -> tuple[VideoFrame, Playback]:
    """Plays a file once; returns its first frame, and what is worth keeping of all frames.

    Raises VideoError if nothing decodes, times start again, or it takes too long.
    """
    first: VideoFrame | None = None
    pts: list[int | None] = []
    fingerprints: list[int] = []
    corrupt: set[int] = set()
    failed_pts: list[int] = []
    starts: list[SeekPoint] = []
    last_ticks = 0
    for frame in _frames(opened, opened.from_start(), failed_pts):
        if frame.key_frame and frame.pts is not None:
            starts.append(SeekPoint(len(pts), frame.pts))
        if frame.is_corrupt:
            corrupt.add(len(pts))
        pts.append(frame.pts)
        fingerprints.append(_fingerprint(frame))
        first, last_ticks = first or frame, frame.duration or 0
    if first is None:
        raise VideoError(f"{opened.path}: needed frames, none decodes: check it with ffprobe")
    known = _filled(pts, opened.usual_ticks)
    if _starts_again(known):
        raise VideoError(
            f"{opened.path}: needed times that ascend, got some that start again, as where "
            "recordings were joined: convert it with ffmpeg"
        )
    return first, Playback(
        last_ticks=last_ticks,
        pts=tuple(sorted(known)),
        fingerprints=tuple(fingerprints),
        corrupt=frozenset(corrupt),
        failed_pts=tuple(sorted(failed_pts)),
        starts=tuple(starts[1:]),  # the first is reached from the start of the file
    )


def replay(
    opened: OpenFile, playback: Playback, limits: Sequence[int]
) -> Iterator[tuple[list[int], Shown]]:
    """Yields every wanted frame, with the limits (highest pts) that it answers.

    Raises VideoError if a frame looks different from when the file was played.
    """
    answers: dict[int, list[int]] = {}
    for limit in sorted(limits):
        answers.setdefault(playback.index_at(limit), []).append(limit)
    for index, frame in _wanted_frames(opened, playback, sorted(answers)):
        for is_damaged, answered in groupby(answers[index], partial(playback.is_damaged, index)):
            yield list(answered), Shown(playback.pts[index], frame, is_damaged)


def _wanted_frames(
    opened: OpenFile, playback: Playback, wanted: list[int]
) -> Iterator[tuple[int, VideoFrame]]:
    """Yields the frames with the wanted indices, which ascend."""
    num_unfit = 0
    while wanted:
        start = playback.start_before(wanted[0]) if num_unfit < MAX_TRIES else None
        num_wanted = len(wanted)
        for index, frame in _frames_from(opened, start):
            if index < wanted[0]:
                continue
            if _fingerprint(frame) != playback.fingerprints[index]:
                break
            del wanted[0]
            yield index, frame
            if not wanted or (num_unfit < MAX_TRIES and playback.start_before(wanted[0]) != start):
                break
        if len(wanted) == num_wanted:
            if start is None:
                raise VideoError(
                    f"{opened.path}: needed the same frames whenever it is played, got others: "
                    "convert it with ffmpeg"
                )
            playback.unfit.add(start.index)
            num_unfit += 1


def _frames_from(opened: OpenFile, start: SeekPoint | None) -> Iterator[tuple[int, VideoFrame]]:
    """Yields the indices and frames from start on; none if it cannot be found. None plays all."""
    if start is None:
        yield from enumerate(_frames(opened, opened.from_start()))
        return
    try:
        packets = opened.from_seek(start.pts)
    except av.FFmpegError:  # beyond what the index holds
        return
    opened.start_decoding()
    frames = _frames(opened, _packets_from(packets, start.pts))
    for frame in islice(frames, MAX_LEADING):
        if frame.key_frame and frame.pts == start.pts:
            yield from enumerate(chain([frame], frames), start.index)
            return


def _packets_from(packets: Iterator[VideoPacket], pts: int) -> Iterator[VideoPacket]:
    """Yields the packets from the one with this pts on, if it is near."""
    for packet in islice(packets, MAX_SKIPPED):
        if packet.pts == pts and packet.size:
            yield packet
            yield from packets
            return


def _frames(
    opened: OpenFile, packets: Iterator[VideoPacket], failed_pts: list[int] | None = None
) -> Iterator[VideoFrame]:
    """Yields the frames of packets in the order of display, up to where the file breaks off.

    Adds the pts of packets that do not decode to failed_pts.
    """
    for packet in chain(_readable(packets), [None]):
        if packet is not None and not packet.size:  # it would put the decoder into draining
            continue
        try:
            yield from opened.decode(packet)
        except av.FFmpegError:  # a player continues with the next packet
            if failed_pts is None or packet is None or packet.pts is None or packet.is_discard:
                continue
            if not is_empty(packet, opened.codec):
                failed_pts.append(packet.pts)


def _readable(packets: Iterator[VideoPacket]) -> Iterator[VideoPacket]:
    """Yields packets until the end of the file, or of what can be read."""
    with suppress(av.FFmpegError):
        yield from packets


def _filled(pts: list[int | None], usual_ticks: int) -> list[int]:
    """Returns pts. Frames without one follow the frame before them."""
    number, first = next(
        ((number, ticks) for number, ticks in enumerate(pts) if ticks is not None), (0, 0)
    )
    known, last = [], first - (number + 1) * usual_ticks
    for ticks in pts:
        last = last + usual_ticks if ticks is None else ticks
        known.append(last)
    return known


def _starts_again(pts: list[int]) -> bool:
    """Returns whether pts in the order of display ascend twice, apart from a few damaged ones."""
    shifts = np.abs(np.argsort(pts, kind="stable") - np.arange(len(pts)))
    return int((shifts > MAX_SHIFT).sum()) > MAX_SHIFT


def _fingerprint(frame: VideoFrame) -> int:
    """Returns a checksum of the pixels, without the right of pictures with rare layouts."""
    pixel_format = frame.format
    is_packed = len(frame.planes) == 1
    checksum = 0
    for plane in frame.planes:
        data: NDArray[np.uint8] = np.frombuffer(memoryview(plane), np.uint8)
        if plane.line_size > 0 and data.size == plane.height * plane.line_size:
            num_bits = (
                pixel_format.padded_bits_per_pixel if is_packed else pixel_format.components[0].bits
            )
            num_bytes = plane.width * -(-num_bits // 8)
            data = data.reshape(plane.height, plane.line_size)[:, :num_bytes]
        checksum = zlib.crc32(data.tobytes(), checksum)
    return checksum
