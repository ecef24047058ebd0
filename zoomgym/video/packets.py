"""Seeks and reads packets, without decoding, to find which pts answers each wanted time.

A *limit* is a wanted time in pts ticks: it is answered by the shown packet with the largest
pts <= limit. Packets stay in decode order.
"""

import bisect
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice, pairwise

import av

from zoomgym.errors import VideoError
from zoomgym.video.container import OpenFile, VideoPacket
from zoomgym.video.emptiness import is_empty

FOREVER = 1 << 62
"""A limit after every pts: the last frame of the file answers it."""

MAX_REORDER = 16  # H.264 and HEVC: at most 16 frames follow in output but precede in decode order
SEEKS_BY_INDEX = {"mov", "mp4", "matroska", "webm", "avi", "flv"}
MAX_LEAD_S = 20
NUM_SAMPLES = 16
READ_ON_S = 2  # nearer than this, reading on is cheaper than a seek


class Doubt(Exception):  # noqa: N818 - no error: the reason for another way
    """The packets of a file do not say which frame is on screen when."""


@dataclass(slots=True)
class Run:
    """Packets to feed, from a keyframe on, and the frames wanted out of them."""

    packets: list[VideoPacket]
    wanted: dict[int, list[int]] = field(default_factory=dict)
    """Limits that each wanted frame answers, by its pts."""


class PacketReader:
    """Reads the packets of one stream: forwards from the start, or around wanted times."""

    def __init__(self, opened: OpenFile) -> None:
        """Takes over the reading position of opened."""
        self._opened = opened
        self._second = max(1, round(1 / opened.time_base))  # in ticks
        self._seeks_by_index = bool(opened.format_names & SEEKS_BY_INDEX)
        start = opened.stream.start_time or 0
        self._lowest = max(-FOREVER, min(start, 0) - 10 * self._second)
        self._claimed_end = min(FOREVER, start + opened.claimed_ticks + self._second)
        self._lead = 0  # ticks to seek ahead of a limit, as this file's seeks land late
        self._begin()

    @property
    def is_at_start(self) -> bool:
        """Whether the packets at hand start with the first one of the file."""
        return self._is_at_start

    def from_start(self) -> Iterator[VideoPacket]:
        """Yields every packet of the file in decode order."""
        self._rewind()
        yield from iter(self._read, None)

    def descends(self) -> bool:
        """Returns whether pts descend anywhere in decode order, as those of B-frames have to."""
        if not (self._is_at_start and self._packets):
            self._rewind()
        highest = -FOREVER
        for packet in chain(list(self._packets), iter(self._read, None)):
            if (pts := self._pts_shown(packet)) is not None:
                if pts < highest:
                    return True
                highest = pts
        return False

    def starts_again(self) -> bool:
        """Returns whether somewhere in the file times start again, by a few samples of its bytes.

        In MPEG-TS, which has no index, a seek would land in either of two joined recordings.
        """
        samples: list[int] = []
        for place in range(NUM_SAMPLES):
            with suppress(av.FFmpegError):
                packets = self._opened.from_byte(self._opened.container.size * place // NUM_SAMPLES)
                samples += [packet.pts for packet in islice(packets, 1) if packet.pts is not None]
        return any(later < earlier - self._second for earlier, later in pairwise(samples))

    def renumbers(self) -> bool:
        """Returns whether a seek gives packets other times, as in MXF that lost its index."""
        self._rewind()
        first = self._read()
        if first is None or first.pts is None:
            return True
        middle = first.pts + self._opened.claimed_ticks // 2
        for pts in (first.pts + 1, middle):
            packet = self._seek_keyframe(pts)
            if packet is None or packet.pts is None or packet.pts > pts:
                return True
            if (packet.pos == first.pos) != (packet.pts == first.pts):
                return True
        return False

    def first_packet(self) -> VideoPacket | None:
        """Returns the first packet if playing starts with its frame, and that one decodes alone."""
        self._rewind()
        packet = self._read()
        if packet is None or not packet.is_keyframe or (pts := self._pts_shown(packet)) is None:
            return None
        self._keep(packet)
        self._read_past(pts)
        return packet if self._shown_pts[0] == pts else None

    def last_run(self) -> Run | None:
        """Returns the run of the last frame; None if the file may be cut off in mid-packet."""
        [run] = self.runs([FOREVER])
        if self._is_cut or any(packet.is_corrupt for packet in run.packets):
            return None
        return run

    def runs(self, limits: Sequence[int]) -> Iterator[Run]:
        """Yields runs that together hold an answer for each of the ascending limits.

        Raises Doubt if later times come earlier in the file, as in joined recordings.
        """
        run: Run | None = None
        self._begin()
        for limit in limits:
            if self._is_seek_needed(limit):
                self._land(limit, before=limit + 1)
            pts, packets = self._packets_for(limit)
            if run is None or run.packets[0].pts != packets[0].pts:
                if run is not None:
                    if not self._seeks_by_index and _place(packets) < _place(run.packets):
                        raise Doubt
                    yield run
                run = Run(packets)
            elif len(packets) > len(run.packets):
                run.packets = packets
            run.wanted.setdefault(pts, []).append(limit)
        if run is not None:
            yield run

    def lead_in(self, pts: int, before: int) -> list[VideoPacket]:
        """Returns the packets up to pts from a keyframe whose own pts is < before."""
        self._land(pts, before)
        self._read_past(pts)
        until = [
            i
            for i, packet in enumerate(self._packets)
            if packet.pts is not None and packet.pts <= pts
        ]
        return self._packets[: until[-1] + 1] if until else self._packets

    def _begin(self) -> None:
        """Forgets what was read."""
        self._packets: list[VideoPacket] = []
        self._shown_pts: list[int] = []  # ascending, of the packets that are to be shown
        self._is_at_start = False
        self._is_at_end = False
        self._is_cut = False

    def _rewind(self) -> None:
        """Moves the demuxer to the first packet of the file."""
        self._begin()
        self._demuxed = self._opened.from_start()
        self._is_at_start = True

    def _read(self) -> VideoPacket | None:
        """Returns the next packet; None at the end, which in a damaged file comes early."""
        self._opened.deadline.check()
        if self._is_at_end:
            return None
        try:
            packet = next(self._demuxed)
        except av.ExitError:  # a slow disk is no end
            raise
        except (StopIteration, av.FFmpegError) as error:
            self._is_at_end, self._is_cut = True, isinstance(error, av.FFmpegError)
            return None
        if packet.size == 0 and packet.pts is None and packet.dts is None:  # PyAV's end mark
            self._is_at_end = True
            return None
        return packet

    def _keep(self, packet: VideoPacket) -> None:
        """Adds a packet to those at hand. Raises Doubt if times start again."""
        self._packets.append(packet)
        if (pts := self._pts_shown(packet)) is not None:
            if self._num_after(pts) > MAX_REORDER:
                raise Doubt
            bisect.insort(self._shown_pts, pts)

    def _pts_shown(self, packet: VideoPacket) -> int | None:
        """Returns the pts of the frame on screen; None if there is none, or it is edited out."""
        if packet.is_discard or is_empty(packet, self._opened.codec):
            return None
        return packet.pts

    def _land(self, limit: int, before: int) -> None:
        """Seeks until the packets at hand answer limit and start with a keyframe of pts < before.

        Seeks land late on open GOPs and nearly always in MPEG-TS, so this goes back further and
        further, at last to the start of the file.
        """
        highest = min(limit, before - 1)
        seek_pts = (self._claimed_end if highest == FOREVER else highest) - self._lead
        step = self._second
        while seek_pts > self._lowest:
            packet = self._seek_keyframe(seek_pts)
            if packet is not None and packet.pts is not None and packet.pts <= highest:
                self._keep(packet)
                self._read_past(limit)
                if self._shown_pts and self._shown_pts[0] <= limit:  # not all cut by an edit list
                    self._learn_lead(highest - seek_pts)
                    return
            seek_pts, step = seek_pts - step, 2 * step
        self._rewind()

    def _learn_lead(self, lead: int) -> None:
        """Remembers how far ahead of its aim a seek without an index had to be."""
        if not self._seeks_by_index and lead <= MAX_LEAD_S * self._second:
            self._lead = max(self._lead, lead)

    def _seek_keyframe(self, pts: int) -> VideoPacket | None:
        """Seeks to about pts and returns the first keyframe there, if any."""
        self._begin()
        try:
            self._demuxed = self._opened.from_seek(pts)
        except av.FFmpegError:  # beyond what the index holds
            return None
        while (packet := self._read()) is not None and not packet.is_keyframe:
            pass
        return packet

    def _is_past(self, limit: int) -> bool:
        """Returns whether no later packet can have a pts <= limit."""
        return self._num_after(limit) > MAX_REORDER

    def _num_after(self, pts: int) -> int:
        """Returns how many of the packets that were read have a later pts."""
        return len(self._shown_pts) - bisect.bisect_right(self._shown_pts, pts)

    def _read_past(self, limit: int) -> None:
        """Reads on until no later packet can have a pts <= limit."""
        while not self._is_past(limit) and (packet := self._read()) is not None:
            self._keep(packet)

    def _is_seek_needed(self, limit: int) -> bool:
        """Returns whether reading from here to limit would cost more than a seek."""
        if not self._packets:
            return True
        if self._is_at_end or self._is_past(limit):
            return False
        index = self._opened.stream.index_entries
        if self._seeks_by_index and len(index) and index[-1].timestamp >= limit:
            entry = index.search_timestamp(limit)
            return entry >= 0 and index[entry].pos > (self._packets[-1].pos or 0)
        return not self._shown_pts or limit - self._shown_pts[-1] > READ_ON_S * self._second

    def _packets_for(self, limit: int) -> tuple[int, list[VideoPacket]]:
        """Returns the pts that answers limit and the packets from its keyframe up to it.

        Near the end of the file they go up to the end: a broken last packet can cost the frame
        before it.
        """
        self._read_past(limit)
        shown = [
            (pts, i)
            for i, packet in enumerate(self._packets)
            if (pts := self._pts_shown(packet)) is not None
        ]
        if not shown:
            raise VideoError(
                f"{self._opened.path}: needed frames with timestamps, found no more of them"
            )
        pts, end = max((pair for pair in shown if pair[0] <= limit), default=min(shown))
        start = next((i for i in range(end, -1, -1) if _is_start_for(self._packets[i], pts)), 0)
        del self._packets[:start]  # later limits start here or later
        is_near_end = self._is_at_end and self._num_after(pts) <= MAX_REORDER
        return pts, self._packets[: None if is_near_end else end - start + 1]


def _is_start_for(packet: VideoPacket, pts: int) -> bool:
    """Returns whether decoding can start at packet to show the frame at pts."""
    return packet.is_keyframe and packet.pts is not None and packet.pts <= pts


def _place(packets: Sequence[VideoPacket]) -> int:
    """Returns where in the file packets start, in bytes."""
    return next((packet.pos for packet in packets if packet.pos is not None), 0)
