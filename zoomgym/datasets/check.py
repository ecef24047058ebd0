"""Finds what is wrong with a manifest: rows, videos, and evidence outside a video.

Of each video, 16 frames from the first to the last are decoded; damage between them is not seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoomgym.datasets.manifest import read_rows
from zoomgym.errors import VideoError
from zoomgym.timeline import overview_times
from zoomgym.video import VideoFile

__all__ = ["CheckedRow", "check_manifest"]

SMALL = (16, 16)
NUM_SAMPLES = 16


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """One row of a manifest and all that is wrong with it."""

    where: str
    """`file:line`."""
    problems: tuple[str, ...]


def check_manifest(path: Path) -> Iterator[CheckedRow]:
    """Yields every row of a manifest with its problems; each video is looked at once.

    Raises:
        TaskError: the file cannot be read.
    """
    videos: dict[str, float | str] = {}
    for row in read_rows(path):
        problems = list(row.problems)
        if row.video and row.video not in videos:
            videos[row.video] = _duration_or_problem(path.parent / row.video)
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


def _duration_or_problem(path: Path) -> float | str:
    """Returns a video's length in seconds, or why it cannot be shown."""
    try:
        with VideoFile(path, on_damage="raise") as video:
            video.frames_at(overview_times(video.last_frame_s, NUM_SAMPLES), SMALL)
            return video.duration_s
    except VideoError as error:
        return str(error)
