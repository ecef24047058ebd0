"""Turning packets into the frames that are wanted, and as few others as possible."""

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

import av
from av.video.frame import VideoFrame

from zoomgym.errors import VideoError
from zoomgym.video.container import OpenFile
from zoomgym.video.packets import FOREVER, PacketReader, VideoPacket

__all__ = ["Decoder", "Shown"]

# Decoders that can leave out frames no other frame refers to; checked frame by frame in the tests.
CAN_SKIP = {"h264", "hevc", "mpeg4", "mpeg2video", "vp8", "vp9"}
MAX_LEAD_INS = 4


class Shown(NamedTuple):
    """A decoded frame, and the tick at which it appears."""

    pts: int
    frame: VideoFrame
    is_replacement: bool = False
    """A later frame was wanted, and did not decode."""


class Decoder:
    """Decodes the frames that answer limits (see `packets`)."""

    def __init__(self, opened: OpenFile) -> None:
        """Takes over the reading position of opened."""
        self._path = opened.path
        self._deadline = opened.deadline
        self._codec = opened.codec
        self._is_pts_by_decoding = opened.is_pts_by_decoding
        self._can_skip = opened.codec.name in CAN_SKIP and not opened.is_pts_by_decoding
        self.reader = PacketReader(opened)
        """Where the packets come from."""

    def first_frame(self) -> Shown:
        """Returns the first frame that is shown when the file is played from its start."""
        packet = None if self._is_pts_by_decoding else self.reader.first_packet()
        if packet is not None:
            alone = next(self._decode([packet], wanted=None), None)
            if alone is not None and alone.pts == packet.pts:
                return alone
        shown = next(self._decode(self.reader.from_start(), wanted=None), None)
        if shown is None:
            raise VideoError(
                f"{self._path}: needed frames with timestamps, none decodes: check it with ffprobe"
            )
        return shown

    def last_frame(self) -> Shown:
        """Returns the last frame of the file."""
        [(_, shown)] = self.frames([FOREVER])
        return shown

    def frames(self, limits: Sequence[int]) -> Iterator[tuple[list[int], Shown]]:
        """Yields every wanted frame once, with the limits that it answers.

        Args:
            limits: ascending. None is before the first frame.
        """
        missing: list[tuple[int, list[int]]] = []
        for run in self.reader.runs(limits):
            answers = dict(run.wanted)
            for shown in self._decode(run.packets, wanted=run.wanted.keys()):
                if shown.pts in answers:
                    yield answers.pop(shown.pts), shown
            missing.extend(answers.items())
        for pts, answered in missing:  # only now, as this reads elsewhere
            yield answered, self._last_until(pts)

    def _last_until(self, pts: int) -> Shown:
        """Returns the last frame shown up to pts, where the packet of pts itself gave none.

        Either its keyframe was none (intra refresh) and an earlier one helps, or data are damaged.
        """
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
            raise VideoError(f"{self._path}: needed a frame at pts {pts}, nothing decodes there")
        return best._replace(is_replacement=best.pts != pts)

    def _decode(
        self, packets: Iterable[VideoPacket], wanted: Collection[int] | None
    ) -> Iterator[Shown]:
        """Yields the frames of packets in the order they are shown; if wanted, at least those pts.

        A packet whose own frame is not wanted may be left out if no other frame refers to it.
        """
        left = set(wanted or ())
        fed: deque[int | None] = deque()
        self._codec.flush_buffers()
        self._codec.skip_frame = "DEFAULT"  # an abandoned loop may have left another
        for packet in packets:
            if packet.size:  # an empty one would put the decoder into draining
                if wanted is not None and self._can_skip:
                    self._codec.skip_frame = "DEFAULT" if packet.pts in left else "NONREF"
                fed.append(packet.pts)
                for shown in self._decoded(packet, fed):
                    left.discard(shown.pts)
                    yield shown
        self._codec.skip_frame = "DEFAULT"
        if wanted is None or left:
            yield from self._decoded(None, fed)

    def _decoded(self, packet: VideoPacket | None, fed: deque[int | None]) -> list[Shown]:
        """Feeds a packet, or None for the end, and returns the frames that come out.

        Args:
            packet: what to feed.
            fed: pts of the packets fed that no frame took yet, only used if the n-th frame belongs
                to the n-th of them.
        """
        self._deadline.check()
        try:
            frames = self._codec.decode(packet)
        except av.FFmpegError:  # damaged data: a player goes on with the next packet
            return []
        if self._is_pts_by_decoding:
            return [Shown(pts, f) for f in frames if fed and (pts := fed.popleft()) is not None]
        return [Shown(frame.pts, frame) for frame in frames if frame.pts is not None]
