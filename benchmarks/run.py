"""Runs agents on a suite or on your own tasks, and compares them: a table, records, and a page.

Episodes are written as they are finished. Run again with the same arguments, it resumes where it
was stopped; with other agents, it adds them. `python -m benchmarks.run merge OUT IN ..` joins what
several machines have played, each with a --shard of its own.
"""

import argparse
import hashlib
import os
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agents.fingerprint import fingerprint
from agents.registry import AGENTS, make_agent
from benchmarks.evaluation.claims import judge, show_verdict
from benchmarks.evaluation.crashes import Failure, read_failures, write_failures
from benchmarks.evaluation.identity import (
    Identity,
    difference,
    identity_of,
    join_records,
    settings_of,
)
from benchmarks.evaluation.own import folder_name, own_suite
from benchmarks.evaluation.progress import counted, waited_for
from benchmarks.evaluation.runner import Job, play_all
from benchmarks.evaluation.suites import SUITES, Part, Suite, make_env, suite_of
from benchmarks.leaderboard import show_ranking
from benchmarks.page.write import write_report
from zoomgym import __version__
from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.io.locks import locked
from zoomgym.io.messages import number_of
from zoomgym.records import Record, append_record, drop_cut_line, read_records, write_records
from zoomgym.rules.grammar import GRAMMARS
from zoomgym.tasks import TaskSet
from zoomgym.tasks.synthetic import SyntheticTasks

__all__ = ["Choice", "main", "merge", "run_suite"]

DEFAULT = "quick-v1"
RECORDS = "records.jsonl"
REPLACED = "replaced.jsonl"
"""Episodes that were played again, as the agent had changed."""
FAILURES = "failures.jsonl"
"""Episodes that failed when they were last played."""
MOST_LINES = 6
"""Lines that are shown of a traceback."""
REPORT = "report.html"
LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tasks of a suite are played: by default all."""

    limit: int | None = None
    """At most so many of each part."""
    shard_index: int = 0
    num_shards: int = 1
    """Tasks are dealt out by their place: the same ones whatever the limit is."""

    def takes(self, part_index: int, task_index: int) -> bool:
        """Returns whether the task at a place is played."""
        is_within = self.limit is None or task_index < self.limit
        return is_within and (part_index + task_index) % self.num_shards == self.shard_index

    def of_part(self, part_index: int, part: Part, task_ids: Sequence[str]) -> list[str]:
        """Returns the tasks of a part that are played, in the order of task_ids.

        Where the tasks of a part are drawn, their places are those of the hashes of their ids: a
        sample that depends on neither the order of a file nor the limit, and grows with the limit.
        """
        by_place = sorted(task_ids, key=_hash) if part.is_drawn else task_ids
        played = {one for place, one in enumerate(by_place) if self.takes(part_index, place)}
        return [task_id for task_id in task_ids if task_id in played]


def _hash(task_id: str) -> bytes:
    """Returns what tasks are drawn by."""
    return hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).digest()


EVERYTHING = Choice()


def run_suite(
    suite: Suite,
    agents: Sequence[str],
    out: Path,
    *,
    seed: int,
    choice: Choice = EVERYTHING,
    workers: int,
    at_once: int | None = None,
    cache_dir: Path | None,
    console: Console,
    fresh: Collection[str] = (),
) -> list[Failure]:
    """Plays every agent on every chosen task of a suite that is not recorded in out yet.

    Episodes of an agent whose code or weights have changed since, and of those in fresh, are set
    aside in another file and played again.

    Returns:
        What failed; those episodes are missing from the records.

    Raises:
        RecordError: out holds episodes of another run.
    """
    hashes = {name: fingerprint(name) for name in agents}
    kept, outdated = list[Record](), list[Record]()
    for record in _recorded(out):
        is_kept = record.agent not in fresh and not _has_changed(record, hashes)
        (kept if is_kept else outdated).append(record)
    jobs, num_done, num_videos = _open_jobs(suite, hashes, out, kept, seed, choice, cache_dir)
    if outdated:
        _set_aside(out, kept, outdated)
    _show_plan(console, len(jobs), len(kept), outdated)
    failures: list[Failure] = []
    failed = {(one.agent, one.task_id): one for one in read_failures(out.with_name(FAILURES))}
    try:
        with (
            counted(_doing(num_videos), num_done + len(jobs), num_done) as advance,
            closing(play_all(jobs, workers=workers, at_once=at_once)) as outcomes,
        ):
            for outcome in outcomes:
                if isinstance(outcome, Record):
                    append_record(out, outcome)
                    failed.pop((outcome.agent, outcome.task.id), None)
                else:
                    failures.append(outcome)
                    failed[outcome.agent, outcome.task_id] = outcome
                advance()
    finally:
        write_failures(out.with_name(FAILURES), failed.values())
    return failures


def _recorded(out: Path) -> list[Record]:
    """Returns the records in a file that may be missing, and removes what a kill left at its end.

    Raises:
        RecordError: they are wrong, or not of one run.
    """
    if not out.exists():
        return []
    drop_cut_line(out)
    return _read([out])


def _has_changed(record: Record, hashes: Mapping[str, str]) -> bool:
    """Returns whether the agent of a record is known to be another one today."""
    today = hashes.get(record.agent, "")
    return bool(today and record.agent_hash) and today != record.agent_hash


def _set_aside(out: Path, kept: Sequence[Record], outdated: Sequence[Record]) -> None:
    """Leaves only the kept records in out, and adds the others to the file of replaced ones."""
    for record in outdated:
        append_record(out.with_name(REPLACED), record)
    write_records(out, kept)


def _show_plan(console: Console, num_new: int, num_kept: int, outdated: Sequence[Record]) -> None:
    """Shows how many episodes will be played, how many are kept, and which are played again."""
    console.print(f"{num_new} new, {num_kept} kept", highlight=False)
    for name, count in Counter(record.agent for record in outdated).items():
        console.print(
            f"{name}: its {count} episodes here are of other code or weights, or given as --fresh. "
            f"They are in {REPLACED} now, and played again",
            style="yellow",
            markup=False,
            highlight=False,
        )


def _doing(num_videos: int) -> str:
    """Returns what a run does, where so many videos are written before they are played."""
    if not num_videos:
        return "playing episodes"
    return f"writing {number_of(num_videos, 'video')}, playing episodes"


def _open_jobs(
    suite: Suite,
    hashes: Mapping[str, str],
    out: Path,
    recorded: Sequence[Record],
    seed: int,
    choice: Choice,
    cache_dir: Path | None,
) -> tuple[list[Job], int, int]:
    """Returns what is not recorded yet, how much of what is wanted is, and videos to be written.

    Episodes of other agents and other tasks of the suite may be recorded: they are of its table.
    Tasks of an agent follow each other, so that no two workers write the same video.

    Raises:
        RecordError: out holds episodes of another run.
    """
    done: dict[Identity, set[str]] = {}
    for record in recorded:
        done.setdefault(identity_of(record), set()).add(record.agent)
    jobs, known, num_done, num_videos = list[Job](), set[Identity](), 0, 0
    for part_index, part in enumerate(suite.parts):
        env = make_env(part, cache_dir)
        of_part = Identity(
            suite=suite.name,
            version=__version__,
            seed=seed,
            task_set_version=env.tasks.version,
            task_set_hash=env.tasks.content_hash,
            settings=settings_of(env.settings, env.tasks.name),
            task_id="",
        )
        task_ids = [env.tasks[index].id for index in range(part.num_tasks)]
        known.update(of_part._replace(task_id=task_id) for task_id in task_ids)
        chosen = choice.of_part(part_index, part, task_ids)
        wanted = [of_part._replace(task_id=task_id) for task_id in chosen]
        to_play = set[str]()
        for name, made_of in hashes.items():
            missing = [one for one in wanted if name not in done.get(one, ())]
            num_done += len(wanted) - len(missing)
            to_play.update(one.task_id for one in missing)
            jobs += [
                Job(suite.name, part, one.task_id, name, seed, cache_dir, made_of)
                for one in missing
            ]
        num_videos += _num_unwritten(env.tasks, to_play)
        env.close()
    for stranger in sorted(done.keys() - known):
        namesakes = [one for one in known if one.task_id == stranger.task_id]
        told = difference(stranger, min(namesakes or known))
        raise RecordError(
            f"{out} holds episodes of another run: {told}. "
            "Choose another --out, or give --fresh to forget them"
        )
    return jobs, num_done, num_videos


def _num_unwritten(tasks: TaskSet, task_ids: Collection[str]) -> int:
    """Returns how many videos of tasks are synthetic files that are not in the cache yet."""
    if not isinstance(tasks, SyntheticTasks) or tasks.source != "file":
        return 0
    return sum(not tasks.is_written(tasks.by_id(task_id)) for task_id in task_ids)


def merge(paths: Sequence[Path], out: Path) -> list[Record]:
    """Joins the records of runs in a file, and returns them.

    Args:
        paths: files of records, or folders of runs.
        out: the file, which is replaced as a whole.

    Raises:
        RecordError: a file is wrong, or they are not of one run: see `join_records`.
    """
    files = [path / RECORDS if path.is_dir() else path for path in paths]
    if out.exists() and not any(out.samefile(path) for path in files if path.exists()):
        raise RecordError(
            f"{out} would be lost: needed another folder to join records in, or {out} as one of "
            "those that are joined"
        )
    records = _read(files)
    if not records:
        raise RecordError(f"needed at least one record to join, got none in {len(files)} files")
    write_records(out, records)
    return records


def _read(paths: Iterable[Path]) -> list[Record]:
    """Returns the records of one run, each once, always in the same order. Raises RecordError."""
    return join_records({str(path): list(read_records(path)) for path in paths})


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Makes a folder, and keeps other runs from writing to it. Raises RecordError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK, is_waiting=False) as is_held:
        if not is_held:
            raise RecordError(f"another run writes to {folder}: wait for it, or choose another one")
        yield


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; run_suite() and merge() do the work."""
    given = sys.argv[1:] if argv is None else list(argv)
    return _main_merge(given[1:]) if given[:1] == ["merge"] else _main_run(given)


def _main_run(argv: Sequence[str]) -> int:
    """Runs a suite or the user's own tasks, or shows their records again; and reports."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        suite, tasks = _suite(args)
        agents = list(dict.fromkeys(args.agents or suite.agents))
        if unplayed := [name for name in args.fresh or () if name not in agents]:
            raise ValueError(f"--fresh {unplayed[0]}: it does not play, add it to --agents")
        if not args.page_only:
            for name in agents:
                make_agent(name)
    except (ValueError, OSError, ZoomGymError) as error:
        parser.fail(error)
    console = Console()
    try:
        if args.page_only:
            return _show_again(console, args, suite, tasks)
        return _run(console, args, suite, tasks, agents)
    except (OSError, ZoomGymError) as error:
        parser.fail(error)


def _parser() -> Parser:
    """Returns the parser of the command that runs agents."""
    parser = Parser(prog="python -m benchmarks.run", description=__doc__)
    parser.add_argument(
        "--suite",
        choices=sorted(SUITES),
        metavar="SUITE",
        help=f"of {', '.join(sorted(SUITES))}; default: {DEFAULT}",
    )
    parser.add_argument(
        "--tasks",
        help="your own instead of a suite: a manifest (my.jsonl), or a benchmark and its folder "
        "(videomme:/data/Video-MME)",
    )
    parser.add_argument("--split", help="of --tasks; default: test. A manifest has none")
    parser.add_argument("--grammar", choices=sorted(GRAMMARS), help="of --tasks; default: json")
    parser.add_argument(
        "--env",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="further arguments of ZoomEnv for --tasks, values in JSON, or all as one JSON object: "
        "max_turns=3 on_video_error=skip",
    )
    parser.add_argument(
        "--agents",
        nargs="+",
        metavar="AGENT",
        help=f"of {', '.join(AGENTS)}, chat:MODEL@URL, ppo:PATH, qwen:PATH, or module:Class of "
        "your own, from this folder or one in PYTHONPATH; default: the suite's, and blind for "
        "--tasks",
    )
    parser.add_argument(
        "--seed", type=whole_number(0), default=0, help="of environments and agents"
    )
    parser.add_argument(
        "--limit",
        type=whole_number(1),
        help="tasks of each part of the suite, the first ones; of --tasks, always the same sample. "
        "Default: all",
    )
    parser.add_argument(
        "--shard",
        type=_shard,
        default=(0, 1),
        metavar="I/N",
        help="plays only part I of N: every N-th task. Join the N folders with merge",
    )
    parser.add_argument(
        "--workers",
        type=whole_number(1),
        default=os.cpu_count() or 1,
        help="processes, for agents without a model",
    )
    parser.add_argument(
        "--at-once",
        type=whole_number(1),
        help="episodes at once of an agent with a model; default: a served one's own, or 8",
    )
    parser.add_argument(
        "--out", type=Path, help="folder to write; default: results/ and the name of suite or tasks"
    )
    parser.add_argument("--cache-dir", type=Path, help="where synthetic videos are written")
    parser.add_argument(
        "--fresh",
        nargs="*",
        metavar="AGENT",
        help="forget the episodes in --out, or only those of these agents, and play them again",
    )
    parser.add_argument(
        "--page-only",
        action="store_true",
        help="play nothing: make tables and page again, from the records in --out",
    )
    return parser


def _suite(args: argparse.Namespace) -> tuple[Suite, TaskSet | None]:
    """Returns what is to be played, and its task set if it is the user's own.

    Raises:
        ValueError: arguments contradict each other, or one is wrong.
        TaskError: there is no such task set, or its files are wrong.
    """
    if args.tasks is not None:
        if args.suite:
            raise ValueError("--suite and --tasks both say what is played: leave one out")
        return own_suite(args.tasks, split=args.split, grammar=args.grammar, env=args.env)
    for name in ("split", "grammar", "env"):
        if getattr(args, name):
            raise ValueError(f"--{name} goes with --tasks: the settings of a suite are fixed")
    return SUITES[args.suite or DEFAULT], None


def _folder(args: argparse.Namespace, suite: Suite) -> Path:
    """Returns the folder of a run's results."""
    index, num_shards = args.shard
    part = f"-{index + 1}of{num_shards}" if num_shards > 1 else ""
    return args.out or Path("results") / f"{folder_name(suite)}{part}"


def _run(
    console: Console,
    args: argparse.Namespace,
    suite: Suite,
    tasks: TaskSet | None,
    agents: Sequence[str],
) -> int:
    """Plays what is missing, and reports. Raises OSError, ZoomGymError."""
    folder = _folder(args, suite)
    out = folder / RECORDS
    try:
        with _held(folder):
            if args.fresh == []:  # all
                out.unlink(missing_ok=True)
                (folder / FAILURES).unlink(missing_ok=True)
            console.print(f"[bold]{escape(suite.name)}[/]: {suite.purpose}")
            started_s = time.monotonic()
            failures = run_suite(
                suite,
                agents,
                out,
                seed=args.seed,
                choice=Choice(args.limit, *args.shard),
                workers=args.workers,
                at_once=args.at_once,
                cache_dir=args.cache_dir,
                console=console,
                fresh=args.fresh or (),
            )
            seconds = f"{time.monotonic() - started_s:.0f} s"
            records = _read([out]) if out.exists() else []
    except KeyboardInterrupt:
        console.print(f"stopped: run again to go on. Episodes so far: {out}", soft_wrap=True)
        return 130
    is_refuted = _show(console, suite, records, folder, seconds, args.cache_dir, tasks, failures)
    return 1 if is_refuted or any(not failure.is_skipped for failure in failures) else 0


def _show_again(
    console: Console, args: argparse.Namespace, suite: Suite, tasks: TaskSet | None
) -> int:
    """Reports from records. Raises OSError, RecordError."""
    folder, started_s = _folder(args, suite), time.monotonic()
    records = _read([folder / RECORDS])
    if not records:
        raise RecordError(f"{folder / RECORDS}: needed at least one record, got none")
    played = suite_of(records)
    if (args.suite or args.tasks) and played.name != suite.name:
        raise RecordError(
            f"{folder / RECORDS}: needed records of {suite.name}, got those of {played.name}"
        )
    if tasks and tasks.content_hash != records[0].task_set_hash:
        raise RecordError(
            f"{folder / RECORDS}: needed records of the tasks in {args.tasks}, got those of other "
            "ones: give the tasks and the --env that were played"
        )
    if not tasks:
        suite = played
    with _held(folder):
        seconds = f"{time.monotonic() - started_s:.0f} s"
        return int(_show(console, suite, records, folder, seconds, args.cache_dir, tasks))


def _main_merge(argv: Sequence[str]) -> int:
    """Joins runs, and reports as each of them did."""
    parser = Parser(
        prog="python -m benchmarks.run merge",
        description="Joins runs of the same suite, seed and version: their shards, or agents.",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write")
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="IN", help="folders of runs, or files of records"
    )
    parser.add_argument("--cache-dir", type=Path, help="where synthetic videos may be written")
    args = parser.parse_args(argv)
    started_s = time.monotonic()
    try:
        with _held(args.out):
            records = merge(args.paths, args.out / RECORDS)
        seconds = f"{time.monotonic() - started_s:.0f} s"
        suite = suite_of(records)
        return int(_show(Console(), suite, records, args.out, seconds, args.cache_dir, None))
    except (OSError, ZoomGymError) as error:
        parser.fail(error)


def _shard(text: str) -> tuple[int, int]:
    """Returns which shard of how many, from 0, that I/N says. Raises ArgumentTypeError."""
    first, _, second = text.partition("/")
    if first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
        return int(first) - 1, int(second)
    raise argparse.ArgumentTypeError(f"needs I/N with I from 1 to N, like 2/4, got {text!r}")


def _show(
    console: Console,
    suite: Suite,
    records: Sequence[Record],
    folder: Path,
    seconds: str,
    cache_dir: Path | None,
    tasks: TaskSet | None,
    failures: Sequence[Failure] = (),
) -> bool:
    """Shows what came of a run, last its page; returns whether that refutes a claim of its suite.

    Of failures, those of this run are shown; the page has them all.
    """
    show_ranking(console, records, suite)
    with waited_for("making the page"):
        write_report(
            folder / REPORT,
            suite.name,
            records,
            cache_dir=cache_dir,
            suite=suite,
            tasks=tasks,
            failures=read_failures(folder / FAILURES),
        )
    findings = judge(suite.claims, records)
    if findings:
        show_verdict(console, findings)
    _show_skipped(console, failures)
    _show_failures(console, failures)
    played = number_of(len(records), "episode")
    console.print(f"{played} in {seconds} -> {folder / RECORDS}", soft_wrap=True)
    console.print(f"page with pictures -> {folder / REPORT}", soft_wrap=True)
    return any(finding.is_false for finding in findings)


def _show_skipped(console: Console, failures: Sequence[Failure]) -> None:
    """Shows how many tasks are not shown, and why the first one is not."""
    skipped = {failure.task_id: failure for failure in reversed(failures) if failure.is_skipped}
    for first in [failure for failure in failures if failure.is_skipped][:1]:
        console.print(
            f"not shown: {number_of(len(skipped), 'task')}, in no number above; first "
            f"{first.task_id}: {first.reason}",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )


def _show_failures(console: Console, failures: Sequence[Failure]) -> None:
    """Shows how many episodes of each agent failed, and what went wrong first."""
    failed = [failure for failure in failures if not failure.is_skipped]
    counts = Counter(failure.agent for failure in failed)
    first_of: dict[str, Failure] = {}
    for failure in failed:
        first_of.setdefault(failure.agent, failure)
    for name, first in first_of.items():
        console.print(
            f"failed: {counts[name]} of {name}, first on {first.task_id}: {first.reason}. "
            "Run again to try again",
            style="red",
            markup=False,
            soft_wrap=True,
        )
        if first.traceback:
            calls = first.traceback.splitlines()[:-1][-MOST_LINES:]
            more = f"all of it: {FAILURES}, and the page"
            console.print("\n".join([*calls, more]), style="dim", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
