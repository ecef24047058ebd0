"""Kinds of file whose packets do not say which frame is on screen when, as strangers have them."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.packet import Packet

from benchmarks.speed.decoding.awkward.clips import (
    GOP,
    HEIGHT,
    NUM_FRAMES,
    WIDTH,
    X264,
    draw,
    write,
)

Get = Callable[[str], Path]
Packets = list[Any]

DELIMITER = b"\0\0\0\2\x09\xf0"  # an H.264 sample without a picture
MESSAGE = b"\0\0\0\x0a\x06\x05\x06zoomgym\x80"  # and one with a message
LEFT_OUT = b"\x7f"  # what some MPEG-4 encoders write for a frame that they leave out
PICTURE = b"\0\0\1\xb6"
MPEG2_PICTURE = b"\0\0\1\0"
B_PICTURE = 2
NOT_CODED = PICTURE + b"\x57\0\0"
MXF_FOOTER = bytes.fromhex("060e2b34020501010d01020101040400")
PACKED_BY_DIVX = b"\0\0\1\xb2DivX503b1393p"


def changed(
    source: str, change: Callable[[Packets], Packets], **settings: Any
) -> Callable[[Path, Get], None]:
    """Returns a writer of another kind's packets after a change."""

    def write_changed(path: Path, get: Get) -> None:
        with (
            av.open(str(get(source))) as read,
            av.open(str(path), "w", container_options=settings) as out,
        ):
            video = read.streams.video[0]
            stream = out.add_stream_from_template(video)
            for packet in change([packet for packet in read.demux(video) if packet.size]):
                packet.stream = stream
                out.mux(packet)

    return write_changed


def in_decode_order(packets: Packets) -> Packets:
    """Gives each packet the time of its place in decode order, as if there were no B-frames."""
    ascending = sorted(packet.pts for packet in packets)
    for packet, ticks in zip(packets, ascending, strict=True):
        packet.pts = packet.dts = ticks
    return packets


def with_false_keyframes(packets: Packets) -> Packets:
    """Marks every third packet as a keyframe."""
    for packet in packets[::3]:
        packet.is_keyframe = True
    return packets


def without_keyframes(packets: Packets) -> Packets:
    """Marks no packet as a keyframe."""
    for packet in packets:
        packet.is_keyframe = False
    return packets


def with_empty_packets(data: Sequence[bytes], every: int) -> Callable[[Packets], Packets]:
    """Returns a change that puts packets of data, marked as keyframes, between the others."""

    def add(packets: Packets) -> Packets:
        added = []
        for index, packet in enumerate(packets):
            packet.pts, packet.dts = 2 * packet.pts, 2 * packet.dts
            added.append(packet)
            if index % every == 0:
                empty = Packet(data[index // every % len(data)])
                empty.time_base, empty.is_keyframe = packet.time_base, True
                empty.pts, empty.dts = packet.pts + packet.duration, packet.dts + packet.duration
                added.append(empty)
        return added

    return add


def packed(packets: Packets) -> Packets:
    """Puts each MPEG-4 B-frame into the packet before it, as DivX and XviD do in AVI.

    A packet that only says `not coded` then takes the B-frame's place.
    """
    made: list[tuple[int, bytes]] = []
    for place, packet in enumerate(packets):
        data = bytes(packet)
        if data[data.index(PICTURE) + 4] >> 6 == B_PICTURE:
            made[-1] = (place - 1, made[-1][1] + data)
            data = NOT_CODED
        made.append((place, PACKED_BY_DIVX + data if place == 0 else data))
    changed = [Packet(data) for _, data in made]
    for new, (place, _), old in zip(changed, made, packets, strict=True):
        new.time_base, new.is_keyframe = old.time_base, old.is_keyframe
        new.pts = new.dts = place
    return changed


def with_edits(source: str, edits: Sequence[tuple[int, int]]) -> Callable[[Path, Get], None]:
    """Returns a writer of an mp4 with several edits: (duration in ms, first tick of the media)."""

    def write_edited(path: Path, get: Get) -> None:
        data = get(source).read_bytes()
        at = data.index(b"elst")
        size = int.from_bytes(data[at - 4 : at])
        entries = b"".join(
            num_ms.to_bytes(4) + tick.to_bytes(4, signed=True) + b"\0\1\0\0"
            for num_ms, tick in edits
        )
        new = (16 + len(entries)).to_bytes(4) + b"elst\0\0\0\0" + len(edits).to_bytes(4) + entries
        data = data[: at - 4] + new + data[at - 4 + size :]
        for name in (b"edts", b"trak", b"moov"):  # which hold it, and follow the frames
            start = data.rindex(name, 0, at) - 4
            grown = int.from_bytes(data[start : start + 4]) + len(new) - size
            data = data[:start] + grown.to_bytes(4) + data[start + 4 :]
        path.write_bytes(data)

    return write_edited


def with_times_of_display_only(source: str) -> Callable[[Path, Get], None]:
    """Returns a writer of an MPEG-TS whose packets have a PTS, and no DTS."""

    def write_without(path: Path, get: Get) -> None:
        data = bytearray(get(source).read_bytes())
        for at in range(0, len(data), 188):
            start = data.find(b"\0\0\1\xe0", at, at + 60)
            if start > 0 and data[start + 7] >> 6 == 3:
                data[start + 7] &= 0xBF
                data[start + 9] = 0x20 | data[start + 9] & 0x0F
                data[start + 14 : start + 19] = b"\xff" * 5  # stuffing
        path.write_bytes(data)

    return write_without


def without_index(source: str) -> Callable[[Path, Get], None]:
    """Returns a writer of an MXF that breaks off before its index: seeks then invent times."""

    def write_cut(path: Path, get: Get) -> None:
        data = get(source).read_bytes()
        path.write_bytes(data[: data.rindex(MXF_FOOTER)])

    return write_cut


def by_old_x264(path: Path, get: Get) -> None:
    """Writes 4:4:4 H.264 that FFmpeg decodes in another way, as it says that x264 was an old one.

    Only its first packet says so.
    """
    write(path, options=X264 | GOP | {"crf": "4"}, pix_fmt="yuv444p")
    data = path.read_bytes()
    at = data.index(b"x264 - core ") + 12
    path.write_bytes(data[:at] + b"120" + data[at + 3 :])


def with_palette(path: Path, get: Get) -> None:
    """Writes pictures of color indices. The palette comes with the first packet only."""
    colors = np.random.default_rng(0).integers(0, 256, (256, 4), dtype=np.uint8)
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "pal8"
        for index in range(NUM_FRAMES):
            indices = np.ascontiguousarray(draw(index)[:, :, 0])
            picture: Any = (indices, colors)
            frame = av.VideoFrame.from_ndarray(picture, format="pal8")
            frame.pts = index
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def damaged(source: str, seed: int) -> Callable[[Path, Get], None]:
    """Returns a writer of another kind with some bytes within its packets overwritten."""

    def write_damaged(path: Path, get: Get) -> None:
        data = bytearray(get(source).read_bytes())
        rng = np.random.default_rng(seed)
        with av.open(str(get(source))) as container:
            packets = [p for p in container.demux(video=0) if p.size > 100 and p.pos is not None]
        for index in rng.choice(len(packets), 8, replace=False).tolist():
            at = packets[index].pos + int(rng.integers(40, packets[index].size - 8))
            data[at : at + 4] = rng.bytes(4)
        path.write_bytes(data)

    return write_damaged


def in_fields(path: Path, get: Get) -> None:
    """Writes MPEG-2 in which each packet holds one of the two fields of a frame, all of them intra.

    No encoder at hand does. Pictures of half the height are encoded and their headers changed: a
    field differs from a frame in nothing else.

    Source: ISO 13818-2, 6.2.2 and 6.2.3 (bits of the headers).
    """
    encoder = av.CodecContext.create("mpeg2video", "w")
    encoder.width, encoder.height, encoder.pix_fmt = WIDTH, HEIGHT // 2, "yuv420p"
    encoder.time_base, encoder.bit_rate, encoder.gop_size = Fraction(1, 50), 2_000_000, 1
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(2 * NUM_FRAMES):
            picture = draw(index // 2)[index % 2 :: 2]
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture))
            frame.pts = index
            for packet in encoder.encode(frame):
                field = Packet(_field(bytes(packet), index))
                field.stream, field.time_base, field.is_keyframe = stream, Fraction(1, 50), True
                field.pts = field.dts = index
                out.mux(field)


def _field(data: bytes, index: int) -> bytes:
    """Returns an intra MPEG-2 picture as the top field of a frame, or as the bottom one if odd."""
    field = bytearray(data)
    at = field.index(b"\0\0\1\xb3") + 4  # sequence: twelve bits of width, twelve of height
    field[at + 1 : at + 3] = (WIDTH % 16 << 12 | HEIGHT).to_bytes(2)
    field[field.index(b"\0\0\1\xb5") + 5] &= ~8  # not progressive
    at = field.index(MPEG2_PICTURE) + 4
    field[at : at + 2] = (index // 2 % 1024 << 6 | field[at + 1] & 63).to_bytes(2)
    at = field.index(b"\0\0\1\xb5\x8f") + 4
    field[at + 2] = field[at + 2] & ~3 | index % 2 + 1
    field[at + 3] &= ~0b11000011  # neither top first, nor frame prediction, nor repeated
    field[at + 4] &= ~128
    return bytes(field[field.index(MPEG2_PICTURE) :] if index % 2 else field)


STRANGE: dict[str, Callable[[Path, Get], None]] = {
    "no_composition_times.mp4": changed("base.mp4", in_decode_order),
    "no_composition_times.mkv": changed("base.mp4", in_decode_order),
    "no_composition_times.flv": changed("base.mp4", in_decode_order),
    "no_composition_times_open.mp4": changed("open_gop.mp4", in_decode_order),
    "no_composition_times_deep.mp4": changed("deep_b.mp4", in_decode_order),
    "no_composition_times_mpeg4.mp4": changed("mpeg4.mp4", in_decode_order),
    "no_composition_times_hevc.mp4": changed("hevc.mp4", in_decode_order),
    "false_keyframes.mp4": changed("base.mp4", with_false_keyframes),
    "false_keyframes.mkv": changed("open_gop.mp4", with_false_keyframes),
    "false_keyframes_hevc.mp4": changed("hevc.mp4", with_false_keyframes),
    "false_keyframes_vp9.webm": changed("vp9.webm", with_false_keyframes),
    "false_keyframes.avi": changed("no_b.avi", with_false_keyframes),
    "no_keyframes.mkv": changed("base.mp4", without_keyframes),
    "no_keyframes.webm": changed("vp9.webm", without_keyframes),
    "left_out.avi": changed("mpeg4_no_b.avi", with_empty_packets([LEFT_OUT], 7)),
    "delimiters.mp4": changed("no_b.mp4", with_empty_packets([DELIMITER], 1)),
    "messages.mp4": changed("base.mp4", with_empty_packets([MESSAGE, DELIMITER], 3)),
    "two_edits.mp4": with_edits("base.mp4", [(1000, 1024), (1500, 20992)]),
    "edits_back.mp4": with_edits("base.mp4", [(500, 30000), (1000, 5000), (400, 44000)]),
    "edit_after_pause.mp4": with_edits("base.mp4", [(700, -1), (1100, 12345)]),
    "times_of_display.ts": with_times_of_display_only("mpeg2.ts"),
    "times_of_display_h264.ts": with_times_of_display_only("open_gop.ts"),
    "packed.avi": changed("mpeg4_one_b.avi", packed),
    "fields.mkv": in_fields,
    "fields.ts": in_fields,
    "fields.mpg": in_fields,
    "no_index.mxf": without_index("mpeg2.mxf"),
    "old_x264.mp4": by_old_x264,
    "palette.avi": with_palette,
    "damaged.mp4": damaged("base.mp4", 0),
    "damaged.ts": damaged("open_gop.ts", 1),
    "damaged_mpeg4.avi": damaged("mpeg4.avi", 2),
    "damaged_hevc.mkv": damaged("hevc.mkv", 3),
    "damaged_mpeg2.mpg": damaged("mpeg2.mpg", 4),
}
