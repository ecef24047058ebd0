"""Plays agents on a suite or on your own tasks, and compares them: a table, records, and a page.

Episodes are written as they finish. The same command resumes a run that was stopped; other agents
are added to its table.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agents.registry import AGENTS, make_agent
from benchmarks.evaluation.claims import judge, show_verdict
from benchmarks.evaluation.crashes import Failure, read_failures
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.on_ray import check_ray
from benchmarks.evaluation.progress import waited_for
from benchmarks.evaluation.resume import FAILURES, RECORDS, held, read_run, run_suite
from benchmarks.evaluation.suites import (
    SUITES,
    Suite,
    folder_name,
    own_suite,
    paired,
    suite_of,
)
from benchmarks.leaderboard import show_ranking
from benchmarks.page.write import write_report
from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.io import number_of
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.records import Record
from zoomgym.rules import GRAMMARS, PRESETS
from zoomgym.tasks import TaskSet

DEFAULT = "quick-v1"
COMMANDS = {
    "suite": "Play a suite (the default command)",
    "tasks": "Play your own tasks, or those of a public benchmark",
}
MOST_LINES = 6
"""Lines shown of a traceback."""
REPORT = "report.html"


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; run_suite() does the work."""
    parser = _parser()
    args = parser.parse_args(_with_command(sys.argv[1:] if argv is None else argv))
    command: Callable[[Parser, argparse.Namespace], int] = args.command
    try:
        return command(parser, args)
    except (OSError, ZoomGymError) as error:
        parser.fail(error)


def _with_command(given: Sequence[str]) -> list[str]:
    """Returns arguments with their command first.

    `suite` is the default; `--suite NAME` and `--tasks TASKS` name a command, too.
    """
    if given and given[0] in (*COMMANDS, "-h", "--help"):
        return list(given)
    for command in ("tasks", "suite"):
        if (option := f"--{command}") in given[:-1]:
            at = given.index(option)
            return [command, given[at + 1], *given[:at], *given[at + 2 :]]
    return ["suite", *given]


def _parser() -> Parser:
    parser = Parser(prog="python -m benchmarks.run", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    by_name = {
        name: commands.add_parser(name, help=about, description=f"{about}.")
        for name, about in COMMANDS.items()
    }
    suite, tasks = by_name.values()
    suite.add_argument(
        "suite",
        nargs="?",
        choices=sorted(SUITES),
        metavar="NAME",
        help=f"of {', '.join(sorted(SUITES))}; default: {DEFAULT}",
    )
    tasks.add_argument(
        "tasks",
        metavar="TASKS",
        help="a manifest (my.jsonl), a benchmark and its folder (videomme:/data/Video-MME), or "
        "needle:FOLDER, events hidden in your own videos",
    )
    tasks.add_argument("--split", help="default: test. A manifest has none")
    tasks.add_argument("--grammar", choices=sorted(GRAMMARS), help="of replies; default: json")
    tasks.add_argument(
        "--preset",
        choices=sorted(PRESETS),
        metavar="NAME",
        help=f"how a peer's models play: of {', '.join(sorted(PRESETS))}",
    )
    tasks.add_argument(
        "--env",
        nargs="+",
        default=[],
        metavar="NAME=VALUE",
        help="more arguments of ZoomEnv, values in JSON, or all as one JSON object: "
        "max_turns=3 on_video_error=skip",
    )
    suite.set_defaults(command=_play, tasks=None)
    tasks.set_defaults(command=_play, suite=None)
    _add_play_arguments(suite, "the first tasks of each part; default: all", "the suite's")
    _add_play_arguments(tasks, "always the same sample of so many; default: all", "blind")
    for command in by_name.values():
        command.add_argument(
            "--cache-dir", type=Path, help="folder of synthetic videos; default: your cache"
        )
    return parser


def _add_play_arguments(parser: argparse.ArgumentParser, limit: str, agents: str) -> None:
    """Adds what `suite` and `tasks` share, given what --limit takes and who plays by default."""
    add = parser.add_argument
    add("--limit", type=whole_number(1), help=limit)
    add(
        "--agents",
        nargs="+",
        metavar="AGENT",
        help=f"of {', '.join(AGENTS)}, chat:MODEL@URL, ppo:PATH, qwen:PATH, or module:Class of "
        f"your own, from this folder or one in PYTHONPATH; default: {agents}",
    )
    add("--seed", type=whole_number(0), default=0, help="of environments and agents; default: 0")
    add(
        "--workers",
        type=whole_number(1),
        default=os.cpu_count() or 1,
        help="processes, for agents without a model; default: one a core",
    )
    add(
        "--at-once",
        type=whole_number(1),
        help="episodes at once of an agent with a model; default: a served one's own, or 8",
    )
    add(
        "--on",
        default="",
        metavar="ray[:ADDRESS]",
        help="play on the machines of a Ray cluster: that of this machine, or one at an address",
    )
    add(
        "--paired",
        action="store_true",
        help="also play every task without tools, and show what they gain and harm",
    )
    add("--out", type=Path, help="folder to write; default: results/ and the name of the tasks")
    add(
        "--fresh",
        nargs="*",
        metavar="AGENT",
        help="forget the episodes in --out, or only those of these agents, and play them again",
    )
    add(
        "--page-only",
        action="store_true",
        help="play nothing: make tables and page again, from the records in --out",
    )


def _play(parser: Parser, args: argparse.Namespace) -> int:
    """Plays what is missing, unless only the page is wanted, and reports."""
    try:
        if args.tasks is None:
            suite, tasks = SUITES[args.suite or DEFAULT], None
        else:
            suite, tasks = own_suite(
                args.tasks,
                split=args.split,
                grammar=args.grammar,
                preset=args.preset,
                env=args.env,
            )
        if args.paired:
            suite = paired(suite)
        agents = list(dict.fromkeys(args.agents or suite.agents))
        if unplayed := [name for name in args.fresh or () if name not in agents]:
            raise ValueError(f"--fresh {unplayed[0]}: it does not play, add it to --agents")
        for name in () if args.page_only else agents:
            make_agent(name)
        if args.on:
            check_ray(args.on)
    except ValueError as error:
        parser.fail(error)
    folder = args.out or Path("results") / folder_name(suite)
    if args.page_only:
        return _show_again(args, folder, suite, tasks)
    out, console, started_s = folder / RECORDS, Console(), time.monotonic()
    try:
        with held(folder):
            if args.fresh == []:  # all
                out.unlink(missing_ok=True)
                (folder / FAILURES).unlink(missing_ok=True)
            console.print(f"[bold]{escape(suite.name)}[/]: {suite.purpose}")
            failures = run_suite(
                suite,
                agents,
                out,
                seed=args.seed,
                limit=args.limit,
                workers=args.workers,
                at_once=args.at_once,
                on=args.on,
                cache_dir=args.cache_dir,
                console=console,
                fresh=args.fresh or (),
            )
            records = read_run([out]) if out.exists() else []
    except KeyboardInterrupt:
        console.print(f"stopped: run again to resume. Episodes so far: {out}", soft_wrap=True)
        return 130
    is_refuted = _show(suite, records, folder, started_s, args.cache_dir, tasks, failures)
    return 1 if is_refuted or any(not failure.is_skipped for failure in failures) else 0


def _show_again(args: argparse.Namespace, folder: Path, suite: Suite, tasks: TaskSet | None) -> int:
    """Reports from records. Raises OSError, RecordError."""
    started_s, path = time.monotonic(), folder / RECORDS
    records = read_run([path])
    if not records:
        raise RecordError(f"{path}: needed at least one record, got none")
    played = suite_of(records)
    if (args.suite or args.tasks) and played.name != suite.name:
        raise RecordError(f"{path}: needed records of {suite.name}, got those of {played.name}")
    if tasks and tasks.content_hash != records[0].task_set_hash:
        raise RecordError(
            f"{path}: needed records of the tasks in {args.tasks}, got those of other tasks: give "
            "the tasks and the --env that were played"
        )
    with held(folder):
        shown = suite if tasks else played
        return int(_show(shown, records, folder, started_s, args.cache_dir, tasks))


def _show(
    suite: Suite,
    records: Sequence[Record],
    folder: Path,
    started_s: float,
    cache_dir: Path | None,
    tasks: TaskSet | None,
    failures: Sequence[Failure] = (),
) -> bool:
    """Prints the result of a run and writes its page; returns whether a claim of the suite fails.

    Prints only the failures of this run; the page has all of them.
    """
    console, seconds = Console(), f"{time.monotonic() - started_s:.0f} s"
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
    _show_failures(console, failures)
    played = number_of(len(records), "episode")
    console.print(f"{played} in {seconds} -> {folder / RECORDS}", soft_wrap=True)
    console.print(f"page with pictures -> {folder / REPORT}", soft_wrap=True)
    return any(finding.is_false for finding in findings)


def _show_failures(console: Console, failures: Sequence[Failure]) -> None:
    """Prints how many tasks were skipped, and how many episodes of each agent failed: the first."""
    told = partial(console.print, markup=False, soft_wrap=True)
    if skipped := [failure for failure in failures if failure.is_skipped]:
        number = number_of(len({failure.task_id for failure in skipped}), "task")
        first = f"{skipped[0].task_id}: {skipped[0].reason}"
        told(f"not shown: {number}, in no number above; first {first}", style="yellow")
    failed = [failure for failure in failures if not failure.is_skipped]
    for name, (one, *more) in grouped(failed, lambda failure: failure.agent).items():
        told(
            f"failed: {1 + len(more)} of {name}, first on {one.task_id}: {one.reason}. "
            "Run again to try again",
            style="red",
        )
        if one.traceback:
            calls = one.traceback.splitlines()[:-1][-MOST_LINES:]
            told("\n".join([*calls, f"all of it: {FAILURES}, and the page"]), style="dim")


if __name__ == "__main__":
    sys.exit(main())
