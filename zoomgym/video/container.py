"""Opens a local file, chooses its video stream, and reads packets from it."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from zoomgym.errors import VideoError
from zoomgym.video.formats import CONTAINERS, why_not
from zoomgym.video.header_claims import check_claims
from zoomgym.video.limits import Deadline, Limits

if TYPE_CHECKING:  # PyAV's packets are generic in its stubs only
    VideoPacket = Packet[VideoStream]
else:
    VideoPacket = Packet

# What PyAV raises about a file: FFmpeg's own errors, and plain ones where a number in the file is
# none of an enum's, is too large for its type, or asks for more memory than there is.
PYAV_ERRORS = (av.FFmpegError, ValueError, OverflowError, MemoryError, NotImplementedError)

NO_CONTAINER = (av.InvalidDataError, av.ArgumentError)  # the second: a format that is not opened

ANY_METADATA: dict[str, Any] = (
    {} if hasattr(av, "AVRational") else {"metadata_errors": "ignore"}  # PyAV 18 wants to be told
)
"""Arguments of `av.open` with which it opens files whose tags are no UTF-8, too."""

PADDING = 1 << 20  # FFmpeg counts the pixels that it adds at the edges too
MAX_INT = (1 << 31) - 1


def exact(rational: Fraction | None) -> Fraction:
    """Returns a number of PyAV as a fraction: 0 for none.

    PyAV 18 has fractions and None, PyAV 19 has numbers of its own, and 0 of them for none.
    """
    return Fraction(rational.numerator, rational.denominator) if rational else Fraction(0)


class OpenFile:
    """An open container, the one stream that is read from it, and that stream's decoder.

    For one thread at a time. Packets come from the start of the file, or from a seek on.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        """Opens a local video file. Raises VideoError if it is none, or over the limits."""
        self.path = path
        check_claims(path, limits)
        self.deadline = Deadline(path, limits.call_s)
        self._limits = limits
        self._open()

    def _open(self) -> None:
        """Opens the container at its start."""
        self.container, self.stream = _open_container(self.path, self._limits)
        self.time_base = exact(self.stream.time_base) or Fraction(1)
        self._demuxed = self._demux()
        self._is_fresh = True
        self.first: VideoPacket | None = None
        """The first packet of the file, once it is read."""
        self._has_decoded_first = False

    def _demux(self) -> Generator[VideoPacket]:
        """Yields the packets from where the container is, and an empty one at the end."""
        try:
            yield from cast("Generator[VideoPacket]", self.container.demux(self.stream))
        except IndexError:
            return  # PyAV 18 also ends streams that came up on the way, which it does not know

    @property
    def codec(self) -> VideoCodecContext:
        """The decoder of the stream."""
        return self.stream.codec_context

    @property
    def format_names(self) -> frozenset[str]:
        """FFmpeg's names of the container format, such as mov and mp4."""
        return frozenset(self.container.format.name.split(","))

    @property
    def claimed_ticks(self) -> int:
        """The longest duration that the headers claim, in ticks."""
        container_s = (self.container.duration or 0) / av.time_base
        index = self.stream.index_entries
        return max(
            self.stream.duration or 0,
            round(container_s / self.time_base),
            index[-1].timestamp if len(index) else 0,
        )

    @property
    def usual_ticks(self) -> int:
        """Usual length of a frame in ticks, at least 1."""
        rate = exact(self.stream.average_rate) or exact(self.stream.guessed_rate)
        return max(1, round(1 / (rate * self.time_base))) if rate else 1

    @property
    def claimed_pixels(self) -> int:
        """Pixels of all frames together, as far as the headers tell."""
        num_frames = self.stream.frames or self.claimed_ticks // self.usual_ticks
        return num_frames * self.codec.width * self.codec.height

    def from_start(self) -> Iterator[VideoPacket]:
        """Yields the packets of the file in decode order, from the very first one.

        Opens a used container again: a seek to the start of MPEG-TS or MPEG-PS loses the first
        times, and fails without keyframes.
        """
        if not self._is_fresh:
            self.close()
            self._open()
        self._is_fresh = False
        for packet in self._demuxed:
            if self.first is None:
                self.first = packet
            yield packet

    def from_seek(self, pts: int) -> Iterator[VideoPacket]:
        """Returns the packets from about the keyframe before pts on. Raises av.FFmpegError."""
        if self.first is None:
            next(self.from_start(), None)
        self._demuxed.close()  # a generator that is only dropped leaks memory
        self.container.seek(pts, stream=self.stream)
        self._demuxed = self._demux()
        return self._demuxed

    def from_byte(self, offset: int) -> Iterator[VideoPacket]:
        """Returns the packets from about this byte of the file on. Raises av.FFmpegError."""
        self._is_fresh = False
        self._demuxed.close()
        self.container.seek(offset, stream=self.stream, unsupported_byte_offset=True)
        self._demuxed = self._demux()
        return self._demuxed

    def start_decoding(self) -> None:
        """Prepares the decoder for packets that do not follow the last ones it was fed.

        Feeds the first packet of the file once, which can hold what all others need: a palette, or
        x264's version, by which FFmpeg works around the faults of old ones.
        """
        if self.first is not None and not self._has_decoded_first:
            with suppress(av.FFmpegError):
                self.decode(self.first)
        self.codec.flush_buffers()
        self.codec.skip_frame = "DEFAULT"

    def decode(self, packet: VideoPacket | None) -> list[VideoFrame]:
        """Feeds a packet, or None for the end, and returns the frames that come out.

        Raises av.FFmpegError if the packet does not decode, VideoError if the call takes too long.
        """
        self.deadline.check()
        self._has_decoded_first = self._has_decoded_first or packet is self.first
        return self.codec.decode(packet)

    def close(self) -> None:
        """Closes the file, and the descriptor that an open container would keep."""
        self._demuxed.close()
        self.container.close()


def _open_container(path: Path, limits: Limits) -> tuple[InputContainer, VideoStream]:
    """Opens a container and chooses its stream. Raises VideoError."""
    decoding = {"max_pixels": str(int(min(2 * limits.pixels + PADDING, MAX_INT)))}
    with naming(path, "open it"):
        container = av.open(
            f"file:{path.absolute()}",  # the prefix keeps a name like "concat:a" a plain name
            options=decoding,
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": ",".join(CONTAINERS),
            },
            timeout=limits.wait_s,
            **ANY_METADATA,
        )
        try:
            return _prepare(path, container, limits, decoding)
        except BaseException:
            container.close()
            raise


def _prepare(
    path: Path, container: InputContainer, limits: Limits, decoding: dict[str, str]
) -> tuple[InputContainer, VideoStream]:
    """Chooses the stream of the container and sets its decoder. Raises VideoError."""
    stream = _choose_stream(path, container)
    _check_pixels(path, stream.codec_context, limits)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    codec = stream.codec_context
    codec.thread_type = "SLICE"  # frame threads delay frames past skip_frame
    codec.thread_count = 1
    codec.options = decoding  # pictures may grow in mid-file
    return container, stream


@contextmanager
def naming(path: Path, action: str) -> Iterator[None]:
    """Turns errors of PyAV into a VideoError that names the file and what could not be done."""
    try:
        yield
    except PYAV_ERRORS as error:
        if isinstance(error, av.ExitError):
            raise VideoError(
                f"{path}: cannot {action}: its disk or network took too long. Try again, copy it "
                "to a local disk, or allow more in limits (wait_s)"
            ) from error
        reason = str(error.strerror if isinstance(error, av.FFmpegError) else error)
        if isinstance(error, NO_CONTAINER):
            reason += f" ({why_not(path)})"
        raise VideoError(
            f"{path}: cannot {action}: {reason}. Needed a whole video file "
            f"({', '.join(CONTAINERS)}): check it with ffprobe, or convert it with ffmpeg"
        ) from error


def _choose_stream(path: Path, container: InputContainer) -> VideoStream:
    """Returns FFmpeg's best video stream. Raises VideoError without one that can be decoded."""
    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "nothing"
        raise VideoError(
            f"{path}: needed a video stream, got {kinds}"
            f"{' (a cover picture is no video)' if container.streams.video else ''}: "
            "choose another file"
        )
    best = container.streams.best("video")
    stream = next((stream for stream in streams if stream is best), streams[0])
    if stream.codec_context is None:
        raise VideoError(f"{path}: needed a codec that FFmpeg can decode: convert it to H.264")
    return stream


def _check_pixels(path: Path, codec: VideoCodecContext, limits: Limits) -> None:
    """Raises VideoError if the header says that pictures are larger than the limits allow."""
    if codec.width * codec.height > limits.pixels:
        raise VideoError(
            f"{path}: needed frames of at most {limits.pixels} pixels, "
            f"got {codec.width} x {codec.height}: shrink it, or allow more in limits (pixels)"
        )
