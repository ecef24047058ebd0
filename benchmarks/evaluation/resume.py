"""A run: records of a suite in a folder, to resume."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console

from agents.fingerprint import fingerprint
from benchmarks.evaluation.comparable import EpisodeKey, join_records
from benchmarks.evaluation.crashes import Failure, read_failures, write_failures
from benchmarks.evaluation.on_ray import play_on_ray
from benchmarks.evaluation.progress import counted
from benchmarks.evaluation.runner import Job, play_all
from benchmarks.evaluation.suites import Part, Suite, make_env
from zoomgym import __version__
from zoomgym.errors import RecordError
from zoomgym.io import number_of
from zoomgym.io.locks import locked
from zoomgym.records import Record, append_record, drop_cut_line, read_records, write_records
from zoomgym.tasks import SyntheticTasks, TaskSet

RECORDS = "records.jsonl"
REPLACED = "replaced.jsonl"
"""Episodes that were played again because the agent had changed."""
FAILURES = "failures.jsonl"
"""Episodes that failed the last time."""
LOCK = ".lock"


def _first(part: Part, task_ids: Sequence[str], limit: int | None) -> list[str]:
    """Returns so many tasks of a part, in the order of task_ids.

    A drawn part orders its tasks by the hashes of their ids: the sample depends neither on the
    order of a file nor on the limit, and grows with the limit.
    """
    by_place = sorted(task_ids, key=_digest) if part.is_drawn else task_ids
    played = set(by_place[:limit])
    return [task_id for task_id in task_ids if task_id in played]


def _digest(task_id: str) -> bytes:
    return hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).digest()


def run_suite(
    suite: Suite,
    agents: Sequence[str],
    out: Path,
    *,
    seed: int,
    limit: int | None = None,
    workers: int,
    at_once: int | None = None,
    on: str = "",
    cache_dir: Path | None,
    console: Console,
    fresh: Collection[str] = (),
) -> list[Failure]:
    """Plays every agent on every task of a suite that out does not hold yet.

    Moves the episodes of changed agents, and of those in fresh, to another file and plays them
    again. Returns what failed, which has no record.

    Args:
        suite: to play.
        agents: by name.
        out: file of records.
        seed: of environments and agents.
        limit: tasks of each part, at most.
        workers: processes, for agents without a model.
        at_once: episodes at once of an agent with a model.
        on: `ray` or `ray:ADDRESS`; empty for processes of this machine.
        cache_dir: of synthetic videos.
        console: to show the plan on.
        fresh: agents whose episodes are played again.

    Raises:
        RecordError: out holds another run.
        ConnectionError: there is no such cluster.
    """
    hashes = {name: fingerprint(name) for name in agents}
    kept, outdated = list[Record](), list[Record]()
    for record in _recorded(out):
        is_kept = record.agent not in fresh and not _has_changed(record, hashes)
        (kept if is_kept else outdated).append(record)
    jobs, num_done, num_videos = _open_jobs(suite, hashes, out, kept, seed, limit, cache_dir)
    if outdated:
        for record in outdated:
            append_record(out.with_name(REPLACED), record)
        write_records(out, kept)
    _show_plan(console, len(jobs), len(kept), outdated)
    written = f"writing {number_of(num_videos, 'video')}, "
    doing = f"{written if num_videos else ''}playing episodes"
    failures: list[Failure] = []
    failed = {(one.agent, one.task_id): one for one in read_failures(out.with_name(FAILURES))}
    play_it = partial(play_on_ray, on=on) if on else play_all
    try:
        with (
            counted(doing, num_done + len(jobs), num_done) as advance,
            closing(play_it(jobs, workers=workers, at_once=at_once)) as outcomes,
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
    """Returns the records in a file, if any, without a line cut by a kill. Raises RecordError."""
    if not out.exists():
        return []
    drop_cut_line(out)
    return read_run([out])


def _has_changed(record: Record, hashes: Mapping[str, str]) -> bool:
    today = hashes.get(record.agent, "")
    return bool(today and record.agent_hash) and today != record.agent_hash


def _show_plan(console: Console, num_new: int, num_kept: int, outdated: Sequence[Record]) -> None:
    """Prints how many episodes will be played, are kept, and are played again."""
    console.print(f"{num_new} new, {num_kept} kept", highlight=False)
    for name, count in Counter(record.agent for record in outdated).items():
        console.print(
            f"{name}: its {count} episodes here are of other code or weights, or given as --fresh. "
            f"They are in {REPLACED} now, and played again",
            style="yellow",
            markup=False,
            highlight=False,
        )


def _open_jobs(
    suite: Suite,
    hashes: Mapping[str, str],
    out: Path,
    recorded: Sequence[Record],
    seed: int,
    limit: int | None,
    cache_dir: Path | None,
) -> tuple[list[Job], int, int]:
    """Returns the missing jobs, how many wanted episodes exist, and how many videos to write.

    Records of other agents and other tasks of the suite are fine: they belong to its table. Raises
    RecordError if out holds another run.
    """
    done: dict[EpisodeKey, set[str]] = {}
    for record in recorded:
        done.setdefault(EpisodeKey.of(record), set()).add(record.agent)
    jobs, known, num_done, num_videos = list[Job](), set[EpisodeKey](), 0, 0
    for part in suite.parts:
        env = make_env(part, cache_dir)
        tasks = env.tasks.name, env.tasks.version, env.tasks.content_hash
        first = [env.tasks[index] for index in range(part.num_tasks)]
        videos = {task.id: f"{env.tasks.content_hash} {task.video}" for task in first}
        task_ids = list(videos)
        keys = {
            task_id: EpisodeKey.make(suite.name, __version__, seed, tasks, env.settings, task_id)
            for task_id in task_ids
        }
        known.update(keys.values())
        chosen = _first(part, task_ids, limit)
        wanted = [keys[task_id] for task_id in chosen]
        to_play = set[str]()
        for name, made_of in hashes.items():
            missing = [one for one in wanted if name not in done.get(one, ())]
            num_done += len(wanted) - len(missing)
            to_play.update(one.task_id for one in missing)
            jobs += [
                Job(suite.name, part, task_id, name, seed, cache_dir, made_of, videos[task_id])
                for task_id in (one.task_id for one in missing)
            ]
        num_videos += _num_unwritten(env.tasks, to_play)
        env.close()
    for stranger in sorted(done.keys() - known):
        namesakes = [one for one in known if one.task_id == stranger.task_id]
        told = stranger.difference(min(namesakes or known))
        raise RecordError(
            f"{out} holds episodes of another run: {told}. "
            "Choose another --out, or give --fresh to forget them"
        )
    return jobs, num_done, num_videos


def _num_unwritten(tasks: TaskSet, task_ids: Collection[str]) -> int:
    if not isinstance(tasks, SyntheticTasks) or tasks.source != "file":
        return 0
    return sum(not tasks.is_written(tasks.by_id(task_id)) for task_id in task_ids)


def read_run(paths: Iterable[Path]) -> list[Record]:
    """Returns the records of one run, each once, in a fixed order. Raises RecordError."""
    return join_records({str(path): list(read_records(path)) for path in paths})


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Makes a folder and locks it against other runs. Raises RecordError, OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / LOCK) as is_held:
        if not is_held:
            raise RecordError(f"another run writes to {folder}: wait for it, or choose another one")
        yield
