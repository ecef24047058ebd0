"""The budget of frames, and the price of a zoom."""

from dataclasses import dataclass, replace
from typing import Self

from zoomgym.errors import CallError

MANY = 1_000_000
"""Number of frames from which errors say `over`: `timeline` cuts larger ones."""


@dataclass(frozen=True, slots=True)
class FrameBudget:
    """Frames the agent may still see. Unit: frames, never seconds or tokens."""

    left: int
    per_zoom: int

    def spend(self, num_frames: int) -> Self:
        """Returns the budget after a zoom of num_frames. Raises CallError if that is too many."""
        if num_frames > self.per_zoom:
            wanted = str(num_frames) if num_frames < MANY else f"over {MANY - 1}"
            raise CallError(
                f"zoom needs at most {self.per_zoom} frames, got {wanted}: shorten it or lower fps"
            )
        if num_frames > self.left:
            remedy = "shorten it or lower fps" if self.left else "answer now"
            raise CallError(
                f"zoom needs at most {self.left} frames, all that are left, "
                f"got {num_frames}: {remedy}"
            )
        return replace(self, left=self.left - num_frames)
