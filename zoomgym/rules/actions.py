"""The actions of an agent: see a stretch or a part of a frame, read, search, or answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from zoomgym.errors import CallError
from zoomgym.grading import Segment
from zoomgym.io import UNPRINTABLE, brief
from zoomgym.rules.timeline import count_frames, zoom_times

MOST_FIND_CHARS = 300
"""Longest text that is searched for."""
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture, as shares of its width and height."""


@dataclass(frozen=True, slots=True)
class ZoomCall:
    """A request to see the frames in [start_s, end_s), in seconds, at fps frames per second.

    Raises CallError unless numbers are finite, 0 <= start_s < end_s, and fps > 0.
    """

    start_s: float
    end_s: float
    fps: float

    def __post_init__(self) -> None:
        """Refuses a call that means nothing in any video."""
        if not all(map(math.isfinite, (self.start_s, self.end_s, self.fps))):
            raise CallError(
                f"zoom needs finite numbers, got segment [{self.start_s}, {self.end_s}] and "
                f"fps {self.fps}: send ordinary numbers"
            )
        if self.start_s < 0:
            raise CallError(
                f"zoom needs start >= 0, got {self.start_s:g}: the video starts at 0 seconds"
            )
        if self.start_s >= self.end_s:
            raise CallError(
                f"zoom needs start < end, got [{self.start_s:g}, {self.end_s:g}]: "
                "send the earlier time first"
            )
        if self.fps <= 0:
            raise CallError(f"zoom needs fps > 0, got {self.fps:g}: send frames per second")

    @property
    def segment(self) -> Segment:
        """The stretch [start_s, end_s)."""
        return Segment(self.start_s, self.end_s)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The stretches that it shows: one."""
        return (self.segment,)

    @property
    def box(self) -> None:
        """The part of the picture, see `CropCall`: all of it."""
        return None

    @property
    def num_frames(self) -> int:
        """How many frames the call asks for."""
        return count_frames(self.segment, self.fps)

    @property
    def times_s(self) -> tuple[float, ...]:
        """(num_frames,) seconds: the times of the frames it asks for."""
        return zoom_times(self.segment, self.fps)

    def cut_to(self, duration_s: float) -> Self:
        """Returns the call with its end cut to the video's. Raises CallError without a frame."""
        if self.start_s >= duration_s:
            raise CallError(
                f"zoom needs start < {duration_s:.2f}, the end of the video, "
                f"got {self.start_s:g}: start earlier"
            )
        cut = self if self.end_s <= duration_s else replace(self, end_s=duration_s)
        if cut.num_frames == 0:
            raise CallError(
                f"zoom needs at least 1 frame, got fps x length = {cut.fps:g} x "
                f"{cut.end_s - cut.start_s:g} s < 1: lengthen it or raise fps"
            )
        return cut


@dataclass(frozen=True, slots=True)
class CropCall:
    """A request to see a part of one frame, in the pixels of the video.

    Raises CallError unless numbers are finite, 0 <= left < right <= 1, 0 <= top < bottom <= 1, and
    at_s >= 0.
    """

    left: float
    """Edges as shares of the picture, from its top left."""
    top: float
    right: float
    bottom: float
    at_s: float
    """Seconds: the frame that is on screen then."""

    def __post_init__(self) -> None:
        """Refuses a call that means nothing in any video."""
        if not all(map(math.isfinite, (*self.box, self.at_s))):
            raise CallError(
                f"crop needs finite numbers, got {[*self.box]} at {self.at_s}: "
                "send ordinary numbers"
            )
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            edges = ", ".join(f"{edge:g}" for edge in self.box)
            raise CallError(
                f"crop needs 0 <= left < right <= 1 and 0 <= top < bottom <= 1, got [{edges}]: "
                "send left, top, right, bottom as shares of the picture"
            )
        if self.at_s < 0:
            raise CallError(f"crop needs at >= 0, got {self.at_s:g}: the video starts at 0 seconds")

    @property
    def box(self) -> Box:
        """The part of the picture: left, top, right, bottom, as shares of it."""
        return self.left, self.top, self.right, self.bottom

    @property
    def segment(self) -> Segment:
        """The moment, as a stretch without length."""
        return Segment(self.at_s, self.at_s)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The stretches that it shows: the moment."""
        return (self.segment,)

    @property
    def num_frames(self) -> int:
        """How many frames the call asks for: one."""
        return 1

    @property
    def times_s(self) -> tuple[float, ...]:
        """(1,) seconds: the time of the frame."""
        return (self.at_s,)

    def is_within(self, other: Self) -> bool:
        """Returns whether another call's box holds this one's."""
        return (
            other.left <= self.left
            and other.top <= self.top
            and self.right <= other.right
            and self.bottom <= other.bottom
        )

    def check_in(self, duration_s: float) -> None:
        """Raises CallError if the frame is after the end of a video."""
        if self.at_s >= duration_s:
            raise CallError(
                f"crop needs at < {duration_s:.2f}, the end of the video, got {self.at_s:g}: "
                "send an earlier time"
            )


@dataclass(frozen=True, slots=True)
class TranscriptCall:
    """A request to read what is said in [start_s, end_s), in seconds.

    Raises CallError unless numbers are finite and 0 <= start_s < end_s.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        """Refuses a call that means nothing in any video."""
        _check_stretch("transcript", self.start_s, self.end_s)

    def cut_to(self, duration_s: float) -> Self:
        """Returns the call with its end cut to the video's. Raises CallError if it starts later."""
        return replace(self, end_s=_cut("transcript", self.start_s, self.end_s, duration_s))


@dataclass(frozen=True, slots=True)
class FindCall:
    """A request for the moments in [start_s, end_s), in seconds, that match a text best.

    Raises CallError unless the text is a line of at most MOST_FIND_CHARS characters, numbers are
    finite, and 0 <= start_s < end_s.
    """

    text: str
    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        """Refuses a call that means nothing in any video."""
        if not self.text.strip() or UNPRINTABLE.search(self.text):
            raise CallError(f"find needs a text on one line, got {brief(self.text)}: name a thing")
        if len(self.text) > MOST_FIND_CHARS:
            raise CallError(
                f"find needs at most {MOST_FIND_CHARS} characters, got {len(self.text)}: be brief"
            )
        _check_stretch("find", self.start_s, self.end_s)

    def cut_to(self, duration_s: float) -> Self:
        """Returns the call with its end cut to the video's. Raises CallError if it starts later."""
        return replace(self, end_s=_cut("find", self.start_s, self.end_s, duration_s))


def _check_stretch(tool: str, start_s: float, end_s: float) -> None:
    """Raises CallError unless numbers are a stretch of some video."""
    if not all(map(math.isfinite, (start_s, end_s))):
        raise CallError(
            f"{tool} needs finite numbers, got [{start_s}, {end_s}]: send ordinary numbers"
        )
    if not 0 <= start_s < end_s:
        raise CallError(
            f"{tool} needs 0 <= start < end, got [{start_s:g}, {end_s:g}]: "
            "send two times in seconds, from 0 on, the earlier one first"
        )


def _cut(tool: str, start_s: float, end_s: float, duration_s: float) -> float:
    """Returns the end of a stretch, cut to the video's. Raises CallError if it starts later."""
    if start_s >= duration_s:
        raise CallError(
            f"{tool} needs start < {duration_s:.2f}, the end of the video, "
            f"got {start_s:g}: start earlier"
        )
    return min(end_s, duration_s)


@dataclass(frozen=True, slots=True)
class Answer:
    """The agent's answer to the question; it ends the episode."""

    text: str
    evidence: tuple[Segment, ...] = ()
    """Where the agent says that it saw the answer; empty if it does not say, or not clearly."""


@dataclass(frozen=True, slots=True)
class ZoomCalls:
    """Several zooms of one reply, whose frames are one clip, in the order of the calls."""

    calls: tuple[ZoomCall, ...]

    @property
    def segment(self) -> Segment:
        """The stretch from the first start to the last end."""
        return Segment(min(c.start_s for c in self.calls), max(c.end_s for c in self.calls))

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The stretches that they show, in the order of the calls."""
        return tuple(call.segment for call in self.calls)

    @property
    def num_frames(self) -> int:
        """How many frames all of them show."""
        return sum(call.num_frames for call in self.calls)

    @property
    def times_s(self) -> tuple[float, ...]:
        """(num_frames,) seconds: the times of their frames."""
        return tuple(time_s for call in self.calls for time_s in call.times_s)

    @property
    def box(self) -> None:
        """The part of the picture, see `CropCall`: all of it."""
        return None


FrameCall: TypeAlias = ZoomCall | CropCall | ZoomCalls
"""A call that shows frames, or several of one reply."""
Call: TypeAlias = FrameCall | TranscriptCall | FindCall
Action: TypeAlias = ZoomCall | CropCall | TranscriptCall | FindCall | Answer

ZOOM, CROP, TRANSCRIPT, FIND = "zoom", "crop", "transcript", "find"
TOOLS = (ZOOM, CROP, TRANSCRIPT, FIND)
"""The tools that an environment may offer, by name."""
TOOL_OF: Mapping[type, str] = {
    ZoomCall: ZOOM,
    ZoomCalls: ZOOM,
    CropCall: CROP,
    TranscriptCall: TRANSCRIPT,
    FindCall: FIND,
}
ONLY_ZOOM = (ZOOM,)
