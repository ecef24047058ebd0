"""A suite of your own: the task set that a command line names, whole or in part."""

import inspect
import re
from collections.abc import Sequence

from agents.arguments import read_arguments
from benchmarks.evaluation.suites import Part, Suite
from zoomgym.envs.env import ZoomEnv
from zoomgym.io.messages import number_of, plain
from zoomgym.tasks import TaskSet
from zoomgym.tasks.datasets import ManifestTasks

__all__ = ["folder_name", "own_suite"]

OWN_FLAGS = ("tasks", "split", "grammar", "cache_dir", "frame_size", "render_mode")
"""Arguments of ZoomEnv that `--env` does not take: they have flags, or change no record."""
AGENTS = ("blind",)
"""Who plays by default: the floor. What real videos show, no baseline reads."""
SUFFIXES = (".jsonl", ".json")
"""Of manifests."""


def own_suite(
    name: str, *, split: str | None, grammar: str | None, env: Sequence[str]
) -> tuple[Suite, TaskSet]:
    """Returns a suite of all tasks of a set, and the set.

    The suite is named after the set, not after the place of its files, and its name has a sign
    that no built-in suite has.

    Args:
        name: of the task set, as for ZoomEnv.
        split: None is `test`. A manifest has none.
        grammar: None is ZoomEnv's default.
        env: further arguments of ZoomEnv, see `read_arguments`.

    Raises:
        ValueError: an argument is wrong.
        TaskError: there is no such set, or its files are wrong.
    """
    names = [one for one in inspect.signature(ZoomEnv).parameters if one not in OWN_FLAGS]
    try:
        settings = {"tasks": name, "split": split or "test", **read_arguments(env, names)}
        if grammar is not None:
            settings["grammar"] = grammar
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
    """Returns what the folder of a suite's results is called by default."""
    stem = suite.name
    for suffix in SUFFIXES:
        stem = stem.removesuffix(suffix)
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "own"
