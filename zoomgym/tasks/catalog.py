"""Opens and checks task sets by name."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.io import file_in, is_folder, nearest
from zoomgym.rules import TRANSCRIPT
from zoomgym.tasks.datasets import (
    BENCHMARKS,
    BenchmarkTasks,
    CheckedRow,
    Layout,
    ManifestTasks,
    check_benchmark,
    check_manifest,
)
from zoomgym.tasks.needle import NEEDLE, NeedleTasks, check_footage
from zoomgym.tasks.synthetic import EVERY_FAMILY, FAMILIES, SyntheticTasks
from zoomgym.tasks.task_set import TaskSet
from zoomgym.video import Limits

MANIFESTS = (".jsonl", ".json")
SYNTHETIC = "synthetic"
KINDS = (SYNTHETIC, NEEDLE, *BENCHMARKS)
TASK_SETTINGS = ("split", "duration_s", "difficulty", "source", "on_damage", "subtitles")
"""Settings of an environment that say which tasks it plays, beside the name `tasks`."""


def tasks_of(
    settings: Mapping[str, Any], *, cache_dir: str | Path | None = None, limits: Limits = Limits()
) -> TaskSet:
    """Returns the task set that settings of an environment or a record name, see `open_task_set`.

    Settings other than `tasks` may be missing. Raises TaskError if there is no such set.
    """
    given = {name: settings[name] for name in TASK_SETTINGS if name in settings}
    tools = settings.get("tools")
    given["transcripts"] = isinstance(tools, list | tuple) and TRANSCRIPT in tools
    return open_task_set(settings["tasks"], **given, cache_dir=cache_dir, limits=limits)


def open_task_set(
    name: str,
    *,
    split: str = "train",
    duration_s: float = 60,
    difficulty: str | Mapping[str, Any] = "easy",
    source: str = "file",
    cache_dir: str | Path | None = None,
    on_damage: str = "nearest",
    limits: Limits = Limits(),
    subtitles: bool = False,
    transcripts: bool = False,
) -> TaskSet:
    """Returns the task set called name; nothing is decoded or written yet.

    Args:
        name: `synthetic`, `synthetic:flash`, `synthetic:flash,order`, a benchmark and its folder
            like `videomme:/data/Video-MME`, a manifest's path (`*.jsonl` or `*.json`), or
            `needle:/home/me/videos`: synthetic events in the videos of a folder of yours.
        split: `train` or `test`; manifests have none, and most benchmarks have `test` only.
        duration_s: seconds, of synthetic videos, and at least of needle ones.
        difficulty: `easy`, `medium` or `hard`, of both; or a mapping that is merged over
            one, like `{"preset": "hard", "contrast": 0.6}`: see `Difficulty`.
        source: `file` for encoded synthetic video, `scene` for the same pictures without a codec.
        cache_dir: where synthetic videos are written; the user's cache folder if None.
        on_damage: how to treat frames that do not decode, see `VideoFile`.
        limits: how much work a file of a manifest, benchmark or folder may cause.
        subtitles: whether a benchmark's questions hold its subtitles.
        transcripts: whether they are at hand for the tool `transcript`.

    Raises:
        TaskError: there is no such set, it has no such split, or its files are wrong.
    """
    if benchmark := _find_benchmark(name):
        return BenchmarkTasks(
            *benchmark,
            split,
            subtitles=subtitles,
            transcripts=transcripts,
            on_damage=on_damage,
            limits=limits,
        )
    if subtitles:
        raise TaskError(f"{name} has no subtitles: leave subtitles out")
    kind, _, rest = name.partition(":")
    silent = TaskError(f"{name} has no subtitles: leave the tool {TRANSCRIPT} out")
    if kind == SYNTHETIC:
        families = tuple(map(str.strip, rest.split(","))) if rest else tuple(FAMILIES)
        folder = None if cache_dir is None else Path(cache_dir)
        tasks = SyntheticTasks(families, split, duration_s, difficulty, source, folder)
        if transcripts and not tasks.has_transcripts:
            raise silent
        return tasks
    if transcripts:
        raise silent
    if kind == NEEDLE:
        home = _folder(NEEDLE, rest)
        return NeedleTasks(home, split, duration_s, difficulty, on_damage, limits)
    if name.endswith(MANIFESTS):
        return ManifestTasks(Path(name), on_damage, limits)
    raise _unknown(name)


def check_task_set(name: str, limits: Limits = Limits()) -> Iterator[CheckedRow]:
    """Yields every row of the files of a task set (see `open_task_set`), with its problems.

    Raises TaskError if there is no such set, or a file cannot be read.
    """
    if benchmark := _find_benchmark(name):
        return check_benchmark(*benchmark, limits)
    kind, _, rest = name.partition(":")
    if kind == NEEDLE:
        return check_footage(_folder(NEEDLE, rest), limits)
    if name.endswith(MANIFESTS):
        return check_manifest(Path(name), limits)
    if kind == SYNTHETIC:
        raise TaskError(
            f"{name} has no files to check, it is made from a seed: name a manifest, or a "
            "benchmark and its folder"
        )
    raise _unknown(name)


def _find_benchmark(name: str) -> tuple[Layout, Path] | None:
    """Returns the benchmark and the folder that name means, or None. Raises TaskError."""
    kind, _, folder = name.partition(":")
    return (BENCHMARKS[kind], _folder(kind, folder)) if kind in BENCHMARKS else None


def _folder(kind: str, folder: str) -> Path:
    """Returns the folder that a name gives after its kind. Raises TaskError."""
    if not folder:
        raise TaskError(f"{kind} needs the folder of its files, like {kind}:/data/{kind}")
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:  # ~name, of nobody here
        raise TaskError(f"{kind} needs a folder that is there, got {folder!r}: {error}") from error


def _unknown(name: str) -> TaskError:
    """Returns the error that says what a name most likely means, or what names there are."""
    if name and is_folder(Path(name)):
        manifest = file_in(Path(name), MANIFESTS)
        own = f"name its manifest, {manifest}" if manifest else "name a manifest in it"
        return TaskError(
            f"needed a task set, got the folder {name}: {own}, or a benchmark, "
            f"like videomme:{name}, or hide events in its videos, {NEEDLE}:{name}"
        )
    kind, colon, rest = name.partition(":")
    near = f"{SYNTHETIC}:{kind}" if kind in EVERY_FAMILY else nearest(kind, KINDS)
    if near:
        return TaskError(f"needed a task set, got {name!r}: did you mean {near + colon + rest!r}?")
    return TaskError(
        f"tasks needs `synthetic`, `synthetic:` and families ({', '.join(EVERY_FAMILY)}), a "
        f"benchmark ({', '.join(BENCHMARKS)}) with `:` and its folder, `{NEEDLE}:` and a folder of "
        f"videos, or the path of a manifest that ends in .jsonl or .json, got {name!r}"
    )
