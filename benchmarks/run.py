"""Runs agents on a suite or on your own tasks, and compares them: a table, records, and a page.

Episodes are written as they are finished. Run again with the same arguments, it resumes where it
was stopped; with other agents, it adds them. `python -m benchmarks.run merge OUT IN ..` joins what
several machines have played, each with a --shard of its own.
"""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agents.registry import AGENTS, make_agent
from benchmarks.evaluation.claims import judge, show_verdict
from benchmarks.evaluation.crashes import Failure, read_failures
from benchmarks.evaluation.progress import waited_for
from benchmarks.evaluation.resume import FAILURES, RECORDS, Choice, held, merge, read_run, run_suite
from benchmarks.evaluation.suites import (
    SUITES,
    Suite,
    folder_name,
    own_suite,
    suite_of,
)
from benchmarks.leaderboard import show_ranking
from benchmarks.page.write import write_report
from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.io import number_of
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.records import Record
from zoomgym.rules import GRAMMARS
from zoomgym.tasks import TaskSet

DEFAULT = "quick-v1"
MOST_LINES = 6
"""Lines that are shown of a traceback."""
REPORT = "report.html"


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
    what = parser.add_argument_group("what is played").add_argument
    what(
        "--suite",
        choices=sorted(SUITES),
        metavar="SUITE",
        help=f"of {', '.join(sorted(SUITES))}; default: {DEFAULT}",
    )
    what(
        "--tasks",
        help="your own instead of a suite: a manifest (my.jsonl), or a benchmark and its folder "
        "(videomme:/data/Video-MME)",
    )
    what("--split", help="of --tasks; default: test. A manifest has none")
    what("--grammar", choices=sorted(GRAMMARS), help="of --tasks; default: json")
    what(
        "--env",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="further arguments of ZoomEnv for --tasks, values in JSON, or all as one JSON object: "
        "max_turns=3 on_video_error=skip",
    )
    what(
        "--limit",
        type=whole_number(1),
        help="tasks of each part of the suite, the first ones; of --tasks, always the same sample. "
        "Default: all",
    )
    what(
        "--shard",
        type=_shard,
        default=(0, 1),
        metavar="I/N",
        help="plays only part I of N: every N-th task. Join the N folders with merge",
    )
    who = parser.add_argument_group("who plays, and how").add_argument
    who(
        "--agents",
        nargs="+",
        metavar="AGENT",
        help=f"of {', '.join(AGENTS)}, chat:MODEL@URL, ppo:PATH, qwen:PATH, or module:Class of "
        "your own, from this folder or one in PYTHONPATH; default: the suite's, and blind for "
        "--tasks",
    )
    who("--seed", type=whole_number(0), default=0, help="of environments and agents")
    who(
        "--workers",
        type=whole_number(1),
        default=os.cpu_count() or 1,
        help="processes, for agents without a model",
    )
    who(
        "--at-once",
        type=whole_number(1),
        help="episodes at once of an agent with a model; default: a served one's own, or 8",
    )
    results = parser.add_argument_group("results").add_argument
    results(
        "--out", type=Path, help="folder to write; default: results/ and the name of suite or tasks"
    )
    results("--cache-dir", type=Path, help="where synthetic videos are written")
    results(
        "--fresh",
        nargs="*",
        metavar="AGENT",
        help="forget the episodes in --out, or only those of these agents, and play them again",
    )
    results(
        "--page-only",
        action="store_true",
        help="play nothing: make tables and page again, from the records in --out",
    )
    return parser


def _suite(args: argparse.Namespace) -> tuple[Suite, TaskSet | None]:
    """Returns what is played, and the user's task set, if any. Raises ValueError, TaskError."""
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
        with held(folder):
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
            records = read_run([out]) if out.exists() else []
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
    records = read_run([folder / RECORDS])
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
    with held(folder):
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
        with held(args.out):
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
