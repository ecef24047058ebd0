"""Trajectories to learn from: collected from an expert, verified, and written to a file.

`demonstrate` keeps what an expert does on its own; `reflect` keeps how it corrects a student. As a
command: `python -m agents.qwen.demonstrations`. Nothing here needs PyTorch.
"""

from agents.qwen.demonstrations.collection import Attempt, demonstrate, rejected_path
from agents.qwen.demonstrations.demonstration import (
    Demonstration,
    Watcher,
    read_demonstrations,
    verify,
)
from agents.qwen.demonstrations.export import export
from agents.qwen.demonstrations.reflections import reflect

__all__ = [
    "Attempt",
    "Demonstration",
    "Watcher",
    "demonstrate",
    "export",
    "read_demonstrations",
    "reflect",
    "rejected_path",
    "verify",
]
