"""What the benchmarks of Qwen2.5-VL play: a model of a size, and a group of episodes."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from agents.qwen.model.tiny import SIZES, TOKEN_SIDE_PX, make_model, make_processor
from benchmarks.speed.qwen.episodes import Course

__all__ = ["OURS", "STOCK", "Load", "title_of", "weights_go"]

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

    def row(self, dtype: torch.dtype) -> dict[str, Any]:
        """Returns it as it is kept, with how many weights there are and of what type."""
        with torch.device("meta"):
            model = make_model(SIZES[self.size], make_processor(), 0)
        weights = {"num_weights": model.num_parameters(), "dtype": str(dtype).split(".")[-1]}
        return {**asdict(self), **weights}


def title_of(load: Mapping[str, Any]) -> str:
    """Returns what a table of a load, as it is kept, is called."""
    width, height = load["course"]["frame"]
    return (
        f"{load['size']} ({load['num_weights'] / 1e6:,.1f} M weights, {load['dtype']}), "
        f"frames of {width}x{height}, {load['group_size']} episodes, "
        f"{load['num_tokens']} tokens a reply"
    )


def weights_go() -> tuple[str, torch.dtype]:
    """Returns on which device, and in which type, weights are kept here."""
    return ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)
