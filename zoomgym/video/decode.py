"""Turns packets into the wanted frames, and decodes as few others as possible.

It trusts that a packet's time is that of its frame, and that a packet marked as a keyframe is one.
A decoded frame that says otherwise raises a Doubt: play the file once from its start (`playback`).
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from typing import NamedTuple

import av
from av.video.frame import VideoFrame

from zoomgym.errors import VideoError
from zoomgym.video.container import OpenFile, VideoPacket
from zoomgym.video.emptiness import is_empty
from zoomgym.video.packets import FOREVER, Doubt, PacketReader, Run

# Decoders that can leave out frames no other frame refers to; checked frame by frame in the tests.
CAN_SKIP = {"h264", "hevc", "mpeg4", "mpeg2video", "vp8", "vp9"}
GUESSED_TIMES = {"mpeg"}
"""Formats where few packets have a time; FFmpeg fills in the others, differently after a seek."""
CHANGING_PALETTES = {"pal8"}
"""Pixel formats whose colors may come from earlier packets that are no keyframes."""
MAX_LEAD_INS = 4
MAX_PIXELS_PLAYED = 10**10
"""Largest damaged file to play whole, about half a minute's work. Frames of a larger one are
concealed from the keyframe before them, which can look different."""


class Shown(NamedTuple):
    """A decoded frame, and the tick at which it appears."""

    pts: int
    frame: VideoFrame
    is_damaged: bool = False
    """Whether it is corrupt, or a later frame was wanted and did not decode."""


class Decoder:
    """Decodes the frames that answer limits (see `packets`). Any method may raise Doubt."""

    def __init__(self, opened: OpenFile) -> None:
        """Takes over the reading position of opened."""
        self._opened = opened
        self._can_skip = opened.codec.name in CAN_SKIP
        self._num_failed = 0
        """Packets of the current run that did not decode and may hold pictures."""
        self.reader = PacketReader(opened)

    def first_frame(self) -> Shown:
        """Returns the first frame that is shown when the file is played from its start."""
        codec = self._opened.codec
        if self._opened.format_names & GUESSED_TIMES or codec.pix_fmt in CHANGING_PALETTES:
            raise Doubt
        shown = self._first_alone() or next(self._decode(self.reader.from_start(), None), None)
        if shown is None:
            raise VideoError(
                f"{self._opened.path}: needed frames with timestamps, none decodes: "
                "check it with ffprobe"
            )
        first = self._opened.first
        is_key = shown.frame.key_frame or (first is not None and first.is_discard)
        if not is_key or (codec.has_b_frames and not self.reader.descends()):
            raise Doubt
        if "mpegts" in self._opened.format_names and self.reader.starts_again():
            raise Doubt
        if "mxf" in self._opened.format_names and self.reader.renumbers():
            raise Doubt
        return shown

    def last_packet(self) -> VideoPacket | None:
        """Returns the packet of the last frame; None if only decoding can tell which that is."""
        run = self.reader.last_run()
        if run is None:
            return None
        start = run.packets[0]
        if not start.is_discard:
            alone = next(self._decode([start], None), None)
            is_key = alone is not None and alone.frame.key_frame
            if not is_key and not self._num_failed:
                raise Doubt  # frames that are shown later may come before it
        return next(packet for packet in run.packets if packet.pts in run.wanted)

    def last_frame(self) -> Shown:
        """Returns the last frame of the file."""
        [(_, shown)] = self.frames([FOREVER])
        return shown

    def frames(self, limits: Sequence[int]) -> Iterator[tuple[list[int], Shown]]:
        """Yields every wanted frame once, with those of the ascending limits that it answers."""
        missing: list[tuple[int, list[int]]] = []
        for run in self.reader.runs(limits):
            answers = dict(run.wanted)
            for shown in self._decode_run(run):
                if shown.pts in answers:
                    yield answers.pop(shown.pts), shown
            missing.extend(answers.items())
        for pts, answered in missing:  # only now, as this reads elsewhere
            yield answered, self._last_until(pts)

    def _first_alone(self) -> Shown | None:
        """Returns the first frame if its packet is the first one and decodes alone."""
        packet = self.reader.first_packet()
        if packet is None:
            return None
        shown = next(self._decode([packet], None), None)
        return shown if shown is not None and shown.pts == packet.pts else None

    def _decode_run(self, run: Run) -> Iterator[Shown]:
        """Yields the frames of a run, at least those that are wanted and decode."""
        start = run.packets[0]
        is_trusted = start.is_discard or start.pts is None  # then its frame does not come out
        num_missing = len(run.wanted)
        for shown in self._decode(run.packets, wanted=run.wanted.keys()):
            if not is_trusted and start.pts is not None and shown.pts >= start.pts:
                if shown.pts > start.pts or not shown.frame.key_frame:
                    if not self._num_failed:
                        raise Doubt
                    return
                is_trusted = True
            num_missing -= shown.pts in run.wanted
            yield shown
        if num_missing and not self._num_failed:
            raise Doubt

    def _last_until(self, pts: int) -> Shown:
        """Returns the last frame shown up to pts, where the packet of pts itself is damaged."""
        best: Shown | None = None
        before, num_tried = pts + 1, 0
        while best is None or num_tried < MAX_LEAD_INS:
            packets = self.reader.lead_in(pts, before)
            until = (shown for shown in self._decode(packets, wanted=None) if shown.pts <= pts)
            best = max(until, key=lambda shown: shown.pts, default=best)
            earlier = None if self.reader.is_at_start else packets[0].pts
            if earlier is None or (best is not None and best.pts == pts):
                break
            before, num_tried = earlier, num_tried + 1
        if best is None:
            raise VideoError(
                f"{self._opened.path}: needed a frame at pts {pts}, nothing decodes there"
            )
        return best._replace(is_damaged=best.is_damaged or best.pts != pts)

    def _decode(
        self, packets: Iterable[VideoPacket], wanted: Collection[int] | None
    ) -> Iterator[Shown]:
        """Yields the frames of packets in the order they are shown; if wanted, at least those pts.

        A packet whose own frame is not wanted may be left out if no other frame refers to it.
        """
        left = set(wanted or ())
        is_first, last_pts = True, -FOREVER
        for packet in chain(packets, [None]):
            if is_first:  # only now, as reading may open the file again
                self._opened.start_decoding()
                self._num_failed = 0
            elif packet is None and wanted is not None and not left:
                break
            if packet is None or packet.size:  # an empty one would put the decoder into draining
                is_needed = wanted is None or is_first or packet is None or packet.pts in left
                if self._can_skip:
                    self._opened.codec.skip_frame = "DEFAULT" if is_needed else "NONREF"
                for shown in self._decoded(packet):
                    if shown.pts <= last_pts:
                        raise Doubt
                    last_pts = shown.pts
                    left.discard(shown.pts)
                    yield shown
            is_first = False

    def _decoded(self, packet: VideoPacket | None) -> list[Shown]:
        """Feeds a packet, or None for the end, and returns the frames that come out."""
        try:
            frames = self._opened.decode(packet)
        except av.FFmpegError:  # a player continues with the next packet
            if packet is not None and not is_empty(packet, self._opened.codec):
                self._num_failed += 1
            frames = []
        is_damaged = self._num_failed or any(frame.is_corrupt for frame in frames)
        if is_damaged and self._opened.claimed_pixels <= MAX_PIXELS_PLAYED:
            raise Doubt
        if any(frame.pts is None for frame in frames):
            raise Doubt
        return [
            Shown(frame.pts, frame, frame.is_corrupt) for frame in frames if frame.pts is not None
        ]
