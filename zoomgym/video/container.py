"""Opening a local file and choosing its video stream. What is decoded from it is not known here."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from zoomgym.errors import VideoError
from zoomgym.video.limits import Deadline, Limits

__all__ = ["OpenFile", "naming", "open_file"]

# FFmpeg's names of the formats that hold video, their own timestamps and nothing outside the file.
# Left out on purpose: playlists (hls, dash, concat), image patterns, devices, raw streams.
CONTAINERS = ("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf")

# What PyAV raises about a file: FFmpeg's own errors, and plain ones where a number in the file is
# none of an enum's, is too large for its type, or asks for more memory than there is.
PYAV_ERRORS = (av.FFmpegError, ValueError, OverflowError, MemoryError, NotImplementedError)

PADDING = 1 << 20  # FFmpeg counts the pixels that it adds at the edges too
MAX_INT = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open container and the one of its streams that is read."""

    path: Path
    container: InputContainer
    stream: VideoStream
    time_base: Fraction
    """Seconds per pts tick."""
    deadline: Deadline
    """To be checked between packets."""

    @property
    def codec(self) -> VideoCodecContext:
        """The decoder of the stream."""
        return self.stream.codec_context

    @property
    def format_names(self) -> frozenset[str]:
        """FFmpeg's names of the container format, such as mov and mp4."""
        return frozenset(self.container.format.name.split(","))

    @property
    def is_pts_by_decoding(self) -> bool:
        """The pts of packets ascend in decode order, so they are not those of their own frames.

        AVI stores no times, and FFmpeg cannot work them out for H.264 and HEVC with B-frames. The
        n-th frame that the decoder shows then belongs to the n-th pts.
        """
        return (
            "avi" in self.format_names
            and self.codec.name in {"h264", "hevc"}
            and bool(self.codec.has_b_frames)
        )


def open_file(path: Path, limits: Limits) -> OpenFile:
    """Opens a local video file.

    Raises:
        VideoError: it is none, holds no video stream, or its pictures are over the limits.
    """
    decoding = {"max_pixels": str(int(min(2 * limits.pixels + PADDING, MAX_INT)))}
    with naming(path, "open it"):
        container = av.open(
            f"file:{path.absolute()}",  # the prefix keeps a name like "concat:a" a plain name
            options=decoding,
            container_options={
                "protocol_whitelist": "file",
                "format_whitelist": ",".join(CONTAINERS),
            },
            metadata_errors="ignore",
            timeout=limits.wait_s,
        )
        try:
            return _prepare(path, container, limits, decoding)
        except BaseException:
            container.close()
            raise


def _prepare(
    path: Path, container: InputContainer, limits: Limits, decoding: dict[str, str]
) -> OpenFile:
    """Returns the container with its stream chosen and its decoder set. Raises VideoError."""
    stream = _choose_stream(path, container)
    _check_pixels(path, stream.codec_context, limits)
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    codec = stream.codec_context
    codec.thread_type = "SLICE"  # frame threads delay frames past skip_frame
    codec.thread_count = 1
    codec.options = decoding  # pictures may grow in mid-file
    time_base = Fraction(stream.time_base or Fraction(1))
    return OpenFile(path, container, stream, time_base, Deadline(path, limits.call_s))


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
        reason = error.strerror if isinstance(error, av.FFmpegError) else error
        raise VideoError(
            f"{path}: cannot {action}: {reason}. Needed a whole video file "
            f"({', '.join(CONTAINERS)}): check it with ffprobe, or convert it with ffmpeg"
        ) from error


def _choose_stream(path: Path, container: InputContainer) -> VideoStream:
    """Returns FFmpeg's best video stream that is no cover picture and has a decoder."""
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
