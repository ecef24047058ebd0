"""The plugin `zoomgym-v1` of verifiers: a taskset, how a task is played, and a harness."""

from zoomgym.integrations.verifiers import ZoomGame, ZoomHarness, ZoomTaskset

__all__ = ["ZoomGame", "ZoomHarness", "ZoomTaskset"]
