"""Reads a public benchmark from a folder, as its hub lays it out.

Each benchmark has a small file of its own with its `Layout`: names of files, meaning of rows.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from zoomgym.errors import TaskError, VideoError
from zoomgym.rules import Cue, VideoQuestion
from zoomgym.tasks.datasets.listed import ListedTasks
from zoomgym.tasks.datasets.rows import Row, TaskRow, contained, is_file, leads_out, read_files
from zoomgym.tasks.datasets.subtitles import SubtitleFile, read_cues, with_subtitles
from zoomgym.video import Limits, Video

VERSION = "0"
"""Changes when the same files are read as other tasks."""
SUFFIXES = (".mp4", ".MP4", ".mkv", ".webm", ".avi", ".mov")
"""Endings that the same video may have, depending on who fetched it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Layout:
    """Places of a benchmark's files in its folder, and the meaning of their rows."""

    name: str
    """Name in the catalog."""
    files: Mapping[str, tuple[str, ...]]
    """Patterns of the files of each split; the first pattern that matches any counts."""
    to_task: Callable[[Row], VideoQuestion]
    """Reads a row; the task's video is a name or path in one of video_folders. Raises TaskError."""
    video_folders: tuple[str, ...]
    """Patterns of folders to look into, in order; "." is the folder itself."""
    read: Callable[[Path, Sequence[str], Sequence[str]], Iterator[Row]] = read_files
    """Yields the rows of the files that patterns match, with columns."""
    to_subtitles: Callable[[Row], SubtitleFile] | None = None
    """Says where a row's subtitles are; None if the benchmark has none."""
    columns: str = ""
    """Columns to read from parquet files, separated by `, `."""


class BenchmarkTasks(ListedTasks):
    """The tasks of a benchmark in a folder. No video is opened before it is needed.

    Raises TaskError if a file is missing, a row is wrong, or there is no such split or subtitles.
    """

    version = VERSION

    def __init__(
        self,
        layout: Layout,
        folder: Path,
        split: str,
        *,
        subtitles: bool = False,
        transcripts: bool = False,
        on_damage: str = "nearest",
        limits: Limits = Limits(),
    ) -> None:
        self._layout, self._folder = layout, folder
        self._subtitles: list[SubtitleFile] = []
        self._asks_with_them = subtitles
        self._silent: set[str] = set()
        is_needed = subtitles or transcripts
        if is_needed and layout.to_subtitles is None:
            remedy = "subtitles" if subtitles else "the tool transcript"
            raise TaskError(f"{layout.name} has no subtitles: leave {remedy} out")

        def rows() -> Iterator[TaskRow]:
            for row, read in _read(layout, folder, split):
                if is_needed and layout.to_subtitles and read.task:
                    self._subtitles.append(_subtitles(layout.to_subtitles, row))
                yield read

        super().__init__(
            rows(), name=layout.name, place=layout.name, on_damage=on_damage, limits=limits
        )
        if not self._tasks:
            raise TaskError(f"{folder}: needed at least one task of {layout.name}, got none")
        self._check_subtitles()

    def __getitem__(self, index: int) -> VideoQuestion:
        """Returns the task at index, with its subtitles. Raises IndexError past the end."""
        task = super().__getitem__(index)
        if not self._asks_with_them:
            return task
        return replace(task, question=with_subtitles(task.question, self.cues(task)))

    def cues(self, task: VideoQuestion) -> tuple[Cue, ...]:
        """Returns what is said in the video of a task. Raises TaskError, naming the file."""
        file = self._subtitles[self._places[task.id]]
        path = self._folder / file.path
        if not file.is_needed and not is_file(path):
            return ()
        if is_file(path) and (problem := leads_out(path, self._folder)):
            raise TaskError(problem)
        cues = read_cues(path, file.offset_s, file.end_s)
        if not cues and file.path not in self._silent:
            self._silent.add(file.path)
            so_far = f"{len(self._silent)} of the files of {self.name} have none"
            logger.warning("%s: no subtitles in it, for this video; so far, %s", path, so_far)
        return cues

    def open_video(self, task: VideoQuestion) -> Video:
        """Returns the video of a task, ready to be asked. Raises VideoError, naming the row."""
        try:
            return self._open(locate_video(self._layout, self._folder, task.video))
        except VideoError as error:
            raise VideoError(f"{self._wheres[task.id]}: {error}") from error

    def _check_subtitles(self) -> None:
        """Logs how many videos have no subtitles. Raises TaskError if none has any."""
        paths = sorted({file.path for file in self._subtitles if not file.is_needed})
        missing = [path for path in paths if not is_file(self._folder / path)]
        if not missing:
            return
        example = self._folder / missing[0]
        if len(missing) == len(paths):
            raise TaskError(
                f"{self.name}: needed subtitles like {example}, got none for any of {len(paths)} "
                "videos: fetch them, or leave subtitles out"
            )
        counts = f"{len(missing)} of {len(paths)}"
        logger.warning("%s: %s videos have no subtitles, such as %s", self.name, counts, example)


def _subtitles(to_subtitles: Callable[[Row], SubtitleFile], row: Row) -> SubtitleFile:
    """Returns where the subtitles of a row are, below the folder. Raises TaskError."""
    try:
        file = to_subtitles(row)
        return replace(file, path=contained(file.path))
    except TaskError as error:
        raise TaskError(f"{row.where}: {error}") from error


def read_tasks(layout: Layout, folder: Path, split: str) -> Iterator[TaskRow]:
    """Yields every row of a benchmark, good or bad. Raises TaskError without such a split."""
    return (read for _, read in _read(layout, folder, split))


def _read(layout: Layout, folder: Path, split: str) -> Iterator[tuple[Row, TaskRow]]:
    """Yields every row of a benchmark as it is, and as it is understood."""
    if split not in layout.files:
        raise TaskError(
            f"{layout.name} has no split {split!r}: give split={' or '.join(layout.files)!r}"
        )
    seen: dict[str, int] = {}
    for row in layout.read(folder, layout.files[split], layout.columns.split(", ")):
        try:
            task = layout.to_task(row)
            task = replace(task, video=contained(task.video), id=_unseen(task.id, seen))
        except TaskError as error:
            yield row, TaskRow(row.where, problems=(str(error),))
            continue
        yield row, TaskRow(row.where, task, video=task.video, evidence=task.evidence)


def _unseen(task_id: str, seen: dict[str, int]) -> str:
    """Returns task_id, numbered if an earlier row has it: hubs repeat ids. Updates seen."""
    name = task_id
    while name in seen:
        seen[task_id] += 1
        name = f"{task_id}#{seen[task_id]}"
    seen[name] = 1
    return name


def locate_video(layout: Layout, folder: Path, video: str) -> Path:
    """Returns the file of a video. Raises VideoError without one, or if it links elsewhere."""
    for pattern in layout.video_folders:
        for place in [folder] if pattern == "." else sorted(folder.glob(pattern)):
            for name in _endings(video):
                if is_file(path := place / name):
                    if problem := leads_out(path, folder):
                        raise VideoError(problem)
                    return path
    raise VideoError(
        f"needed the video {video!r} in {folder} (in {', '.join(layout.video_folders)}), "
        "got no such file: fetch it"
    )


def _endings(video: str) -> Iterator[str]:
    """Yields the names under which a video may be kept, its own first."""
    yield video
    stem = next((video.removesuffix(s) for s in SUFFIXES if video.endswith(s)), video)
    yield from (f"{stem}{suffix}" for suffix in SUFFIXES if f"{stem}{suffix}" != video)
