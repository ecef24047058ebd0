"""Plays episodes on many machines, with Ray (the extra `ray`).

Ray places tasks, replaces workers that die, and plays again what was lost with them, once. A task
is a few episodes on one video, or a batch of an agent with a model, on a GPU where there are any.
Records, resuming and tables stay with the process that asks. Served models are asked from there.
"""

import socket
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from agents.registry import make_agent
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.runner import (
    DRAWN_BYTES,
    NUM_IN_BATCH,
    Environments,
    Job,
    Outcome,
    failure_of,
    play_all,
    play_batch,
    play_one,
    video_of,
)
from zoomgym.agent import Agent, BatchAgent, SharedAgent
from zoomgym.tasks import set_drawn_memory

NAME = "ray"
NUM_IN_TASK = 8
"""Most episodes of a task, all on one video, whose frames are drawn or decoded once for them."""
NUM_BATCHES = 4
"""Batches of an agent with a model in a task: a model is loaded by its first one."""
WAIT_S = 10.0
NUM_WAITING = 2
"""Tasks that are handed to Ray for each that can run, so that no worker waits for the next."""


def check_ray(on: str) -> None:
    """Raises ValueError unless `--on` names Ray, and Ray is installed."""
    name, _, _ = on.partition(":")
    if name != NAME:
        raise ValueError(f"--on needs ray or ray:ADDRESS, got {on!r}")
    if find_spec(NAME) is None:
        raise ValueError(
            '--on ray needs Ray: pip install -c constraints.txt -e ".[ray]" on each machine'
        )


@dataclass(frozen=True, slots=True)
class _Task:
    """Jobs that a worker plays one after the other, or as a batch of a model."""

    jobs: tuple[Job, ...]
    at_once: int
    """Episodes at once, for an agent with a model; else 0."""


def play_on_ray(
    jobs: Sequence[Job], *, on: str, workers: int, at_once: int | None
) -> Generator[Outcome, None, None]:
    """Yields the outcome of every episode as it finishes. Closing it stops the rest.

    Args:
        jobs: to play.
        on: `ray` for the cluster that this machine belongs to, or for a new one of this machine
            alone; `ray:ADDRESS` for another one.
        workers: processes of this machine; those of a cluster are Ray's to count.
        at_once: episodes at once of an agent with a model.

    Raises:
        ConnectionError: there is no cluster at that address.
    """
    ray = import_module(NAME)
    agents = {name: make_agent(name) for name in dict.fromkeys(job.agent for job in jobs)}
    served = {name for name, one in agents.items() if isinstance(one, SharedAgent)}
    batched = {name for name, one in agents.items() if isinstance(one, BatchAgent)} - served
    was_there = ray.is_initialized()
    if not was_there:
        _connect(ray, on)
    try:
        plain = [job for job in jobs if job.agent not in served | batched]
        yield from _play(ray, _by_video(plain), {"num_cpus": 1}, "CPU")
        has_gpu = bool(ray.cluster_resources().get("GPU"))
        needed = {"num_gpus": 1, "num_cpus": 1} if has_gpu else {"num_cpus": 1}
        own = [job for job in jobs if job.agent in batched]
        yield from _play(
            ray, _by_agent(own, at_once or NUM_IN_BATCH), needed, "GPU" if has_gpu else "CPU"
        )
    finally:
        if not was_there:
            ray.shutdown()
    yield from play_all(
        [job for job in jobs if job.agent in served], workers=workers, at_once=at_once
    )


def _connect(ray: Any, on: str) -> None:
    """Connects to a cluster. Raises ConnectionError."""
    _, _, address = on.partition(":")
    _check_answers(address)
    try:
        ray.init(address=address or None, log_to_driver=False, logging_level="ERROR")
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = address or "this machine"
        raise ConnectionError(f"needed a Ray cluster at {where}, got: {error}") from error


def _check_answers(address: str) -> None:
    """Raises ConnectionError if nothing answers at HOST:PORT: Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or "://" in address:
        return
    try:
        socket.create_connection((host, int(port)), timeout=WAIT_S).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(
            f"needed a Ray cluster at {address}, got {error}: run `ray start --head` there, "
            "or check the address"
        ) from error


def _by_video(jobs: Sequence[Job]) -> list[_Task]:
    """Returns tasks of few jobs on one video each."""
    return [
        _Task(tuple(some[at : at + NUM_IN_TASK]), 0)
        for some in map(list, grouped(jobs, video_of).values())
        for at in range(0, len(some), NUM_IN_TASK)
    ]


def _by_agent(jobs: Sequence[Job], at_once: int) -> list[_Task]:
    """Returns tasks of some batches of one agent each."""
    size = at_once * NUM_BATCHES
    return [
        _Task(tuple(some[at : at + size]), at_once)
        for some in map(list, grouped(jobs, lambda job: job.agent).values())
        for at in range(0, len(some), size)
    ]


def _play(
    ray: Any, tasks: Iterable[_Task], needed: dict[str, int], resource: str
) -> Generator[Outcome, None, None]:
    """Yields what comes of tasks; of one that dies with its worker, job by job."""
    play = ray.remote(max_retries=1, **needed)(_outcomes)
    waiting, running = deque(tasks), dict[Any, _Task]()
    try:
        while waiting or running:
            room = NUM_WAITING * max(1, int(ray.cluster_resources().get(resource, 1)))
            while waiting and len(running) < room:
                task = waiting.popleft()
                running[play.remote(task)] = task
            [done], _ = ray.wait(list(running), num_returns=1)
            task = running.pop(done)
            outcomes = _got(ray, done, task)
            if outcomes is None:
                waiting.extend(_Task((job,), task.at_once) for job in task.jobs)
            else:
                yield from outcomes
    finally:
        for ref in running:
            ray.cancel(ref, force=True)


def _got(ray: Any, ref: Any, task: _Task) -> list[Outcome] | None:
    """Returns what came of a task; None if it was lost and its jobs can be played apart."""
    try:
        outcomes: list[Outcome] = ray.get(ref)
    except ray.exceptions.RayError as error:
        return [failure_of(task.jobs[0], error)] if len(task.jobs) == 1 else None
    return outcomes


# In a worker -------------------------------------------------------------------------------------


@cache
def _kept() -> tuple[dict[str, Agent], Environments]:
    """Returns what a worker keeps from task to task."""
    set_drawn_memory(DRAWN_BYTES)
    return {}, Environments()


def _outcomes(task: _Task) -> list[Outcome]:
    """Plays a task."""
    agents, environments = _kept()
    if task.at_once:
        return list(play_batch(task.jobs, agents, environments, task.at_once))
    return [play_one(job, agents, environments) for job in task.jobs]
