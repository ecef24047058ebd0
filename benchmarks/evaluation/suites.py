"""Suites: frozen choices of tasks and settings that a leaderboard row refers to, as plain data."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from benchmarks.evaluation.claims import Claim, Level
from zoomgym import ZoomEnv
from zoomgym.records import Record
from zoomgym.rules.episode import Rules
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES

__all__ = ["STANDARD", "SUITES", "Part", "Suite", "make_env", "rules_of", "suite_of"]


@dataclass(frozen=True, slots=True)
class Part:
    """The first num_tasks tasks of one task set."""

    num_tasks: int
    settings: dict[str, Any]
    """Arguments of ZoomEnv."""
    is_drawn: bool = False
    """Whether fewer tasks are drawn by their ids, instead of being the first ones."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What an agent is run on. Any change to it makes a new version."""

    name: str
    purpose: str
    parts: tuple[Part, ...]
    agents: tuple[str, ...] = field(default=("blind", "glance", "random", "uniform", "oracle"))
    """Run by default."""
    claims: tuple[Claim, ...] = ()
    """What a run ends with a verdict on."""


def make_env(part: Part, cache_dir: Path | None = None) -> ZoomEnv:
    """Returns the environment of a part."""
    return ZoomEnv(**{"frame_size": UNSEEN, **part.settings}, cache_dir=cache_dir)


def suite_of(records: Sequence[Record]) -> Suite:
    """Returns the suite that records are of; one without parts if it is not built in."""
    name = records[0].suite
    return SUITES.get(name) or Suite(name, "", ())


def rules_of(part: Part) -> Rules:
    """Returns the rules that a part is played by."""
    names = {field.name for field in fields(Rules)}
    return Rules(**{name: value for name, value in part.settings.items() if name in names})


def _synthetic(family: str, num_tasks: int, **settings: Any) -> Part:
    """Returns the first test tasks of a family."""
    return Part(num_tasks, {"tasks": f"synthetic:{family}", "split": "test", **settings})


def _every_family(num_each: int, **settings: Any) -> Part:
    """Returns the first test tasks of every family, in turn, as one part."""
    return Part(num_each * len(FAMILIES), {"tasks": "synthetic", "split": "test", **settings})


EVERY = tuple(FAMILIES)
HIDDEN = tuple(family for family in FAMILIES if family != "overview")
"""Families whose answer the overview does not show."""
ONE_CLIP = tuple(family for family in FAMILIES if family != "relay")
LED_TO = tuple(family for family in HIDDEN if family != "sparse")
"""Families where a beacon leads to the answer."""
STANDARD = (
    "blind", "glance", "random", "uniform", "change", "coarse_to_fine", "keyframe", "oracle",
)  # fmt: skip
"""Agents from the floor to the ceiling."""
UNSEEN = (0, 0)
"""The frames in the Dict observation, which no agent of a suite is given: there are none."""
SMALL = {"source": "scene", "max_pixels": 112 * 112}

SUITES = {
    suite.name: suite
    for suite in (
        Suite(
            "quick-v0",
            "a first look: every family, one-minute videos, encoded",
            tuple(_synthetic(family, 4) for family in FAMILIES),
        ),
        Suite(
            "quick-v1",
            "a first look: one-minute videos, encoded; ten-minute videos, drawn",
            (
                _every_family(1),
                _every_family(12, duration_s=600, source="scene", max_pixels=160 * 160),
            ),
            agents=("blind", "glance", "uniform", "coarse_to_fine", "oracle"),
        ),
        Suite(
            "families-v0",
            "what each family needs: one-minute videos, drawn without a codec, 112 x 112 pixels",
            tuple(
                _synthetic(family, 200, source="scene", max_pixels=112 * 112) for family in FAMILIES
            ),
            agents=("blind", "glance", "uniform", "slow", "half", "once", "oracle"),
            claims=(
                Claim("blind", Level.CHANCE, EVERY),
                Claim("glance", Level.CHANCE, HIDDEN),
                Claim("glance", Level.SOLVED, ("overview",)),
                Claim("slow", Level.CHANCE, ("count", "motion")),
                Claim("half", Level.CHANCE, ("motion",)),
                Claim("half", Level.LOW, ("count",)),
                Claim("once", Level.CHANCE, ("relay",)),
                Claim("once", Level.SOLVED, ONE_CLIP),
                Claim("oracle", Level.SOLVED, EVERY),
            ),
        ),
        Suite(
            "calls-v0",
            "what each further zoom is worth: one-minute videos with at most 0 to 4 zooms",
            tuple(
                _synthetic(family, 20, max_turns=max_zooms + 1, **SMALL)
                for max_zooms in range(5)
                for family in FAMILIES
            ),
            agents=("random", "uniform", "coarse_to_fine", "oracle"),
        ),
        Suite(
            "hour-v0",
            "that looking everywhere is not enough: one-hour videos, otherwise as families-v0",
            tuple(_synthetic(family, 200, duration_s=3600, **SMALL) for family in FAMILIES),
            agents=("uniform", "oracle"),
            claims=(
                Claim("uniform", Level.CHANCE, LED_TO),
                Claim("oracle", Level.SOLVED, EVERY),
            ),
        ),
        Suite(
            "standard-v0",
            "every family at every difficulty, from a minute to an hour, drawn without a codec",
            tuple(
                _synthetic(family, 20, duration_s=duration_s, difficulty=difficulty, source="scene")
                for duration_s in (60, 600, 3600)
                for difficulty in DIFFICULTIES
                for family in FAMILIES
            ),
            agents=STANDARD,
        ),
        Suite(
            "standard-v0-encoded",
            "the one-minute videos of standard-v0, encoded",
            tuple(
                _synthetic(family, 20, duration_s=60, difficulty=difficulty, source="file")
                for difficulty in DIFFICULTIES
                for family in FAMILIES
            ),
            agents=STANDARD,
        ),
    )
}
