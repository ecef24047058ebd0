"""The actions of an agent: zoom into a stretch of the video, read what is said there, or answer."""

import math
from dataclasses import dataclass, replace
from typing import Self, TypeAlias

from zoomgym.errors import CallError
from zoomgym.grading import Segment
from zoomgym.rules.timeline import count_frames, zoom_times


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
class TranscriptCall:
    """A request to read what is said in [start_s, end_s), in seconds.

    Raises CallError unless numbers are finite and 0 <= start_s < end_s.
    """

    start_s: float
    end_s: float

    def __post_init__(self) -> None:
        """Refuses a call that means nothing in any video."""
        if not all(map(math.isfinite, (self.start_s, self.end_s))):
            raise CallError(
                f"transcript needs finite numbers, got [{self.start_s}, {self.end_s}]: "
                "send ordinary numbers"
            )
        if not 0 <= self.start_s < self.end_s:
            raise CallError(
                f"transcript needs 0 <= start < end, got [{self.start_s:g}, {self.end_s:g}]: "
                "send two times in seconds, the earlier one first"
            )

    def cut_to(self, duration_s: float) -> Self:
        """Returns the call with its end cut to the video's. Raises CallError if it starts later."""
        if self.start_s >= duration_s:
            raise CallError(
                f"transcript needs start < {duration_s:.2f}, the end of the video, "
                f"got {self.start_s:g}: start earlier"
            )
        return self if self.end_s <= duration_s else replace(self, end_s=duration_s)


@dataclass(frozen=True, slots=True)
class Answer:
    """The agent's answer to the question; it ends the episode."""

    text: str
    evidence: tuple[Segment, ...] = ()
    """Where the agent says that it saw the answer; empty if it does not say, or not clearly."""


Action: TypeAlias = ZoomCall | TranscriptCall | Answer

ZOOM, TRANSCRIPT = "zoom", "transcript"
TOOLS = (ZOOM, TRANSCRIPT)
"""The tools that an environment may offer, by name."""
ONLY_ZOOM = (ZOOM,)
