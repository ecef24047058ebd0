"""A file of demonstrations that grows task by task, and goes on where it was stopped.

What was not kept stands in a second file beside it, with the reason: so a task is tried once.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.qwen.demonstrations.demonstration import (
    Demonstration,
    append_demonstration,
    read_demonstrations,
)
from zoomgym import __version__
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import RecordError
from zoomgym.io.files import open_own
from zoomgym.records import append_line, drop_cut_line, read_lines
from zoomgym.records.bounds import load_row

__all__ = ["Attempt", "Result", "collect", "describe_run", "rejected_path"]

NEEDED = "a task and a reason"
Result = tuple[str, Demonstration | str]
"""A task's id, and what came of it: a demonstration, or why there is none."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of a task."""

    task_id: str
    reason: str = ""
    """Why no demonstration was kept; empty if one was."""


def rejected_path(out: Path) -> Path:
    """Returns where the rejected tasks of a file of demonstrations stand."""
    return out.with_name(f"{out.stem}.rejected.jsonl")


def describe_run(env: ZoomEnv, *, seed: int, **roles: str) -> dict[str, Any]:
    """Returns all that demonstrations depend on but for their task; roles: who is what in it."""
    run = {
        **roles,
        "seed": seed,
        "version": __version__,
        "task_set": env.tasks.name,
        "task_set_version": env.tasks.version,
        "task_set_hash": env.tasks.content_hash,
        **env.settings,
    }
    described: dict[str, Any] = json.loads(json.dumps(run))  # as it comes back from a file
    return described


def collect(
    out: Path,
    run: Mapping[str, Any],
    task_ids: Sequence[str],
    attempt: Callable[[Sequence[str]], Iterator[Result]],
) -> Iterator[Attempt]:
    """Yields what became of every task, those of an earlier run first; writes the rest as it goes.

    Args:
        out: the file of demonstrations.
        run: what they depend on, see `describe_run`.
        task_ids: the tasks to try.
        attempt: tries tasks, in order.

    Raises:
        RecordError: out holds demonstrations of another run, or is wrong.
    """
    done = _resume(out, run)
    wanted = list(dict.fromkeys(task_ids))
    yield from (Attempt(task_id, done[task_id]) for task_id in wanted if task_id in done)
    for task_id, result in attempt([task_id for task_id in wanted if task_id not in done]):
        if isinstance(result, Demonstration):
            append_demonstration(out, result)
            yield Attempt(task_id)
        else:
            append_line(rejected_path(out), json.dumps({"task_id": task_id, "reason": result}))
            yield Attempt(task_id, result)


def _resume(out: Path, run: Mapping[str, Any]) -> dict[str, str]:
    """Returns why each task that was tried before was rejected; empty if it was kept.

    Raises:
        RecordError: out holds demonstrations of another run, or is wrong.
    """
    rejected = rejected_path(out)
    if rejected.exists():
        drop_cut_line(rejected)
    if not rejected.exists() or not rejected.stat().st_size:
        if out.exists() and out.stat().st_size:
            raise RecordError(
                f"{out}: needed {rejected.name} beside it, which says how it was made, got none: "
                "choose another file"
            )
        out.parent.mkdir(parents=True, exist_ok=True)
        open_own(out, "ab").close()
        append_line(rejected, json.dumps({"run": run}))
        return {}
    open_own(out, "ab").close()
    drop_cut_line(out)
    [[_, before], *reasons] = read_lines(rejected, _parse)
    if not isinstance(before, dict):
        raise RecordError(f"{rejected}:1: needed how the file was made: choose another file")
    _check_same(out, before, run)
    kept = {demonstration.record.task.id: "" for demonstration in read_demonstrations(out)}
    return dict(reasons) | kept


def _parse(line: str) -> tuple[str, Any]:
    """Returns a task's id and its reason; of the first line, `run` and how the file is made.

    Raises:
        RecordError: the line says neither.
    """
    row = load_row(line, NEEDED)
    if isinstance(row.get("run"), dict):
        return "run", row["run"]
    if isinstance(row.get("task_id"), str) and isinstance(row.get("reason"), str):
        return row["task_id"], row["reason"]
    raise RecordError(f"needed {NEEDED}, got other keys or values")


def _check_same(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuses to go on with a file that was begun otherwise. Raises RecordError."""
    for name in {**now, **before}:
        if before.get(name) != now.get(name):
            raise RecordError(
                f"{out} was begun with {name} {before.get(name)!r}, got {now.get(name)!r}: choose "
                f"another file, or delete it and {rejected_path(out).name}"
            )
