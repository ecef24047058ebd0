"""Checks files of tasks: their rows, their videos, and that evidence lies within its video.

Decodes 16 frames of each video, the first and the last among them; misses damage in between.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

from zoomgym.errors import VideoError
from zoomgym.io import plain
from zoomgym.rules import overview_times
from zoomgym.tasks.datasets.benchmark import Layout, locate_video, read_tasks
from zoomgym.tasks.datasets.manifest import read_rows
from zoomgym.tasks.datasets.rows import TaskRow, has_files
from zoomgym.video import Limits, VideoFile

SMALL = (16, 16)
NUM_SAMPLES = 16


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """A row of a file, named by its place, and all that is wrong with it."""

    where: str
    problems: tuple[str, ...]


def check_manifest(path: Path, limits: Limits = Limits()) -> Iterator[CheckedRow]:
    """Yields every row of a manifest with its problems. Raises TaskError if it cannot be read."""
    return _check(read_rows(path), lambda video: path.parent / video, limits)


def check_benchmark(
    layout: Layout, folder: Path, limits: Limits = Limits()
) -> Iterator[CheckedRow]:
    """Yields every row of the splits whose files are there, with its problems.

    Raises TaskError if a file cannot be read, or there is none.
    """
    splits = list(layout.files)
    if len(splits) > 1:
        splits = [split for split in splits if has_files(folder, layout.files[split])] or splits
    rows = chain.from_iterable(read_tasks(layout, folder, split) for split in splits)
    return _check(rows, partial(locate_video, layout, folder), limits)


def check_videos(
    paths: Iterable[Path], locate: Callable[[Path], Path], limits: Limits
) -> Iterator[CheckedRow]:
    """Yields every video with its problems. `locate` finds the file, or raises VideoError."""
    for path in paths:
        found = _duration_or_problem(partial(locate, path), limits)
        yield CheckedRow(plain(str(path)), (found,) if isinstance(found, str) else ())


def _check(
    rows: Iterable[TaskRow], locate: Callable[[str], Path], limits: Limits
) -> Iterator[CheckedRow]:
    """Yields every row with its problems. `locate` finds a video, or raises VideoError."""
    videos: dict[str, float | str] = {}
    for row in rows:
        problems = list(row.problems)
        if row.video and row.video not in videos:
            videos[row.video] = _duration_or_problem(partial(locate, row.video), limits)
        found = videos.get(row.video)
        if isinstance(found, str):
            problems.append(found)
        elif found is not None:
            problems += [
                f"evidence needs to end within the video's {found:.3f} s, got {list(segment)}"
                for segment in row.evidence
                if segment.end_s > found
            ]
        yield CheckedRow(row.where, tuple(problems))


def _duration_or_problem(locate: Callable[[], Path], limits: Limits) -> float | str:
    """Returns a video's length in seconds, or why it cannot be shown."""
    try:
        with VideoFile(locate(), on_damage="raise", limits=limits) as video:
            video.frames_at(overview_times(video.last_frame_s, NUM_SAMPLES), SMALL)
            return video.duration_s
    except VideoError as error:
        return str(error)
