"""Measures when a file starts and ends, and how it is shown.

Reads packets where that is exact, so that opening decodes one keyframe or little more.
"""

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction

from zoomgym.errors import VideoError
from zoomgym.video.clock import tick_at
from zoomgym.video.container import OpenFile, exact
from zoomgym.video.decode import Decoder, Shown
from zoomgym.video.packets import Doubt
from zoomgym.video.playback import Playback, play
from zoomgym.video.scale import Orientation, orientation_of, shown_size

# Where every packet that reads without an error is whole and holds one shown frame.
WHOLE_PACKET_FORMATS = {"mov", "mp4", "matroska", "webm"}
ONE_FRAME_CODECS = {"h264", "hevc", "vp9", "av1", "libdav1d"}


@dataclass(frozen=True, slots=True)
class Facts:
    """When a file starts and ends, and how its pictures are shown. pts are in ticks."""

    time_base: Fraction
    """Seconds per tick."""
    first_pts: int
    last_pts: int
    end_pts: int
    size: tuple[int, int]
    """(H, W) upright, with square pixels."""
    orientation: Orientation
    playback: Playback | None = None
    """Result of playing the file; None where its packets can be trusted."""

    @property
    def num_bytes(self) -> int:
        """Rough size in memory."""
        return 500 + (0 if self.playback is None else 100 * len(self.playback.pts))

    def seconds(self, pts: int) -> float:
        """Returns the time of pts, from the first frame."""
        return float((pts - self.first_pts) * self.time_base)

    def limit(self, time_s: float) -> int:
        """Returns the highest pts that a frame on screen at time_s can have."""
        return min(self.first_pts + tick_at(time_s, self.time_base), self.last_pts)


def measure(opened: OpenFile, decoder: Decoder, is_doubted: bool = False) -> Facts:
    """Returns the facts of an open file; after a Doubt (is_doubted), those of playing it.

    Raises VideoError if nothing decodes, or that takes too long.
    """
    if not is_doubted:
        with suppress(Doubt):
            first = decoder.first_frame()
            last_pts, last_ticks = _last(opened, decoder)
            return _facts(opened, first, last_pts, last_ticks)
    frame, playback = play(opened)
    first = Shown(playback.pts[0], frame)
    return _facts(opened, first, playback.pts[-1], playback.last_ticks, playback)


def _facts(
    opened: OpenFile,
    first: Shown,
    last_pts: int,
    last_ticks: int,
    playback: Playback | None = None,
) -> Facts:
    """Returns the facts that follow from the first frame and the times of the last one."""
    if last_pts < first.pts:
        raise VideoError(
            f"{opened.path}: needed times that ascend, got a last frame before the first: "
            "remux it with ffmpeg"
        )
    orientation = orientation_of(first.frame)
    pixel_aspect = exact(opened.stream.sample_aspect_ratio) or Fraction(1)
    return Facts(
        time_base=opened.time_base,
        first_pts=first.pts,
        last_pts=last_pts,
        end_pts=last_pts + (last_ticks or opened.usual_ticks),
        size=shown_size((first.frame.height, first.frame.width), pixel_aspect, orientation),
        orientation=orientation,
        playback=playback,
    )


def _last(opened: OpenFile, decoder: Decoder) -> tuple[int, int]:
    """Returns the pts of the last frame and its duration in ticks, 0 if unknown."""
    if opened.format_names & WHOLE_PACKET_FORMATS and opened.codec.name in ONE_FRAME_CODECS:
        packet = decoder.last_packet()
        if packet is not None and packet.pts is not None:
            return packet.pts, packet.duration or 0
    shown = decoder.last_frame()
    return shown.pts, shown.frame.duration or 0
