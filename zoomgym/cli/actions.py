"""Runs each command: from its parsed arguments to its exit status."""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from tqdm import tqdm

from zoomgym.cli.play import play
from zoomgym.cli.task_table import durations_s, task_table
from zoomgym.envs import ZoomEnv
from zoomgym.errors import GradingError, TaskError
from zoomgym.grading import Grader, make_grader
from zoomgym.io import number_of, plain, unreadable
from zoomgym.records import read_records, regrade_all, write_records
from zoomgym.rules import VideoQuestion
from zoomgym.tasks import (
    FAMILIES,
    ManifestTasks,
    SyntheticTasks,
    check_task_set,
    open_task_set,
    write_manifest,
)

MANIFEST = "manifest.jsonl"
OWN_TASK = "own"
GIVE_UP_AFTER = 5
"""Answers in a row without a verdict after which the rest stays ungraded."""
progress = partial(tqdm, disable=None, leave=False)
"""Shows progress to people only."""


def check(args: argparse.Namespace) -> int:
    """Prints every problem of the files of a task set."""
    num_rows = num_bad = 0
    for row in progress(check_task_set(args.tasks, args.limits), desc="check", unit=" rows"):
        num_rows += 1
        num_bad += bool(row.problems)
        for problem in row.problems:
            tqdm.write(plain(f"{row.where}: {problem}"), file=sys.stdout)
    if num_rows == 0:
        print(f"{args.tasks}: needed at least one task, got an empty file")
        return 1
    print(f"{number_of(num_rows, 'row')}, {num_bad} with problems")
    return 1 if num_bad else 0


def list_tasks(args: argparse.Namespace) -> int:
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
    all_tasks = [tasks[index] for index in progress(range(len(tasks)), desc="tasks")]
    lengths_s: list[float] = []
    if args.durations:
        lengths = durations_s(tasks, all_tasks)
        lengths_s += progress(lengths, desc="videos")
    print(task_table(tasks, all_tasks, lengths_s))
    return 0


def play_one(args: argparse.Namespace) -> int:
    """Lets a person play one episode."""
    _refuse_mixture(args)
    if args.out:
        _check_unused(args.out)
    folder = args.out or Path(tempfile.mkdtemp(prefix="zoomgym-play-"))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        tasks = _own_task(args, Path(scratch)) if args.video else args.tasks or "synthetic"
        try:
            env = ZoomEnv(
                tasks,
                split=args.split,
                duration_s=args.duration,
                difficulty=args.difficulty,
                num_overview=args.num_overview,
                overview=args.overview,
                tools=args.tools,
                source=args.source,
                cache_dir=args.cache_dir,
                limits=asdict(args.limits),
            )
        except ValueError as error:
            raise TaskError(str(error)) from error
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


def synth(args: argparse.Namespace) -> int:
    """Writes synthetic videos and their manifest."""
    families = tuple(args.family or FAMILIES)
    tasks = SyntheticTasks(families, args.split, args.duration, args.difficulty, "file")
    wanted = [tasks[index] for index in range(min(args.num, len(tasks)))]
    videos = args.out / "videos"
    _check_unused(args.out, {args.out / MANIFEST, *(videos / tasks.video_name(t) for t in wanted)})
    args.out.mkdir(parents=True, exist_ok=True)
    written = []
    for task in progress(wanted, desc="write", unit=" videos"):
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


def grade(args: argparse.Namespace) -> int:
    """Grades the open-ended answers of records by a judge."""
    grader = _judge(args)
    records = list(read_records(args.records))
    regraded, outcomes, troubles = [], Counter[str](), Counter[str]()
    each = regrade_all(records, grader, args.concurrent)
    for one in progress(each, desc="grade", unit=" records", total=len(records)):
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
