"""Speed of episodes on drawn video: a turn, the environment, the runner; and where time goes.

Processor seconds of all threads and processes appear beside the wall clock: a busy machine
hardly changes them.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing import active_children
from unittest.mock import patch

from rich.console import Console

from benchmarks.evaluation.crashes import Failure
from benchmarks.evaluation.runner import Environments, Job, Outcome, play_all, play_one
from benchmarks.evaluation.suites import SUITES, make_env
from benchmarks.speed.stopwatch import OTHER, Stopwatch
from benchmarks.speed.tables import number_table
from zoomgym import ZoomEnv, rollout
from zoomgym.agent import Agent
from zoomgym.envs import env, viewing
from zoomgym.records import Record
from zoomgym.rules import (
    GRAMMARS,
    Answer,
    Rules,
    VideoQuestion,
    ZoomCall,
    advance,
    episode,
    start,
    write_reply,
)
from zoomgym.tasks import Scene, SyntheticTasks

NUM_TURNS = 200
"""Turns in one measurement."""
REPEATS = 25
SIDES = (112, 256)
"""Sides of a frame in pixels: for training policies, and of a file."""
AGENTS = ("blind", "uniform", "oracle")
"""Agents that see 64 frames, all 128, and only the evidence."""
WORKERS = (1, 2)
SUITE = "standard-v0"
MINUTE_S = 60
FUNCTIONS = (
    (SyntheticTasks, "by_id", "the task"),
    (SyntheticTasks, "__getitem__", "the task"),
    (SyntheticTasks, "open_video", "the task"),
    (vars(SyntheticTasks)["content_hash"], "func", "the hash of the task set"),
    (Scene, "draw", "drawing frames"),
    (viewing, "letterbox", "shrinking frames"),
    (env, "to_dict", "the Dict observation"),
    (env, "to_info", "the info"),
    (env, "advance", "the rules of a turn"),
    (rollout, "reply_to", "the agent"),
    (rollout, "to_record", "the record"),
    (Record, "checked", "the record"),
    (Environments, "new", "a new environment"),
)
"""Owner and name of each timed function, and its phase."""


def measure_episodes(console: Console, num_episodes: int) -> None:
    """Prints how long turns and episodes take (num_episodes a line), and where that time goes."""
    _show_turns(console)
    shares: dict[str, dict[str, float]] = {}
    title = "Episodes on drawn video of a minute"
    paces = number_table(title, ("what",), ("episodes", "a second", "processor ms"))
    for side in SIDES:
        alone = _alone(side * side, num_episodes)
        paces.add_row(f"ZoomEnv, {side} x {side}, random replies", *_paced(alone))
        shares[f"ZoomEnv {side}"] = share_of_phases(alone)
    for agent in AGENTS:
        jobs = _jobs(agent, num_episodes)
        for workers in WORKERS:
            text = f"runner, 256 x 256, {agent}, {workers} process{'es'[: 2 * (workers > 1)]}"
            paces.add_row(text, *_paced(_runner(jobs, workers)))
        shares[agent] = share_of_phases(_in_one_process(jobs))
    console.print(paces)
    _show_shares(console, shares)


def _show_turns(console: Console) -> None:
    title = f"advance, without frames (median of {REPEATS} x {NUM_TURNS})"
    table = number_table(title, ("grammar", "reply"), ("ms of processor",))
    for grammar in GRAMMARS:
        for reply, turn_s in time_turns(grammar).items():
            table.add_row(grammar, reply, f"{1e3 * turn_s:.4f}")
    console.print(table)


def time_turns(grammar: str) -> dict[str, float]:
    """Returns the processor seconds of a turn, without frames, by the kind of reply."""
    task = VideoQuestion("q", "v", "Which symbol?", "B", ("star", "heart", "ring", "cross"))
    before = start(task, 60.0, 59.9, Rules(grammar), "key")
    replies = {
        "zoom": write_reply(ZoomCall(12.5, 15.0, 2.0), grammar, "I look there."),
        "refused zoom": write_reply(ZoomCall(12.5, 50.0, 2.0), grammar, "I look there."),
        "answer": write_reply(Answer("B"), grammar, "I saw it."),
        "no action": "I look there.",
    }
    return {
        name: statistics.median(_turn_s(before, reply) for _ in range(REPEATS))
        for name, reply in replies.items()
    }


def _turn_s(before: episode.Episode, reply: str) -> float:
    started_s = time.process_time()
    for _ in range(NUM_TURNS):
        advance(before, reply)
    return (time.process_time() - started_s) / NUM_TURNS


Play = Callable[[], int]


def _alone(max_pixels: int, num_episodes: int) -> Play:
    """Returns a function that plays every family with random replies."""

    def play() -> int:
        zoom_env = ZoomEnv("synthetic", source="scene", max_pixels=max_pixels)
        zoom_env.action_space.seed(0)
        zoom_env.reset(seed=0)
        for _ in range(num_episodes):
            zoom_env.reset()
            is_over = False
            while not is_over:
                is_over = zoom_env.step(zoom_env.action_space.sample())[2]
        zoom_env.close()
        return num_episodes

    return play


def _jobs(agent: str, num_episodes: int) -> list[Job]:
    parts = [part for part in SUITES[SUITE].parts if part.settings["duration_s"] == MINUTE_S]
    sets = [make_env(part).tasks for part in parts]
    places = (divmod(number, len(parts)) for number in range(num_episodes))
    return [Job(SUITE, parts[k], sets[k][index].id, agent, 0, None) for index, k in places]


def _runner(jobs: Sequence[Job], workers: int) -> Play:
    """Returns a function that plays jobs as the runner does, in so many processes."""

    def play() -> int:
        num_played = _count(play_all(jobs, workers=workers, at_once=None))
        for process in active_children():  # only then is their processor time known
            process.join()
        return num_played

    return play


def _in_one_process(jobs: Sequence[Job]) -> Play:
    """Returns a function that plays jobs as each process of the runner does."""

    def play() -> int:
        agents: dict[str, Agent] = {}
        environments = Environments()
        return _count(play_one(job, agents, environments) for job in jobs)

    return play


def _count(outcomes: Iterable[Outcome]) -> int:
    num_played = 0
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise RuntimeError(f"{outcome.agent} on {outcome.task_id}: {outcome.reason}")
        num_played += 1
    return num_played


def _paced(play: Play) -> tuple[str, str, str]:
    """Returns the number of episodes, how many a second, and processor ms of each."""
    started_s, started_cpu_s = time.perf_counter(), sum(os.times()[:4])
    number = play()
    wall_s, cpu_s = time.perf_counter() - started_s, sum(os.times()[:4]) - started_cpu_s
    return str(number), f"{number / wall_s:.1f}", f"{1e3 * cpu_s / number:.1f}"


def share_of_phases(play: Play) -> dict[str, float]:
    """Returns the share of processor time of each phase, without phases inside it."""
    stopwatch = Stopwatch()
    with watched(stopwatch):
        stopwatch.clear()
        play()
        stopwatch.count()
    total_s = sum(stopwatch.cpu_seconds.values())
    return {phase: cpu_s / total_s for phase, cpu_s in stopwatch.cpu_seconds.items()}


@contextmanager
def watched(stopwatch: Stopwatch) -> Iterator[None]:
    """Adds the time of FUNCTIONS to their phases."""
    with ExitStack() as patches:
        for owner, name, phase in FUNCTIONS:
            timed = stopwatch.timed(vars(owner)[name], phase)
            patches.enter_context(patch.object(owner, name, timed))
        yield


def _show_shares(console: Console, shares: Mapping[str, Mapping[str, float]]) -> None:
    table = number_table("Where processor time goes, %", ("",), list(shares))
    for phase in (*dict.fromkeys(phase for _, _, phase in FUNCTIONS), OTHER):
        table.add_row(phase, *(f"{100 * own.get(phase, 0):.1f}" for own in shares.values()))
    console.print(table)
