"""Collects what an expert does well into a file, task by task; a stopped run is resumed.

A second file beside it lists the rejected tasks and why, so that no task is tried twice.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.qwen.demonstrations.demonstration import (
    Demonstration,
    read_demonstrations,
    verify,
)
from zoomgym import __version__
from zoomgym.agent import Agent, BatchAgent
from zoomgym.envs import ZoomEnv
from zoomgym.errors import RecordError, VideoError
from zoomgym.io import open_own
from zoomgym.records import Record, append_line, drop_cut_line, load_row, read_lines
from zoomgym.rollout import run_episodes

NEEDED = "a task and a reason"
NO_VIDEO = "video cannot be shown"
ROUND = 4
"""Episodes that each environment plays before they are passed on, in order."""
Result = tuple[str, Demonstration | str]
"""A task's id, and its demonstration, or why there is none."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """Outcome of a task."""

    task_id: str
    reason: str = ""
    """Why no demonstration was kept; empty if one was."""


def demonstrate(
    envs: Sequence[ZoomEnv],
    task_ids: Sequence[str],
    *,
    expert: Agent,
    expert_name: str,
    out: Path,
    seed: int = 0,
) -> Iterator[Attempt]:
    """Plays an expert on tasks, keeps what `verify` accepts, and yields the outcome of each task.

    Each demonstration is written at once; `rejected_path(out)` lists the rejected tasks. A second
    run with the same arguments, or more tasks, resumes where the first stopped. The same seed makes
    the same file. An expert with `act_batch` plays in all environments, which are alike, at once.

    Raises:
        RecordError: out is damaged, or holds demonstrations of another run.
        AgentError: the expert cannot reply.
        GradingError: an answer cannot be graded now.
    """

    def attempt(open_ids: Sequence[str]) -> Iterator[Result]:
        for task_id, record in play_in_order(envs, expert, expert_name, open_ids, seed):
            if record is None:
                yield task_id, NO_VIDEO
            else:
                yield task_id, verify(record) or Demonstration(record)

    run = describe_run(envs[0], method="demonstrate", expert=expert_name, seed=seed)
    return collect(out, run, task_ids, attempt)


def play_in_order(
    envs: Sequence[ZoomEnv], agent: Agent, agent_name: str, task_ids: Sequence[str], seed: int
) -> Iterator[tuple[str, Record | None]]:
    """Yields every task's id and record, in order; None where the video cannot be shown.

    An agent with `act_batch` plays in all environments, which are alike, at once. It may be reset
    more than once.
    """
    size = ROUND * len(envs) if isinstance(agent, BatchAgent) else 1
    for first in range(0, len(task_ids), size):
        wanted = task_ids[first : first + size]
        try:
            played = run_episodes(envs, agent, agent_name=agent_name, task_ids=wanted, seed=seed)
            records = {record.task.id: without_seconds(record) for record in played}
        except VideoError as error:
            if len(wanted) == 1:
                logger.warning("%s: %s", wanted[0], error)
                yield wanted[0], None
            else:  # any of them may be the one
                for one in wanted:
                    yield from play_in_order(envs[:1], agent, agent_name, [one], seed)
            continue
        for task_id in wanted:
            yield task_id, records.get(task_id)  # None: skipped


def without_seconds(record: Record) -> Record:
    """Returns the record without wall-clock times, so that the same seed makes the same file."""
    return replace(record, agent_s=0.0, decode_s=0.0)


def rejected_path(out: Path) -> Path:
    """Returns the file of rejected tasks beside a file of demonstrations."""
    return out.with_name(f"{out.stem}.rejected.jsonl")


def describe_run(env: ZoomEnv, *, seed: int, **roles: str) -> dict[str, Any]:
    """Returns everything but tasks that demonstrations depend on. Roles name the agents."""
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
    """Yields every task's outcome, those of an earlier run first, and writes each as it comes.

    Raises RecordError if out is damaged, or holds demonstrations of another run.
    """
    done = _resume(out, run)
    wanted = list(dict.fromkeys(task_ids))
    yield from (Attempt(task_id, done[task_id]) for task_id in wanted if task_id in done)
    for task_id, result in attempt([task_id for task_id in wanted if task_id not in done]):
        if isinstance(result, Demonstration):
            append_line(out, result.to_json())
            yield Attempt(task_id)
        else:
            append_line(rejected_path(out), json.dumps({"task_id": task_id, "reason": result}))
            yield Attempt(task_id, result)


def _resume(out: Path, run: Mapping[str, Any]) -> dict[str, str]:
    """Returns why each task of an earlier run was rejected; empty if it was kept.

    Raises RecordError if out is damaged, or holds demonstrations of another run.
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
    """Returns a task's id and reason; for the first line, `run` and its settings.

    Raises RecordError if the line holds neither.
    """
    row = load_row(line, NEEDED)
    if isinstance(row.get("run"), dict):
        return "run", row["run"]
    if isinstance(row.get("task_id"), str) and isinstance(row.get("reason"), str):
        return row["task_id"], row["reason"]
    raise RecordError(f"needed {NEEDED}, got other keys or values")


def _check_same(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises RecordError if a file was started with other settings."""
    for name in {**now, **before}:
        if before.get(name) != now.get(name):
            raise RecordError(
                f"{out} was begun with {name} {before.get(name)!r}, got {now.get(name)!r}: choose "
                f"another file, or delete it and {rejected_path(out).name}"
            )
