"""What the benchmarks of Qwen2.5-VL play: a model of a size, and a group of episodes."""

from dataclasses import dataclass

from agents.qwen.tiny import TOKEN_SIDE_PX
from benchmarks.qwen_episodes import Course

__all__ = ["OURS", "STOCK", "Load"]

OURS, STOCK = "KV reuse", "TRL"
"""The sides."""


@dataclass(frozen=True, slots=True)
class Load:
    """A group of episodes."""

    size: str
    """Of the model: one of SIZES."""
    course: Course
    group_size: int = 8
    num_tokens: int = 48
    """Of every reply."""
    attention: str = "sdpa"
    """The kernel."""

    @property
    def name(self) -> str:
        """What results are kept under."""
        width, height = self.course.frame
        return f"{self.size}, {width}x{height}"

    @property
    def tokens_per_frame(self) -> int:
        """Image tokens of a frame."""
        width, height = self.course.frame
        return width * height // TOKEN_SIDE_PX**2

    @property
    def num_sampled(self) -> int:
        """Tokens that the group says."""
        return self.group_size * self.course.num_turns * self.num_tokens
