"""Many episodes at once, in the way that suits the agent.

Threads for agents that wait, such as served models; batches for local models; processes for all
others, whose time goes into decoding.
"""

import json
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from queue import Empty, SimpleQueue
from signal import SIG_IGN, SIGINT, signal
from threading import RLock, Thread
from typing import NamedTuple

from tqdm import tqdm

from agents.registry import make_agent
from benchmarks.evaluation.crashes import Failure, tell_failure
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.processes import end_with_parent
from benchmarks.evaluation.suites import Part, make_env
from zoomgym import ZoomEnv
from zoomgym.agent import Agent, BatchAgent, SharedAgent
from zoomgym.io import attempt
from zoomgym.records import Record
from zoomgym.rollout import Start, is_skipped, try_episodes
from zoomgym.tasks import set_drawn_memory

NUM_IN_BATCH = 8
DRAWN_BYTES = 256 * 1024**2
"""Bytes of drawn frames that a process keeps: 8 agents see 110 MB of one video."""
NUM_HOPELESS = 10
"""Number of first episodes of a served model that fail before the others are not tried."""
HOPELESS = f"not played: the first {NUM_HOPELESS} episodes of this agent all failed"


@dataclass(frozen=True, slots=True)
class Job:
    """An episode that is to be played."""

    suite: str
    part: Part
    task_id: str
    agent: str
    seed: int
    cache_dir: Path | None
    agent_hash: str = ""
    """Hash of the agent's code or weights, see `fingerprint`."""
    video: str = ""
    """Name of its video; empty: that of the task. Jobs with the same one share its frames."""


Outcome = Record | Failure


def play_all(
    jobs: Sequence[Job], *, workers: int, at_once: int | None
) -> Generator[Outcome, None, None]:
    """Yields the outcome of every episode as it finishes. Closing it stops the rest.

    Agents without a model play in so many worker processes; others at_once episodes at a time, or
    as many as they like.
    """
    agents = {name: make_agent(name) for name in dict.fromkeys(job.agent for job in jobs)}
    models = {name for name, one in agents.items() if isinstance(one, SharedAgent | BatchAgent)}
    yield from _in_processes([job for job in jobs if job.agent not in models], workers)
    set_drawn_memory(DRAWN_BYTES)
    try:
        for name in agents:
            if name in models:
                its = [job for job in jobs if job.agent == name]
                yield from _with_model(its, agents[name], at_once)
    finally:
        set_drawn_memory(0)


class Environments:
    """New environments of parts; opens each task set once."""

    def __init__(self) -> None:
        self._first: dict[str, ZoomEnv] = {}

    def new(self, job: Job) -> ZoomEnv:
        """Returns an environment for a job. Raises TaskError."""
        key = json.dumps(job.part.settings, sort_keys=True)
        if key not in self._first:
            self._first[key] = make_env(job.part, job.cache_dir)
        return self._first[key].fork()


def play(
    jobs: Sequence[Job], agent: Agent, environments: Environments, num_games: int = 1
) -> Iterator[Outcome]:
    """Plays jobs of one agent, seed and suite, num_games at once; yields their outcomes."""
    name, seed = jobs[0].agent, jobs[0].seed
    label = partial(replace, suite=jobs[0].suite, agent_hash=jobs[0].agent_hash)
    failures = list[Failure]()
    starts = _starts(jobs, environments, failures)
    for start, outcome in try_episodes(
        starts, agent, num_games=num_games, agent_name=name, seed=seed
    ):
        yield from failures
        failures.clear()
        closed = attempt(start.env.close)
        if isinstance(outcome, Record):
            checked = label(outcome).checked
            outcome = attempt(checked) if closed is None else closed
        if isinstance(outcome, Record):
            yield outcome
        else:
            failure = failure_of(replace(jobs[0], task_id=str(start.task_id)), outcome)
            yield replace(failure, is_skipped=is_skipped(start.env, outcome))
    yield from failures


def _starts(
    jobs: Iterable[Job], environments: Environments, failures: list[Failure]
) -> Iterator[Start]:
    """Yields the starts of jobs; adds a failure for each job without an environment."""
    for job in jobs:
        env = attempt(partial(environments.new, job))
        if isinstance(env, ZoomEnv):
            yield Start(env, job.task_id)
        else:
            failures.append(failure_of(job, env))


def _surely(job: Job, agent: Agent, environments: Environments) -> Outcome:
    """Returns the outcome of a job, whatever ends it: somebody waits for one."""
    try:
        return next(play([job], agent, environments))
    except BaseException as error:  # noqa: BLE001 - even an agent's own KeyboardInterrupt
        return failure_of(job, error)


def failure_of(job: Job, error: BaseException) -> Failure:
    """Returns the failure of a job that an error ended."""
    return tell_failure(job.agent, job.task_id, error)


# Threads and batches -----------------------------------------------------------------------------


def _with_model(jobs: Sequence[Job], agent: Agent, at_once: int | None) -> Iterator[Outcome]:
    """Yields the outcomes of the jobs of one agent, which they share."""
    begun = attempt(partial(agent.reset, jobs[0].seed))
    if begun is not None:
        yield from (failure_of(job, begun) for job in jobs)
    elif isinstance(agent, SharedAgent):
        yield from _on_threads(jobs, agent, at_once or agent.max_concurrent)
    else:
        yield from play(jobs, agent, Environments(), at_once or NUM_IN_BATCH)


def _on_threads(jobs: Sequence[Job], agent: Agent, num_threads: int) -> Iterator[Outcome]:
    """Yields the outcomes of jobs on threads; plays no more if the first NUM_HOPELESS fail."""
    waiting, outcomes = SimpleQueue[Job](), SimpleQueue[Outcome]()
    environments = Environments()

    def work() -> None:
        with suppress(Empty):
            while True:
                outcomes.put(_surely(waiting.get_nowait(), agent, environments))

    for job in jobs:
        waiting.put(job)
    for _ in range(min(num_threads, len(jobs))):
        Thread(target=work, name=jobs[0].agent, daemon=True).start()  # Ctrl-C waits for none
    is_hopeless, num_left = True, len(jobs)
    try:
        while num_left:
            outcome = outcomes.get()
            num_left -= 1
            is_hopeless &= isinstance(outcome, Failure) and not outcome.is_skipped
            yield outcome
            if is_hopeless and len(jobs) - num_left == NUM_HOPELESS:
                for job in _taken(waiting):
                    num_left -= 1
                    yield Failure(job.agent, job.task_id, HOPELESS)
    finally:
        list(_taken(waiting))


def _taken(waiting: SimpleQueue[Job]) -> Iterator[Job]:
    """Takes all jobs that wait, and yields them."""
    with suppress(Empty):
        while True:
            yield waiting.get_nowait()


# Processes ---------------------------------------------------------------------------------------


class Busy(NamedTuple):
    """A process that plays a job."""

    process: SpawnProcess
    job: Job
    following: deque[Job]
    """Jobs of the same video that it plays next."""
    is_shared: bool
    """Whether others may take some of them: the file of the video is written."""


def _in_processes(jobs: Sequence[Job], num_workers: int) -> Iterator[Outcome]:
    """Yields the outcomes of jobs in processes.

    One process plays the jobs of a video, so that it gets the frames for all agents, and that no
    other one writes the same file. At the end, those that are free help the others. If a process
    dies, its job has failed, and a new process takes the next one.
    """
    videos = deque(deque(some) for some in grouped(jobs, video_of).values())
    busy, free = dict[Connection, Busy](), list[tuple[Connection, SpawnProcess]]()
    try:
        while videos or busy:
            while len(busy) < num_workers and (taken := _take(videos, busy)):
                _hand_over(*taken, free, busy)
            ready = set(wait(list(busy)))
            for pipe in [one for one in busy if one in ready]:
                process, job, following, _ = busy.pop(pipe)
                outcome = _receive(pipe, process, job)
                if process.is_alive():
                    free.append((pipe, process))
                else:
                    pipe.close()
                if following:
                    _hand_over(following, True, free, busy)
                elif taken := _take(videos, busy):
                    _hand_over(*taken, free, busy)
                yield outcome
    finally:
        for pipe, _ in free:
            pipe.close()  # which ends it
        for one in busy.values():
            one.process.terminate()
            one.process.join()


def video_of(job: Job) -> str:
    """Returns what jobs on the same video share."""
    return job.video or job.task_id


def _take(
    videos: deque[deque[Job]], busy: Mapping[Connection, Busy]
) -> tuple[deque[Job], bool] | None:
    """Returns the jobs of the next video, or half of what follows at a process; None if none.

    Also returns whether they may be shared.
    """
    if videos:
        return videos.popleft(), False
    shared = [one.following for one in busy.values() if one.is_shared]
    longest = max(shared, key=len, default=deque[Job]())
    half = deque[Job]()
    for _ in range((len(longest) + 1) // 2):
        half.appendleft(longest.pop())
    return (half, True) if half else None


def _start_worker() -> tuple[Connection, SpawnProcess]:
    """Returns a new worker and the pipe to it."""
    context = get_context("spawn")  # a fork would copy the decoder's threads in a broken state
    ours, its = context.Pipe()
    process = context.Process(target=work, args=(its,))
    before = signal(SIGINT, SIG_IGN)  # it inherits that: only this process answers Ctrl-C
    try:
        process.start()
    finally:
        signal(SIGINT, before)
    its.close()  # so that its end is seen here
    return ours, process


def _hand_over(
    jobs: deque[Job],
    is_shared: bool,
    free: list[tuple[Connection, SpawnProcess]],
    busy: dict[Connection, Busy],
) -> None:
    """Has a free process, or a new one, play jobs: sends it the first."""
    pipe, process = free.pop() if free else _start_worker()
    job = jobs.popleft()
    busy[pipe] = Busy(process, job, jobs, is_shared)
    with suppress(OSError):  # it is gone: that is seen when the outcome is received
        pipe.send(job)


def _receive(pipe: Connection, process: SpawnProcess, job: Job) -> Outcome:
    try:
        outcome: Outcome = pipe.recv()
        return outcome
    except (EOFError, OSError):
        process.join()
        reason = f"its process ended with exit code {process.exitcode}"
        return Failure(job.agent, job.task_id, reason)


def work(pipe: Connection) -> None:
    """Plays the jobs that come through a pipe until it closes. Runs in a process of its own."""
    tqdm.set_lock(RLock())  # its own is for many processes, and left behind by one that is ended
    end_with_parent()
    set_drawn_memory(DRAWN_BYTES)
    environments, agents = Environments(), dict[str, Agent]()
    with suppress(EOFError, OSError):
        while True:
            pipe.send(play_one(pipe.recv(), agents, environments))


def play_one(job: Job, agents: dict[str, Agent], environments: Environments) -> Outcome:
    """Returns the outcome of a job; makes its agent once, and resets it."""
    agent = attempt(partial(_ready_agent, job, agents))
    if isinstance(agent, BaseException):
        return failure_of(job, agent)
    return _surely(job, agent, environments)


def play_batch(
    jobs: Sequence[Job], agents: dict[str, Agent], environments: Environments, num_games: int
) -> Iterator[Outcome]:
    """Yields the outcomes of jobs of one agent with `act_batch`; makes it once, and resets it."""
    agent = attempt(partial(_ready_agent, jobs[0], agents))
    if isinstance(agent, BaseException):
        yield from (failure_of(job, agent) for job in jobs)
    else:
        yield from play(jobs, agent, environments, num_games)


def _ready_agent(job: Job, agents: dict[str, Agent]) -> Agent:
    if job.agent not in agents:
        agents[job.agent] = make_agent(job.agent)
    agents[job.agent].reset(job.seed)
    return agents[job.agent]
