"""From a name to its task set."""

from pathlib import Path

from zoomgym.datasets import ManifestTasks
from zoomgym.errors import TaskError
from zoomgym.synthetic import FAMILIES, SyntheticTasks
from zoomgym.tasks import TaskSet

__all__ = ["open_task_set"]


def open_task_set(
    name: str,
    *,
    split: str = "train",
    duration_s: float = 60,
    difficulty: str = "easy",
    source: str = "file",
    cache_dir: str | Path | None = None,
    on_damage: str = "nearest",
) -> TaskSet:
    """Returns the task set called name; nothing is decoded or written yet.

    Args:
        name: `synthetic`, `synthetic:flash`, `synthetic:flash,order`, or a manifest's path
            (`*.jsonl` or `*.json`, JSON Lines both).
        split: `train` or `test`, of synthetic tasks.
        duration_s: seconds, of synthetic videos.
        difficulty: `easy`, `medium` or `hard`, of synthetic tasks.
        source: `file` for encoded synthetic video, `scene` for the same pictures without a codec.
        cache_dir: where synthetic videos are written; the user's cache folder if None.
        on_damage: what becomes of frames of files that do not decode, see `VideoFile`.

    Raises:
        TaskError: there is no such set, or its file is wrong.
    """
    kind, _, rest = name.partition(":")
    if kind == "synthetic":
        families = tuple(map(str.strip, rest.split(","))) if rest else tuple(FAMILIES)
        folder = None if cache_dir is None else Path(cache_dir)
        return SyntheticTasks(families, split, duration_s, difficulty, source, folder)
    if name.endswith((".jsonl", ".json")):
        return ManifestTasks(Path(name), on_damage)
    raise TaskError(
        f"tasks needs `synthetic`, `synthetic:` and families ({', '.join(FAMILIES)}), or the path "
        f"of a manifest that ends in .jsonl or .json, got {name!r}"
    )
