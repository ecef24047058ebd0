"""Runs agents on a suite, and shows how they compare: a table, the records, and a page.

Episodes are written as they are finished, a task at a time. Run again with the same arguments, it
goes on where it was stopped; with other agents, it adds them.
"""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.registry import AGENTS, make_agent
from benchmarks.claims import judge, show_verdict
from benchmarks.leaderboard import leaderboard
from benchmarks.report import write_report
from benchmarks.suites import SUITES, Part, Suite, make_env
from benchmarks.table import show_table
from zoomgym import __version__
from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.records import Record, append_record, drop_cut_line, read_records
from zoomgym.rollout import run_episodes
from zoomgym.video import forget_frames

__all__ = ["main", "run_suite"]

Outcome = Future[tuple[list[Record], list[str]]]

RECORDS = "records.jsonl"
REPORT = "report.html"


@dataclass(frozen=True, slots=True)
class Job:
    """One task for one or more agents: they share its video."""

    part: Part
    task_id: str
    agents: tuple[str, ...]
    seed: int
    cache_dir: Path | None


def play(job: Job) -> tuple[list[Record], list[str]]:
    """Returns the record of each agent of a job, and what failed. Runs in a worker process."""
    env = make_env(job.part, job.cache_dir)
    records: list[Record] = []
    failures: list[str] = []
    for name in job.agents:
        task_ids, agent = [job.task_id], make_agent(name)
        forget_frames()  # each agent pays for its own, so that their seconds compare
        try:
            records += run_episodes(env, agent, agent_name=name, task_ids=task_ids, seed=job.seed)
        except ZoomGymError as error:
            failures.append(f"{name} on {job.task_id}: {error}")
    env.close()
    return records, failures


def end_with_parent() -> None:
    """Ends this worker when the process that started it is gone, however that ended."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def start_watching() -> None:
    """Begins a worker: a thread of it watches the process that started it."""
    Thread(target=end_with_parent, daemon=True).start()


def run_suite(
    suite: Suite,
    agents: Sequence[str],
    out: Path,
    *,
    seed: int,
    workers: int,
    cache_dir: Path | None,
    console: Console,
) -> list[str]:
    """Plays every agent on every task of a suite that is not recorded in out yet.

    Returns:
        What failed, one line an episode; those are missing from the records.

    Raises:
        RecordError: out holds episodes of another run.
    """
    jobs = _open_jobs(suite, agents, out, seed, cache_dir)
    total = len(agents) * sum(part.num_tasks for part in suite.parts)
    failures: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        open_episodes = sum(len(job.agents) for job in jobs)
        bar = progress.add_task("episodes", total=total, completed=total - open_episodes)
        for job, outcome in _play_all(jobs, workers):
            progress.advance(bar, len(job.agents))
            records, failed = outcome.result()
            failures += failed
            for record in records:
                append_record(out, record)
    return failures


def _play_all(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Outcome]]:
    """Yields every job as it is finished. An interrupt ends the workers at once."""
    if not jobs:
        return
    context = get_context("spawn")  # a fork would copy the decoder's threads in a broken state
    with ProcessPoolExecutor(min(workers, len(jobs)), context, start_watching) as pool:
        with _interrupts_ignored():  # workers inherit that: only this process answers Ctrl-C
            futures = {pool.submit(play, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future
        except BaseException:
            for worker in active_children():
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Passes over Ctrl-C, for a moment."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _open_jobs(
    suite: Suite, agents: Sequence[str], out: Path, seed: int, cache_dir: Path | None
) -> list[Job]:
    """Returns what is not recorded in out yet.

    Episodes of other agents on the same tasks may stand there: they are rows of the same table.

    Raises:
        RecordError: out holds episodes of another run.
    """
    done: dict[Identity, set[str]] = {}
    if out.exists():
        drop_cut_line(out)
        for record in read_records(out):
            done.setdefault(_identity(record), set()).add(record.agent)
    jobs, wanted = [], set()
    for part in suite.parts:
        env = make_env(part, cache_dir)
        settings = json.dumps(env.settings, sort_keys=True)
        of_set = (env.tasks.version, env.tasks.content_hash)
        for index in range(part.num_tasks):
            task_id = env.tasks[index].id
            identity = Identity(__version__, seed, *of_set, settings, task_id)
            wanted.add(identity)
            missing = tuple(name for name in agents if name not in done.get(identity, ()))
            if missing:
                jobs.append(Job(part, task_id, missing, seed, cache_dir))
        env.close()
    for stranger in sorted(done.keys() - wanted):
        raise RecordError(
            f"{out} holds episodes of another run: {_difference(stranger, min(wanted))}. "
            "Choose another --out, or give --fresh to start anew"
        )
    return jobs


class Identity(NamedTuple):
    """What makes an episode the same one in another run, but for its agent."""

    version: str
    seed: int
    task_set_version: str
    task_set_hash: str
    settings: str
    task_id: str


def _identity(record: Record) -> Identity:
    """Returns the identity of a record."""
    settings = json.dumps(record.settings, sort_keys=True)
    of_set = (record.task_set_version, record.task_set_hash)
    return Identity(record.version, record.seed, *of_set, settings, record.task.id)


def _difference(stranger: Identity, own: Identity) -> str:
    """Returns the first thing in which two episodes differ."""
    for name, its, ours in zip(Identity._fields, stranger, own, strict=True):
        if its != ours and name != "settings":
            return f"{name.replace('_', ' ')} {its}, not {ours}"
    return "other settings"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; run_suite() does the work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--suite", default="quick-v0", choices=sorted(SUITES))
    parser.add_argument(
        "--agents",
        nargs="+",
        metavar="AGENT",
        help=f"of {', '.join(AGENTS)}, or module:Class of your own; default: the suite's",
    )
    parser.add_argument("--seed", type=int, default=0, help="of environments and agents")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, help="folder to write; default: results/SUITE")
    parser.add_argument("--cache-dir", type=Path, help="where synthetic videos are written")
    parser.add_argument("--fresh", action="store_true", help="forget the episodes in --out")
    args = parser.parse_args(argv)
    suite = SUITES[args.suite]
    agents = args.agents or list(suite.agents)
    folder: Path = args.out or Path("results") / suite.name
    try:
        for name in agents:
            make_agent(name)
        folder.mkdir(parents=True, exist_ok=True)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    out = folder / RECORDS
    if args.fresh:
        out.unlink(missing_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 132)
    console.print(f"[bold]{suite.name}[/]: {suite.purpose}")
    started_s = time.monotonic()
    try:
        failures = run_suite(
            suite,
            agents,
            out,
            seed=args.seed,
            workers=max(1, args.workers),
            cache_dir=args.cache_dir,
            console=console,
        )
    except KeyboardInterrupt:
        console.print(f"stopped: run again to go on. Episodes so far: {out}", soft_wrap=True)
        return 130
    except RecordError as error:
        parser.error(str(error))
    records = sorted(read_records(out), key=lambda record: (record.task.id, record.agent))
    show_table(console, leaderboard(records), records)
    write_report(folder / REPORT, suite.name, records, cache_dir=args.cache_dir)
    seconds = f"{time.monotonic() - started_s:.0f} s"
    console.print(f"{len(records)} episodes in {seconds} -> {out}", soft_wrap=True)
    console.print(f"page with pictures -> {folder / REPORT}", soft_wrap=True)
    for failure in failures:
        console.print(f"failed: {failure}", style="red", markup=False, soft_wrap=True)
    findings = judge(suite.claims, records)
    if findings:
        show_verdict(console, findings)
    return 1 if failures or any(finding.is_false for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
