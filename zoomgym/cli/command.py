"""The command `zoomgym`: checks and lists tasks, plays and grades episodes, writes videos."""

import argparse
import json
import sys
import tempfile
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from zoomgym.cli.play import play
from zoomgym.cli.task_table import durations_s, task_table
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import GradingError, TaskError, ZoomGymError
from zoomgym.grading import Grader
from zoomgym.grading.registry import make_grader
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.io.messages import in_words, unreadable
from zoomgym.io.text import number_of, plain
from zoomgym.records import read_records, write_records
from zoomgym.records.regrade import regrade_all
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.catalog import check_task_set, open_task_set
from zoomgym.tasks.datasets import ManifestTasks, write_manifest
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES, SPLITS, SyntheticTasks, named_difficulty
from zoomgym.video import Limits

__all__ = ["main"]

MANIFEST = "manifest.jsonl"
OWN_TASK = "own"
OWN_TASKS = "a manifest (my.jsonl), or a benchmark and its folder (videomme:/data/Video-MME)"
HELP_WIDTH = 78
"""Columns of a description."""
GIVE_UP_AFTER = 5
"""Answers in a row on which a judge gives no verdict: the rest stays ungraded."""
QUIET_UNLESS_TERMINAL = None
"""How tqdm is told to show progress to people only."""


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns 0 if all is well, 1 if something is wrong, 130 if interrupted."""
    args = _parser().parse_args(argv)
    try:
        result: int = args.run(args)
    except BrokenPipeError:
        raise  # see `ends_quietly`
    except (ZoomGymError, OSError) as error:
        print(f"zoomgym: {in_words(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return result


def _check(args: argparse.Namespace) -> int:
    """Prints every problem of the files of a task set."""
    num_rows = num_bad = 0
    for row in tqdm(
        check_task_set(args.tasks, args.limits),
        desc="check",
        unit=" rows",
        disable=QUIET_UNLESS_TERMINAL,
        leave=False,
    ):
        num_rows += 1
        num_bad += bool(row.problems)
        for problem in row.problems:
            tqdm.write(plain(f"{row.where}: {problem}"), file=sys.stdout)
    if num_rows == 0:
        print(f"{args.tasks}: needed at least one task, got an empty file")
        return 1
    print(f"{number_of(num_rows, 'row')}, {num_bad} with problems")
    return 1 if num_bad else 0


def _tasks(args: argparse.Namespace) -> int:
    """Prints what a task set holds."""
    tasks = open_task_set(
        args.tasks,
        split=args.split,
        duration_s=args.duration,
        difficulty=args.difficulty,
        source="scene",  # of one length with the file, which --durations would write
        subtitles=args.subtitles,
        limits=args.limits,
    )
    indices = tqdm(range(len(tasks)), desc="tasks", disable=QUIET_UNLESS_TERMINAL, leave=False)
    all_tasks = [tasks[index] for index in indices]
    lengths_s: list[float] = []
    if args.durations:
        lengths = durations_s(tasks, all_tasks)
        lengths_s += tqdm(lengths, desc="videos", disable=QUIET_UNLESS_TERMINAL, leave=False)
    print(task_table(tasks, all_tasks, lengths_s))
    return 0


def _play(args: argparse.Namespace) -> int:
    """Lets a person play one episode."""
    _refuse_mixture(args)
    if args.out:
        _check_unused(args.out)
    folder = args.out or Path(tempfile.mkdtemp(prefix="zoomgym-play-"))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tasks = _own_task(args, Path(scratch)) if args.video else args.tasks or "synthetic"
        env = ZoomEnv(
            tasks,
            split=args.split,
            duration_s=args.duration,
            difficulty=args.difficulty,
            cache_dir=args.cache_dir,
            limits=asdict(args.limits),
        )
        play(
            env,
            folder,
            task_id=args.task_id,
            seed=args.seed,
            is_graded=not args.video or bool(args.answer),
            ask=input,
            say=print,
        )
        env.close()
    return 0


def _refuse_mixture(args: argparse.Namespace) -> None:
    """Raises TaskError if arguments contradict each other: none is ignored in silence."""
    for name in ("tasks", "task_id") if args.video else ("question", "answer", "option"):
        if getattr(args, name):
            rule = "does not go with" if args.video else "goes with"
            raise TaskError(f"--{name.replace('_', '-')} {rule} --video: leave one out")


def _own_task(args: argparse.Namespace, scratch: Path) -> ManifestTasks:
    """Returns the task that a person's own video and question make."""
    if not args.video.exists():
        raise TaskError(unreadable(args.video, "a video file", FileNotFoundError()))
    options = tuple(args.option)
    task = VideoQuestion(
        id=OWN_TASK,
        video=str(args.video.absolute()),
        question=args.question or "What happens in this video?",
        answer=args.answer or ("A" if options else "unknown"),  # not graded by, if made up
        options=options,
    )
    write_manifest(scratch / MANIFEST, [task])
    return ManifestTasks(scratch / MANIFEST, limits=args.limits)


def _synth(args: argparse.Namespace) -> int:
    """Writes synthetic videos and their manifest."""
    families = tuple(args.family or FAMILIES)
    tasks = SyntheticTasks(families, args.split, args.duration, args.difficulty, "file")
    wanted = [tasks[index] for index in range(min(args.num, len(tasks)))]
    videos = args.out / "videos"
    _check_unused(args.out, {args.out / MANIFEST, *(videos / tasks.video_name(t) for t in wanted)})
    args.out.mkdir(parents=True, exist_ok=True)
    written = []
    for task in tqdm(
        wanted, desc="write", unit=" videos", disable=QUIET_UNLESS_TERMINAL, leave=False
    ):
        path = tasks.write_video(task, videos)
        written.append(replace(task, video=path.relative_to(args.out).as_posix()))
    write_manifest(args.out / MANIFEST, written)
    print(f"{number_of(len(written), 'task')} -> {args.out / MANIFEST}")
    return 0


def _check_unused(folder: Path, own: Collection[Path] = ()) -> None:
    """Raises TaskError if a folder holds files that a command will not write; hidden ones may."""
    for path in folder.rglob("*"):
        if path not in own and not path.name.startswith(".") and not path.is_dir():
            raise TaskError(
                f"{folder}: needed a new or empty folder, got one that holds "
                f"{path.relative_to(folder)}: choose another one"
            )


def _grade(args: argparse.Namespace) -> int:
    """Grades the open-ended answers of records by a judge."""
    grader = _judge(args)
    records = list(read_records(args.records))
    regraded, outcomes, troubles = [], Counter[str](), Counter[str]()
    for one in tqdm(
        regrade_all(records, grader, args.concurrent),
        desc="grade",
        unit=" records",
        total=len(records),
        disable=QUIET_UNLESS_TERMINAL,
        leave=False,
    ):
        regraded.append(one.record)
        if not one.record.task.options:
            outcomes[one.outcome] += 1
        troubles[one.trouble] += 1
        if one.trouble and troubles[one.trouble] == 1:
            tqdm.write(f"{one.record.task.id}: {one.trouble}", file=sys.stderr)
    out = args.out or args.records.with_suffix(".graded.jsonl")
    write_records(out, regraded)
    counts = ", ".join(f"{outcomes[name]} {name}" for name in ("right", "wrong", "ungraded"))
    print(f"{outcomes.total()} of {len(records)} records are open-ended: {counts} -> {out}")
    return 1 if outcomes["ungraded"] else 0


def _judge(args: argparse.Namespace) -> Grader:
    """Returns the judge that arguments name. Raises GradingError."""
    settings = {
        "url": args.judge_url,
        "model": args.model,
        "key_variable": args.key_variable,
        "timeout_s": args.timeout,
        "max_tries": args.tries,
        "max_concurrent": args.concurrent,
        "max_failures": GIVE_UP_AFTER,
    }
    try:
        return make_grader({"judge": settings}, args.cache_dir)
    except ValueError as error:
        raise GradingError(str(error)) from error


def _parser() -> Parser:
    """Returns the parser of the command line."""
    parser = Parser(prog="zoomgym", description=__doc__)
    parser.add_argument("--version", action="version", version=f"zoomgym {version('zoomgym')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    check = _command(
        commands, "check", _check, "report every problem of files of tasks",
        "Reads every row, and decodes 16 frames of every video, the first and the last among "
        "them. Each problem "
        "is a line that names file and row; without one, the exit status is 0.",
        "zoomgym check my.jsonl", "zoomgym check videomme:/data/Video-MME",
    )  # fmt: skip
    check.add_argument("tasks", help=f"{OWN_TASKS} to check")
    _add_limits(check)

    listed = _command(
        commands, "tasks", _tasks, "show what a task set holds",
        "Prints name, version and hash of a task set, and how many tasks there are by category, "
        "by number of options, and by each kind of label.",
        "zoomgym tasks synthetic", "zoomgym tasks videomme:/data/Video-MME --split test",
    )  # fmt: skip
    listed.add_argument("tasks", help=f"synthetic, synthetic:FAMILY, {OWN_TASKS}")
    listed.add_argument(
        "--subtitles", action="store_true", help="put a benchmark's subtitles into its questions"
    )
    listed.add_argument("--durations", action="store_true", help="open every video to measure it")
    _add_limits(listed)
    _add_synthetic(listed)

    person = _command(
        commands, "play", _play, "play an episode yourself",
        "You are shown a question and the overview of a video, as pictures in a folder and, where "
        "it can, in the terminal. You type zooms and then the answer.",
        "zoomgym play --tasks synthetic:flash",
        'zoomgym play --video my.mp4 --question "What is on the table?"',
    )  # fmt: skip
    person.add_argument(
        "--tasks", help=f"synthetic, synthetic:FAMILY, {OWN_TASKS}; default: synthetic"
    )
    person.add_argument("--task-id", help="which of the tasks; default: one is drawn")
    person.add_argument(
        "--seed", type=whole_number(0), help="draws the same task again; default: another one"
    )
    person.add_argument("--video", type=Path, help="a video of your own, instead of --tasks")
    person.add_argument("--question", help="your question about --video")
    person.add_argument(
        "--option", action="append", default=[], help="one option of --question; repeat it for each"
    )
    person.add_argument("--answer", help="answer of --question; without it nothing is graded")
    person.add_argument(
        "--out", type=Path, help="new or empty folder for the pictures; default: a temporary one"
    )
    person.add_argument("--cache-dir", type=Path, help="where synthetic videos are written")
    _add_limits(person)
    _add_synthetic(person)

    grade = _command(
        commands, "grade", _grade, "let a judge grade open-ended answers in records",
        "Asks a model whether each open-ended answer is right, and writes the records with "
        "verdicts and the rewards that follow. Run again, it asks only for what is missing.",
        "zoomgym grade records.jsonl --judge-url http://localhost:8000/v1 --model NAME",
    )  # fmt: skip
    grade.add_argument("records", type=Path, help="a file of records, JSON Lines")
    grade.add_argument(
        "--judge-url", required=True, help="OpenAI-compatible endpoint: http://localhost:8000/v1"
    )
    grade.add_argument("--model", required=True, help="the judge, as the endpoint calls it")
    grade.add_argument("--key-variable", default="", help="environment variable with the API key")
    grade.add_argument(
        "--timeout", type=float, default=60, help="seconds that a request may take; default: 60"
    )
    grade.add_argument(
        "--tries",
        type=whole_number(1),
        default=5,
        help="how often a verdict is asked for; default: 5",
    )
    grade.add_argument(
        "--concurrent", type=whole_number(1), default=8, help="requests at once; default: 8"
    )
    grade.add_argument("--cache-dir", type=Path, help="where verdicts are kept for the next time")
    grade.add_argument(
        "--out", type=Path, help="file to write or replace; default: RECORDS.graded.jsonl"
    )

    synth = _command(
        commands, "synth", _synth, "write synthetic videos and their manifest",
        "Writes videos/*.mp4 and manifest.jsonl into a folder. The same arguments write the same "
        "files; run again, it resumes where it was stopped.",
        "zoomgym synth my-videos --family flash --num 20", "zoomgym check my-videos/manifest.jsonl",
    )  # fmt: skip
    synth.add_argument("out", type=Path, help="new or empty folder to write")
    synth.add_argument(
        "--family",
        action="append",
        choices=list(FAMILIES),
        help="a family to write; repeat it for each; default: all",
    )
    synth.add_argument(
        "--num", type=whole_number(0), default=12, help="how many tasks; default: 12"
    )
    _add_synthetic(synth)
    return parser


def _command(
    commands: "argparse._SubParsersAction[Parser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    description: str,
    *examples: str,
) -> Parser:
    """Returns the parser of a new command, which has no arguments yet."""
    parser = commands.add_parser(
        name,
        help=summary,
        description=textwrap.fill(description, HELP_WIDTH),
        epilog="\n".join(["examples:", *(f"  {example}" for example in examples)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    return parser


def _add_synthetic(parser: Parser) -> None:
    """Adds the arguments of synthetic tasks."""
    parser.add_argument(
        "--split",
        default="train",
        choices=SPLITS,
        help="part of synthetic tasks or of a benchmark; default: train",
    )
    parser.add_argument(
        "--duration", type=float, default=60, help="length of synthetic videos in s; default: 60"
    )
    parser.add_argument(
        "--difficulty",
        default="easy",
        type=_difficulty,
        help=f"of synthetic tasks: {', '.join(DIFFICULTIES)}; or, as JSON, settings that are "
        'merged over one: {"preset": "hard", "symbols": 6}; default: easy',
    )


def _add_limits(parser: Parser) -> None:
    """Adds the argument of how much work a video file may cause."""
    parser.add_argument(
        "--limits",
        default=Limits(),
        type=_limits,
        help='what a video file may cost, as JSON: {"call_s": 300} is processor time of one look, '
        '{"wait_s": 300} a wait for a slow disk; also pixels and duration_s',
    )


def _limits(text: str) -> Limits:
    """Returns the limits that text holds as JSON. Raises ArgumentTypeError."""
    try:
        return Limits.merged(json.loads(text))
    except json.JSONDecodeError as error:
        message = f'limits need JSON like {{"call_s": 300}}, got {text!r}'
        raise argparse.ArgumentTypeError(message) from error
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _difficulty(text: str) -> str | dict[str, Any]:
    """Returns the difficulty that text names or describes. Raises ArgumentTypeError."""
    try:
        given: str | dict[str, Any] = json.loads(text) if text.startswith("{") else text
        named_difficulty(given)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"settings need to be JSON, got {text!r}") from error
    except TaskError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return given
