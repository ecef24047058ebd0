"""Frames that an agent was shown, decoded anew and made small enough to stand within a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoomgym.agent.observation import look
from zoomgym.errors import RecordError
from zoomgym.records import Record, replay
from zoomgym.records.origins import task_set_of
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks import TaskSet
from zoomgym.tasks.synthetic import SyntheticTasks
from zoomgym.video import Video

__all__ = ["Album", "Still", "spread", "stills"]

OVERVIEW_PIXELS, CLIP_PIXELS = 96 * 96, 192 * 192
MOST_FRAMES = 128
"""Of a longer strip, so many are shown, evenly spread."""
QUALITY = 75


@dataclass(frozen=True, slots=True)
class Still:
    """A frame as a small picture."""

    time_s: float
    webp: bytes


class Album:
    """The pictures of a page: each is kept once, and they are no more than fits."""

    def __init__(self, max_bytes: int) -> None:
        self._places: dict[bytes, int] = {}
        self._bytes_left = max_bytes

    def add(self, strips: Sequence[Sequence[Still]]) -> list[list[tuple[float, int]]] | None:
        """Returns strips with places in the album for pictures; None if there is no room."""
        new = {still.webp for strip in strips for still in strip} - self._places.keys()
        cost = sum(map(len, new))
        if cost > self._bytes_left:
            return None
        self._bytes_left -= cost
        return [
            [(still.time_s, self._places.setdefault(still.webp, len(self._places))) for still in s]
            for s in strips
        ]

    def to_base64(self) -> list[str]:
        """Returns the pictures, WebP in base64, in the order of their places."""
        return [base64.b64encode(webp).decode("ascii") for webp in self._places]


def stills(
    record: Record, cache_dir: Path | None, *, with_overview: bool, tasks: TaskSet | None = None
) -> list[tuple[Still, ...]]:
    """Returns the overview of an episode, if it is wanted, and the clip of every zoom.

    Args:
        record: of the episode.
        cache_dir: where synthetic videos may be written already; None is the user's cache folder.
        with_overview: whether the overview comes first.
        tasks: the set that the user has named, whose videos are shown.

    Raises:
        TaskError: the task is neither synthetic nor of the named set, or another one there.
        VideoError: the video cannot be opened or decoded.
        RecordError: the rules have changed since, or the video.
    """
    episode = replay(record)
    tasks = task_set_of(record, tasks, cache_dir=cache_dir)
    wanted = [(episode.overview_s, OVERVIEW_PIXELS)] if with_overview else []
    wanted += [(zoom.times_s, CLIP_PIXELS) for zoom in episode.zooms]
    if not wanted:
        return []
    video = _open(tasks, record.task)
    try:
        if (video.duration_s, video.last_frame_s) != (record.duration_s, record.last_frame_s):
            raise RecordError(
                f"{record.key}: needed a video as long as the record says, got another"
            )
        shown = [
            look(video, spread(times_s), min(max_pixels, record.settings["max_pixels"]))
            for times_s, max_pixels in wanted
        ]
    finally:
        video.close()
    return [tuple(map(_still, frames.times_s, frames.images)) for frames in shown]


def _open(tasks: TaskSet, task: VideoQuestion) -> Video:
    """Returns the video of a task. A synthetic one that is not written yet is drawn."""
    if isinstance(tasks, SyntheticTasks) and not tasks.is_written(task):
        tasks = replace(tasks, source="scene")
    return tasks.open_video(task)


def spread(times_s: Sequence[float]) -> Sequence[float]:
    """Returns at most MOST_FRAMES of times_s, evenly spread."""
    return times_s[:: -(-len(times_s) // MOST_FRAMES)]


def _still(time_s: float, image: NDArray[np.uint8]) -> Still:
    """Returns a frame, (H, W, 3) uint8 RGB, as WebP."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "webp", quality=QUALITY)
    return Still(time_s, buffer.getvalue())
