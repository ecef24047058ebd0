"""Suites: frozen choices of tasks and settings behind a leaderboard row, as plain data."""

import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import Any

from agents.arguments import read_arguments
from zoomgym import ZoomEnv
from zoomgym.io import number_of, plain
from zoomgym.records import Record
from zoomgym.rules import Rules, filled_in
from zoomgym.tasks import DIFFICULTIES, FAMILIES, TOOL_FAMILIES, ManifestTasks, TaskSet

SOLVED = 0.9
PAIRED = " paired"
"""Ends the name of a suite whose tasks are also played without tools."""


class Level(Enum):
    """Level of accuracy that is claimed."""

    CHANCE = "at chance"
    LOW = "nearer to chance than to 1"
    SOLVED = f"above {SOLVED}"


@dataclass(frozen=True, slots=True)
class Claim:
    """Claims that an agent is at a level on each of some families."""

    agent: str
    level: Level
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """The first num_tasks tasks of one task set."""

    num_tasks: int
    settings: dict[str, Any]
    """Arguments of ZoomEnv."""
    is_drawn: bool = False
    """Whether a limit draws tasks by their ids, instead of taking the first ones."""


@dataclass(frozen=True, slots=True)
class Suite:
    """Tasks that agents are compared on. Any change to it makes a new version."""

    name: str
    purpose: str
    parts: tuple[Part, ...]
    agents: tuple[str, ...] = field(default=("blind", "glance", "random", "uniform", "oracle"))
    """Default agents."""
    claims: tuple[Claim, ...] = ()
    """Claims on which a run ends with a verdict."""


def make_env(part: Part, cache_dir: Path | None = None) -> ZoomEnv:
    """Returns the environment of a part."""
    return ZoomEnv(**{"frame_size": UNSEEN, **part.settings}, cache_dir=cache_dir)


def suite_of(records: Sequence[Record]) -> Suite:
    """Returns the suite of records; one without parts if it is not built in."""
    name = records[0].suite
    return built_in(name) or Suite(name, "", ())


def built_in(name: str) -> Suite | None:
    """Returns the built-in suite of a name, or the paired one; None if there is none."""
    suite = SUITES.get(name)
    if suite is None and is_paired(name) and (own := SUITES.get(name.removesuffix(PAIRED))):
        suite = paired(own)
    return suite


def is_paired(name: str) -> bool:
    """Returns whether the tasks of the suite of a name are also played without tools."""
    return name.endswith(PAIRED)


def paired(suite: Suite) -> Suite:
    """Returns a suite whose tasks are also played without tools: with one turn, for the answer.

    A suite that has these parts already stays as it is. The claims of another one are left out:
    they are about its own rules.

    Raises:
        ValueError: the suite has no tools.
    """
    if all(rules_of(part).max_turns == 1 for part in suite.parts):
        raise ValueError(
            "--paired needs tasks to play with tools, got max_turns 1, which leaves none: raise it"
        )
    parts = [*suite.parts]
    for part in suite.parts:
        without = replace(part, settings={**part.settings, "max_turns": 1})
        if without not in parts:
            parts.append(without)
    if len(parts) == len(suite.parts):
        return suite
    purpose = f"{suite.purpose}; each task with tools and without"
    return replace(
        suite, name=f"{suite.name}{PAIRED}", purpose=purpose, parts=tuple(parts), claims=()
    )


def rules_of(part: Part) -> Rules:
    """Returns the rules that a part is played by."""
    names = {field.name for field in fields(Rules)}
    settings = filled_in(part.settings)
    return Rules(**{name: value for name, value in settings.items() if name in names})


def _synthetic(family: str, num_tasks: int, **settings: Any) -> Part:
    return Part(num_tasks, {"tasks": f"synthetic:{family}", "split": "test", **settings})


def _every_family(num_each: int, **settings: Any) -> Part:
    """Returns the first test tasks of every family, in turn, as one part."""
    return Part(num_each * len(FAMILIES), {"tasks": "synthetic", "split": "test", **settings})


def _standard(durations_s: Sequence[int], source: str) -> tuple[Part, ...]:
    """Returns 20 test tasks of every family, difficulty and duration."""
    return tuple(
        _synthetic(family, 20, duration_s=duration_s, difficulty=difficulty, source=source)
        for duration_s in durations_s
        for difficulty in DIFFICULTIES
        for family in FAMILIES
    )


def _with_tools(family: str, num_tasks: int) -> Part:
    """Returns test tasks of a family that needs another tool than zooms, with every tool.

    At 160 x 160 pixels, tiny plates are exactly gray.
    """
    settings = {**SMALL, "max_pixels": 160 * 160, "tools": ["zoom", "crop", "transcript"]}
    return _synthetic(family, num_tasks, **settings)


EVERY = tuple(FAMILIES)
TOOLED = tuple(TOOL_FAMILIES)
"""Families that need another tool than zooms."""
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
"""Size of the frames in the Dict observation: none, as no agent of a suite sees them."""
SMALL = {"source": "scene", "max_pixels": 112 * 112}

_FAMILIES_V0 = Suite(
    "families-v0",
    "what each family needs: one-minute videos, drawn without a codec, 112 x 112 pixels",
    tuple(_synthetic(family, 200, **SMALL) for family in FAMILIES),
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
)

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
        _FAMILIES_V0,
        Suite(
            "families-v1",
            "what each family needs, with those that need another tool than zooms",
            (
                *_FAMILIES_V0.parts,
                _with_tools("spoken", 200),
                _with_tools("detail", 200),
                _with_tools("mixed", 400),
            ),
            agents=(*_FAMILIES_V0.agents, "listener", "cropper", "toolbox"),
            claims=(
                *_FAMILIES_V0.claims,
                Claim("blind", Level.CHANCE, TOOLED),
                Claim("glance", Level.CHANCE, TOOLED),
                Claim("oracle", Level.CHANCE, ("spoken", "detail")),
                Claim("listener", Level.SOLVED, ("spoken",)),
                Claim("listener", Level.CHANCE, ("detail",)),
                Claim("cropper", Level.SOLVED, ("detail",)),
                Claim("cropper", Level.CHANCE, ("spoken",)),
                *(Claim(name, Level.LOW, ("mixed",)) for name in ("oracle", "listener", "cropper")),
                Claim("toolbox", Level.SOLVED, TOOLED),
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
            claims=(Claim("uniform", Level.CHANCE, LED_TO), Claim("oracle", Level.SOLVED, EVERY)),
        ),
        Suite(
            "standard-v0",
            "every family at every difficulty, from a minute to an hour, drawn without a codec",
            _standard((60, 600, 3600), "scene"),
            agents=STANDARD,
        ),
        Suite(
            "standard-v0-encoded",
            "the one-minute videos of standard-v0, encoded",
            _standard((60,), "file"),
            agents=STANDARD,
        ),
    )
}


OWN_FLAGS = ("tasks", "split", "grammar", "preset", "cache_dir", "frame_size", "render_mode")
"""Arguments of ZoomEnv that `--env` refuses: they have options, or change no record."""
AGENTS = ("blind",)
"""Default agents: a guesser, since no baseline reads real videos."""
SUFFIXES = (".jsonl", ".json")


def own_suite(
    name: str,
    *,
    split: str | None,
    grammar: str | None,
    env: Sequence[str],
    preset: str | None = None,
) -> tuple[Suite, TaskSet]:
    """Returns a suite of all tasks of a set, and the set.

    Its name comes from the set, not from the location of its files, and has a character that no
    built-in name has. env holds further arguments of ZoomEnv, see `read_arguments`.

    Raises:
        ValueError: an argument is wrong.
        TaskError: there is no such set, or its files are wrong.
    """
    names = [one for one in inspect.signature(ZoomEnv).parameters if one not in OWN_FLAGS]
    try:
        settings = {"tasks": name, "split": split or "test", **read_arguments(env, names)}
        if grammar is not None:
            settings["grammar"] = grammar
        if preset is not None:
            settings["preset"] = preset
        tasks = ZoomEnv(**settings).tasks
    except (ValueError, TypeError) as error:
        raise ValueError(f"--env: {error}") from error
    has_splits = not isinstance(tasks, ManifestTasks)
    if split is not None and not has_splits:
        raise ValueError(f"--split {split}: {name} has no splits: leave it out")
    title = f"{tasks.name} {settings['split']}" if has_splits else tasks.name
    part = Part(len(tasks), settings, is_drawn=True)
    purpose = f"{number_of(len(tasks), 'task')} of your own"
    return Suite(plain(title), purpose, (part,), AGENTS), tasks


def folder_name(suite: Suite) -> str:
    """Returns the default folder name of a suite's results."""
    stem = suite.name.removesuffix(PAIRED)
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    stem = re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "own"
    return f"{stem}-{PAIRED.strip()}" if is_paired(suite.name) else stem
