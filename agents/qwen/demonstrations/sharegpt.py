"""Trajectories as LLaMA-Factory's sharegpt rows.

    {"messages": [{"role": "user", "content": "<frame0_time0.00s><image>.."}, ..],
     "images": ["frames/0.jpg", ..]}

Each `<image>` in the messages stands for one of the images, in order. The results of a tool are
user turns. Source: zsgvivo/videozoomer_sft on the hub.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError

__all__ = ["IMAGE", "Message", "Trajectory", "write_sharegpt"]

IMAGE = "<image>"
ROLES = ("system", "user", "assistant")


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A conversation and the images that it shows.

    Raises:
        TaskError: a role is unknown, nobody answers, or the images are not those of the messages.
    """

    messages: tuple[Message, ...]
    images: tuple[str, ...]
    """Paths, in the order of their marks."""

    def __post_init__(self) -> None:
        """Refuses what cannot be trained on."""
        for message in self.messages:
            if message.role not in ROLES:
                raise TaskError(f"role needs one of {', '.join(ROLES)}, got {message.role[:80]!r}")
        if not any(message.role == "assistant" for message in self.messages):
            raise TaskError("messages need one of the assistant, got none")
        num_marks = sum(message.content.count(IMAGE) for message in self.messages)
        if num_marks != len(self.images):
            raise TaskError(
                f"images needs as many as {IMAGE} stand in the messages, {num_marks}, "
                f"got {len(self.images)}"
            )


def write_sharegpt(path: Path, trajectories: Iterable[Trajectory]) -> None:
    """Writes trajectories to path as a JSON list."""
    rows = [_to_fields(trajectory) for trajectory in trajectories]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _to_fields(trajectory: Trajectory) -> dict[str, Any]:
    """Returns a trajectory as a row."""
    messages = [{"role": said.role, "content": said.content} for said in trajectory.messages]
    return {"messages": messages, "images": list(trajectory.images)}
