"""The command `zoomgym`."""

from zoomgym.cli.command import main

__all__ = ["main"]
