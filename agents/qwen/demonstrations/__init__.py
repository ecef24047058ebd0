"""Trajectories to learn from: collected from an expert, verified, kept in a file."""

from agents.qwen.demonstrations.demonstration import (
    Demonstration,
    append_demonstration,
    read_demonstrations,
)

__all__ = ["Demonstration", "append_demonstration", "read_demonstrations"]
