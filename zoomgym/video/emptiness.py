"""Packets that hold no picture: frames left out by an encoder, delimiters, parameter sets."""

from collections.abc import Iterator

from av.video.codeccontext import VideoCodecContext

from zoomgym.video.container import VideoPacket

MAX_EMPTY_BYTES = 512  # parameter sets and messages are short; whole pictures are not looked into
MPEG4_PICTURE = b"\0\0\1\xb6"
MPEG2_PICTURE = b"\0\0\1\0"
NAL_START = b"\0\0\1"


def is_empty(packet: VideoPacket, codec: VideoCodecContext) -> bool:
    """Returns whether packet surely holds no picture.

    Source: ITU-T H.264 table 7-1 and H.265 table 7-1 (types of NAL units), ISO 14496-2 and 13818-2
    (start codes), ISO 14496-15 (units with their length in front).
    """
    if packet.size > MAX_EMPTY_BYTES:
        return False
    if codec.name not in {"h264", "hevc", "mpeg4", "mpeg2video"}:
        return packet.size == 0
    data = bytes(packet)
    if codec.name == "mpeg4":
        return MPEG4_PICTURE not in data
    if codec.name == "mpeg2video":
        return MPEG2_PICTURE not in data
    if codec.name == "h264":
        return not any(1 <= unit[0] & 31 <= 5 for unit in _nal_units(data, codec, 4))
    return not any(unit[0] >> 1 & 63 < 32 for unit in _nal_units(data, codec, 21))


def _nal_units(data: bytes, codec: VideoCodecContext, at: int) -> Iterator[bytes]:
    """Yields the NAL units of a packet's data, none of them empty.

    Byte `at` of the codec's configuration says how many bytes a unit's length takes.
    """
    config = codec.extradata or b""
    if len(config) <= at or config[0] != 1:
        yield from (unit for unit in data.split(NAL_START)[1:] if unit)
        return
    num_length_bytes = (config[at] & 3) + 1
    while len(data) > num_length_bytes:
        end = num_length_bytes + int.from_bytes(data[:num_length_bytes])
        if end > num_length_bytes:
            yield data[num_length_bytes:end]
        data = data[end:]
