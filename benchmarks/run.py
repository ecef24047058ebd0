"""Runs agents on a suite, and shows how they compare: a table, the records, and a page.

Every finished episode is written at once. Run again with the same arguments, it goes on where it
was stopped.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.registry import AGENTS, make_agent
from benchmarks.leaderboard import leaderboard
from benchmarks.report import write_report
from benchmarks.suites import SUITES, Part, Suite, make_env
from benchmarks.table import show_table
from zoomgym import __version__
from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.records import Record, append_record, drop_cut_line, read_records
from zoomgym.rollout import run_episodes

__all__ = ["main", "run_suite"]

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


def play(job: Job) -> list[Record]:
    """Returns the record of each agent of a job. Runs in a worker process."""
    env = make_env(job.part, job.cache_dir)
    try:
        return [
            record
            for name in job.agents
            for record in run_episodes(
                env, make_agent(name), agent_name=name, task_ids=[job.task_id], seed=job.seed
            )
        ]
    finally:
        env.close()


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
        What failed, one line a task; those episodes are missing from the records.

    Raises:
        RecordError: out holds episodes of another run.
    """
    jobs = list(_open_jobs(suite, agents, out, seed, cache_dir))
    total = len(agents) * sum(part.num_tasks for part in suite.parts)
    failures: list[str] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        open_episodes = sum(len(job.agents) for job in jobs)
        bar = progress.add_task("episodes", total=total, completed=total - open_episodes)
        for job, outcome in _play_all(jobs, workers):
            progress.advance(bar, len(job.agents))
            try:
                for record in outcome.result():
                    append_record(out, record)
            except ZoomGymError as error:
                failures.append(f"{job.task_id}: {error}")
    return failures


def _play_all(jobs: Sequence[Job], workers: int) -> Iterator[tuple[Job, Future[list[Record]]]]:
    """Yields every job as it is finished."""
    if not jobs:
        return
    context = get_context("spawn")  # a fork would copy the decoder's threads in a broken state
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context) as pool:
        futures = {pool.submit(play, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future
        finally:
            pool.shutdown(cancel_futures=True)


def _open_jobs(
    suite: Suite, agents: Sequence[str], out: Path, seed: int, cache_dir: Path | None
) -> Iterator[Job]:
    """Yields what is not recorded in out yet. Raises RecordError if out holds another run."""
    done = set()
    if out.exists():
        drop_cut_line(out)
        done = {_identity(record) for record in read_records(out)}
    wanted = set()
    jobs = []
    for part in suite.parts:
        env = make_env(part, cache_dir)
        for index in range(part.num_tasks):
            task_id = env.tasks[index].id
            keys = {
                name: (__version__, name, seed, env.tasks.version, str(env.settings), task_id)
                for name in agents
            }
            wanted |= set(keys.values())
            missing = tuple(name for name, key in keys.items() if key not in done)
            if missing:
                jobs.append(Job(part, task_id, missing, seed, cache_dir))
        env.close()
    if strangers := done - wanted:
        raise RecordError(
            f"{out}: needed episodes of this run (suite, agents, seed, version), got "
            f"{len(strangers)} others, like {sorted(strangers)[0]}: choose another --out, "
            "or give --fresh to start anew"
        )
    yield from jobs


def _identity(record: Record) -> tuple[object, ...]:
    """Returns what makes an episode the same one in another run."""
    return (
        record.version,
        record.agent,
        record.seed,
        record.task_set_version,
        str(record.settings),
        record.task.id,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; run_suite() does the work."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument("--suite", default="quick-v0", choices=sorted(SUITES))
    parser.add_argument("--agents", nargs="+", choices=sorted(AGENTS), metavar="AGENT")
    parser.add_argument("--seed", type=int, default=0, help="of environments and agents")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--out", type=Path, help="folder to write; default: results/SUITE")
    parser.add_argument("--cache-dir", type=Path, help="where synthetic videos are written")
    parser.add_argument("--fresh", action="store_true", help="forget the episodes in --out")
    args = parser.parse_args(argv)
    suite = SUITES[args.suite]
    agents = args.agents or list(suite.agents)
    folder: Path = args.out or Path("results") / suite.name
    folder.mkdir(parents=True, exist_ok=True)
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
        console.print(f"stopped; finished episodes are in {out}: run again to go on")
        return 130
    except RecordError as error:
        parser.error(str(error))
    records = sorted(read_records(out), key=lambda record: (record.task.id, record.agent))
    show_table(console, leaderboard(records), records)
    write_report(folder / REPORT, suite.name, records, cache_dir=args.cache_dir)
    console.print(f"{len(records)} episodes in {time.monotonic() - started_s:.0f} s -> {out}")
    console.print(f"page with pictures -> {folder / REPORT}")
    for failure in failures:
        console.print(f"failed: {failure}", style="red", markup=False)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
