"""Suites: frozen choices of tasks and settings that a leaderboard row refers to, as plain data."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from zoomgym import ZoomEnv
from zoomgym.synthetic import FAMILIES

__all__ = ["SUITES", "Part", "Suite", "make_env"]


@dataclass(frozen=True, slots=True)
class Part:
    """The first num_tasks tasks of one task set."""

    num_tasks: int
    settings: dict[str, Any]
    """Arguments of ZoomEnv."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What an agent is run on. Any change to it makes a new version."""

    name: str
    purpose: str
    parts: tuple[Part, ...]
    agents: tuple[str, ...] = field(default=("blind", "glance", "random", "uniform", "oracle"))
    """Run by default."""


def make_env(part: Part, cache_dir: Path | None = None) -> ZoomEnv:
    """Returns the environment of a part."""
    return ZoomEnv(**part.settings, cache_dir=cache_dir)


def _synthetic(family: str, num_tasks: int, **settings: Any) -> Part:
    """Returns the first test tasks of a family."""
    return Part(num_tasks, {"tasks": f"synthetic:{family}", "split": "test", **settings})


SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "quick-v0",
            "a first look: every family, one-minute videos, encoded",
            tuple(_synthetic(family, 8) for family in FAMILIES),
        ),
        Suite(
            "chance-v0",
            "whether blind and glance stay at chance: many tasks, drawn without a codec",
            tuple(_synthetic(family, 200, source="scene") for family in FAMILIES),
        ),
    )
}
