"""Collects trajectories to learn from, and writes them for others to train on.

Run a stopped command again to resume it.
"""

import argparse
import logging
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track
from rich.table import Table

from agents.qwen.demonstrations import (
    Attempt,
    demonstrate,
    export,
    read_demonstrations,
    reflect,
    rejected_path,
)
from agents.qwen.environment import ARGUMENTS, read_arguments
from agents.registry import AGENTS, make_agent
from zoomgym.agent import BatchAgent
from zoomgym.envs import ZoomEnv
from zoomgym.errors import ZoomGymError
from zoomgym.io import in_words
from zoomgym.io.commands import Parser, ends_quietly, whole_number

KEPT = "kept"
NUM_ENVS = 16
"""Environments side by side for an agent that replies to many at once."""
OWN_FLAGS = ("tasks", "cache_dir", "render_mode")
"""Arguments of ZoomEnv that --env does not take."""


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses and reports; the package does the work."""
    args = _parser().parse_args(argv)
    width = None if sys.stdout.isatty() else 100
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    logging.basicConfig(
        handlers=[RichHandler(console=console, show_path=False)], format="%(message)s"
    )
    try:
        result: int = args.run(args, console)
    except KeyboardInterrupt:
        console.print("stopped: run the same command again to resume", soft_wrap=True)
        return 130
    except BrokenPipeError:
        raise  # see `ends_quietly`
    except (ZoomGymError, ValueError, OSError) as error:
        console.print(f"error: {in_words(error)}", soft_wrap=True)
        return 1
    return result


def _collect(args: argparse.Namespace, console: Console) -> int:
    """Collects what an expert does, or how it corrects a student if there is one."""
    expert = make_agent(args.expert)
    student = None if args.student is None else make_agent(args.student)
    first = expert if student is None else student
    count = args.num_envs or (NUM_ENVS if isinstance(first, BatchAgent) else 1)
    envs = [ZoomEnv(args.tasks, cache_dir=args.cache_dir, **args.env) for _ in range(count)]
    task_ids = _task_ids(args, envs[0])
    play = demonstrate
    if student is not None:
        play = partial(reflect, student=student, student_name=args.student)
    attempts = play(
        envs, task_ids, expert=expert, expert_name=args.expert, out=args.out, seed=args.seed
    )
    return _report(args.out, attempts, len(task_ids), console)


def _export(args: argparse.Namespace, console: Console) -> int:
    """Writes demonstrations as sharegpt rows."""
    if args.out.exists():
        raise ValueError(f"{args.out} exists: choose another file, or delete it")
    demonstrations = list(read_demonstrations(args.file))
    rows = export(demonstrations, args.out, tasks=args.tasks, cache_dir=args.cache_dir)
    num_images = sum(
        len(row["images"])
        for row in track(rows, "rows", len(demonstrations), console=console, transient=True)
    )
    console.print(f"{len(demonstrations)} rows, {num_images} frames -> {args.out}", soft_wrap=True)
    if num_mended := sum(one.first_turn > 0 for one in demonstrations):
        console.print(f"{num_mended} are reflections: set mask_history, or mistakes are learned")
    return 0


def _report(out: Path, attempts: Iterable[Attempt], total: int, console: Console) -> int:
    """Shows progress, and then how many were kept, and why the rest was not."""
    shown = track(attempts, "tasks", total, console=console, transient=True)
    counts = Counter(attempt.reason or KEPT for attempt in shown)
    table = Table("outcome", "tasks", "share")
    for column in table.columns[1:]:
        column.justify = "right"
    rejected = [(reason, count) for reason, count in counts.most_common() if reason != KEPT]
    for reason, count in [(KEPT, counts[KEPT]), *rejected]:
        table.add_row(reason, f"{count}", f"{count / total:.1%}")
    console.print(table)
    console.print(f"{counts[KEPT]} demonstrations of {total} tasks -> {out}", soft_wrap=True)
    if rejected:
        console.print(f"the others, and why -> {rejected_path(out)}", soft_wrap=True)
    return 0


def _task_ids(args: argparse.Namespace, env: ZoomEnv) -> list[str]:
    """Returns the ids of the tasks to play. Raises ValueError."""
    last = args.start + args.num
    if last > len(env.tasks):
        raise ValueError(
            f"--start and --num need tasks up to {last}, {args.tasks} has {len(env.tasks)}: "
            "lower them"
        )
    return [env.tasks[index].id for index in range(args.start, last)]


def _parser() -> Parser:
    """Returns the parser of the command line."""
    parser = Parser(prog="python -m agents.qwen.demonstrations", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    parts = [
        commands.add_parser("demonstrate", help="keep what an expert does well"),
        commands.add_parser("reflect", help="keep how an expert corrects a student's failures"),
        commands.add_parser("export", help="write demonstrations as LLaMA-Factory's sharegpt rows"),
    ]
    for part, run in zip(parts, (_collect, _collect, _export), strict=True):
        part.set_defaults(run=run, student=None)
        part.add_argument("--out", type=Path, required=True, help="file to write")
        part.add_argument("--cache-dir", type=Path, help="where synthetic videos are written")
    parts[1].add_argument("--student", required=True, help="an agent, such as qwen:PATH")
    for part in parts[:2]:
        _add_playing(part)
    parts[2].add_argument("file", type=Path, help="file of demonstrations to read")
    parts[2].add_argument("--tasks", help="the set they were played on, if it is not synthetic")
    return parser


def _add_playing(parser: Parser) -> None:
    """Adds the arguments of agents, tasks and environment."""
    known = f"{', '.join(AGENTS)}, qwen:PATH, or module:Class of your own"
    parser.add_argument("--expert", default="tutor", help=f"one of {known}; default: tutor")
    parser.add_argument("--tasks", default="synthetic", help="a task set; default: synthetic")
    numbers = {
        "num": (1, 100, "how many tasks to play"),
        "start": (0, 0, "position of the first task to play"),
        "seed": (0, 0, "seed of agents and environments"),
    }
    for name, (least, default, told) in numbers.items():
        told = f"{told}; default: {default}"
        parser.add_argument(f"--{name}", type=whole_number(least), default=default, help=told)
    parser.add_argument(
        "--num-envs",
        type=whole_number(1),
        help=f"episodes side by side; default: {NUM_ENVS} if the agent can, or 1",
    )
    parser.add_argument(
        "--env",
        type=partial(read_arguments, left_out=OWN_FLAGS),
        default=ARGUMENTS,
        help='arguments of ZoomEnv, as JSON: {"num_overview": 16, "split": "train"}; '
        "grammar is video_zoom by default, or that of a preset",
    )


if __name__ == "__main__":
    sys.exit(main())
