"""What a peer's grammar may ask for that only an episode makes a zoom of."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

from zoomgym.errors import CallError
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.timeline import COUNT_TOLERANCE


class Standing(NamedTuple):
    """What a relative call is relative to."""

    duration_s: float
    frames_per_zoom: int
    zooms: tuple[ZoomCall, ...] = ()
    """Those that were executed, in order."""


class RelativeCall(ABC):
    """A request for frames that depends on the video, the rules, or earlier calls."""

    __slots__ = ()

    @abstractmethod
    def fit(self, standing: Standing) -> ZoomCall:
        """Returns the zoom that it is now. Raises CallError if it is none."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A request that arithmetic answers: it costs a turn, shows nothing, and is told this text."""

    text: str


@dataclass(frozen=True, slots=True)
class SpreadCall(RelativeCall):
    """A request for frames spread evenly over [start_s, end_s), however long that is.

    Raises CallError for numbers that fit no video.
    """

    start_s: float
    end_s: float
    num_frames: float = math.inf
    """A whole number; or as many as `fps` makes."""
    fps: float = math.inf
    """Frames per second, at most."""
    is_capped: bool = False
    """Whether too many frames become as many as a zoom may show. Otherwise they are refused."""

    def __post_init__(self) -> None:
        """Refuses a call that means nothing in any video."""
        ZoomCall(self.start_s, self.end_s, 1.0)
        if self.num_frames < 1:
            raise CallError(f"zoom needs at least 1 frame, got {self.num_frames:g}: ask for more")

    def fit(self, standing: Standing) -> ZoomCall:
        """Returns the zoom whose frames are spread over the part of it that the video has."""
        length_s = min(self.end_s, standing.duration_s) - self.start_s
        if length_s <= 0:
            return ZoomCall(self.start_s, self.end_s, 1.0)  # refused where it is cut
        by_rate = self.fps * length_s
        wanted = self.num_frames
        if by_rate < wanted:
            wanted = max(1.0, math.floor(by_rate + COUNT_TOLERANCE))
        if self.is_capped:
            wanted = min(wanted, standing.frames_per_zoom)
        return ZoomCall(self.start_s, self.end_s, wanted / length_s)


@dataclass(frozen=True, slots=True)
class GridCall(RelativeCall):
    """A request for the frames first to last, inclusive, of a grid of equal steps over the video.

    Raises CallError unless 0 <= first <= last.
    """

    first: int
    last: int
    per_s: float
    """Steps a second."""
    most_steps: float = math.inf
    """Steps of the whole video, at most: a longer video has longer ones."""

    def __post_init__(self) -> None:
        """Refuses indices that fit no video."""
        if not 0 <= self.first <= self.last:
            raise CallError(
                f"frames need 0 <= first <= last, got {self.first} and {self.last}: send the "
                "earlier index first"
            )

    def fit(self, standing: Standing) -> ZoomCall:
        """Returns the zoom over these steps: every frame, or as many as a zoom may show."""
        step_s = grid_step(standing.duration_s, self.per_s, self.most_steps)
        num_steps = round(standing.duration_s / step_s)
        if self.last >= num_steps:
            raise CallError(
                f"frames need indices below {num_steps}, got {min(self.last, 10**9)}: "
                "the video has no more"
            )
        start_s, end_s = self.first * step_s, (self.last + 1) * step_s
        num_frames = min(self.last - self.first + 1, standing.frames_per_zoom)
        return SpreadCall(start_s, end_s, num_frames).fit(standing)


def grid_step(duration_s: float, per_s: float, most_steps: float = math.inf) -> float:
    """Returns the seconds of a step of a grid over a video: see `GridCall`."""
    return duration_s / min(max(1, math.floor(duration_s * per_s + COUNT_TOLERANCE)), most_steps)


def grid_index(time_s: float, duration_s: float, per_s: float, most_steps: float) -> int:
    """Returns the step of a grid over a video that a time falls in."""
    return math.floor(time_s / grid_step(duration_s, per_s, most_steps) + COUNT_TOLERANCE)
