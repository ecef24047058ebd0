"""Picks the frames of an overview: the pickers by their names, and how one is asked.

What a picker looks at is counted, not charged: an episode pays for the frames it shows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from zoomgym.errors import OverviewError, ZoomGymError
from zoomgym.io import brief, did_you_mean, import_named
from zoomgym.rules import (
    UNIFORM,
    Overview,
    Rules,
    VideoQuestion,
    overview_times,
    random_times,
    scan_times,
    times_by_change,
    times_by_score,
)
from zoomgym.video import Video, native_size

CHANGE_PIXELS = 32 * 32
"""Size of the pictures that `change` compares."""
SCORED_PIXELS = 224 * 224
"""Size of the pictures that a scorer gets: what most models of pictures and text take."""
FORMS = "query:module:function, learned:PATH or module:function"
LEARNED = "agents.selector:load_picker"
"""Makes the picker `learned:PATH`. It needs torch, so it is imported on demand."""


class Picker(Protocol):
    """Picks the times of an overview."""

    def __call__(
        self,
        video: "ScannedVideo",
        question: str,
        num_frames: int,
        np_random: np.random.Generator,
        /,
    ) -> Sequence[float]:
        """Returns num_frames times, in seconds from the first frame, in ascending order.

        Args:
            video: of the task. All that is looked at is counted.
            question: of the task, without its options.
            num_frames: how many frames will be shown, one or more.
            np_random: the episode's own random numbers.

        Raises:
            VideoError: frames do not decode.
        """


class NamedPicker(Picker, Protocol):
    """A picker that is given to an environment itself, and not by a name to import it by."""

    name: str
    """Name in records: with the same name, episodes count as played alike."""


Scorer: TypeAlias = Callable[[NDArray[np.uint8], str], Sequence[float]]
"""Scores frames (N, H, W, 3) uint8 RGB, read-only, for a question: returns N finite numbers."""


class ScannedVideo:
    """A video that counts the frames that are looked at."""

    def __init__(self, video: Video) -> None:
        self._video = video
        self.frames_scanned = 0
        """Frames that were looked at so far."""

    @property
    def duration_s(self) -> float:
        """End of the last frame."""
        return self._video.duration_s

    @property
    def last_frame_s(self) -> float:
        """Time at which the last frame appears."""
        return self._video.last_frame_s

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the picture."""
        return self._video.size

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns the frames on screen at times_s, each scaled to size (H, W), as `Video` does.

        They are (N, H, W, 3) uint8 RGB, and read-only. Raises VideoError.
        """
        images = self._video.frames_at(times_s, size)
        self.frames_scanned += len(images)
        images.flags.writeable = False
        return images


def pick_overview(
    picker: Picker, rules: Rules, video: Video, task: VideoQuestion, draw: int
) -> Overview:
    """Returns the overview of an episode: how many frames, if that is drawn, and which.

    Its random numbers come from `draw`, a random draw of the environment, and the task: tasks that
    are played with the same seed get different ones. An empty overview is not asked for.

    Raises:
        OverviewError: what the picker returns is no list of numbers.
        VideoError: frames do not decode.
    """
    task_id = task.id.encode("utf-8", "surrogatepass")
    np_random, sizes = np.random.default_rng([draw, *task_id]), rules.overview_sizes
    num_frames = sizes[0] if len(sizes) == 1 else sizes[np_random.integers(len(sizes))]
    if num_frames == 0:
        return Overview(())
    scanned = ScannedVideo(video)
    try:
        found = picker(scanned, task.question, num_frames, np_random)
    except Exception as error:
        error.add_note(f"raised while {rules.overview} picked an overview of {task.video}")
        raise
    times_s = numbers_of(found, rules.overview, f"{num_frames} times in seconds").tolist()
    if len(times_s) != num_frames:
        raise OverviewError(
            f"{rules.overview} needs to return {num_frames} times in seconds, got {len(times_s)}: "
            "return as many as it is asked for"
        )
    return Overview(tuple(times_s), scanned.frames_scanned)


def find_picker(overview: str | NamedPicker) -> tuple[str, Picker]:
    """Returns the name of a picker and the picker. Raises ValueError if there is none."""
    if not isinstance(overview, str):
        name = getattr(overview, "name", None)
        if not isinstance(name, str) or not callable(overview):
            raise ValueError(
                f"overview needs one of {', '.join(PICKERS)}, {FORMS}, or a picker with a name, "
                f"got {brief(overview)}"
            )
        return name, overview
    kind, colon, rest = overview.partition(":")
    if not colon and overview in PICKERS:
        return overview, PICKERS[overview]
    if not colon:
        meant = did_you_mean(overview, PICKERS)
        raise ValueError(
            f"overview needs one of {', '.join(PICKERS)}, {FORMS}, got {brief(overview)}{meant}"
        )
    if kind == "query":
        if ":" not in rest:
            raise ValueError(
                "overview needs query:module:function, like query:my_module:score, got "
                f"{brief(overview)}"
            )
        return overview, Query(overview, named_function("overview", overview, rest, "score"))
    if kind == "learned":
        if not rest:
            raise ValueError(f"overview needs learned:PATH, got {brief(overview)}: name a folder")
        return overview, _learned(overview, rest)
    return overview, named_function("overview", overview, overview, "pick")


def named_function(kind: str, name: str, target: str, example: str) -> Callable[..., Any]:
    """Returns the function that target names, see `import_named`. Raises ValueError."""
    found: Callable[..., Any] = import_named(kind, name, target, example)
    if not callable(found):
        raise ValueError(f"{kind} {name!r}: needed a function, got {brief(found)}")
    return found


def _learned(name: str, path: str) -> Picker:
    """Returns the picker that was trained at path. Raises ValueError if it cannot be loaded."""
    try:
        load = named_function("overview", name, LEARNED, "load_picker")
    except ValueError as error:
        raise ValueError(
            f"{error}. Learned overviews are part of the checkout, not of the package: start in it"
        ) from error
    picker: Picker = load(path)
    return picker


def numbers_of(
    found: object, name: str, what: str, kind: type[ZoomGymError] = OverviewError
) -> NDArray[np.float64]:
    """Returns what a function of the user returned, (N,), as numbers. Raises an error of a kind."""
    try:
        array = np.asarray(found)
    except (TypeError, ValueError, RuntimeError) as error:
        raise kind(f"{name} needs to return {what}, got no numbers: {error}") from error
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        got = f"{array.dtype} of shape {array.shape}" if array.ndim else brief(found)
        raise kind(f"{name} needs to return {what}, got {got}: return a list of numbers")
    return array.astype(np.float64)


# The pickers -------------------------------------------------------------------------------------


def uniform(
    video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
) -> Sequence[float]:
    """Spreads the frames evenly from the first to the last."""
    return overview_times(video.last_frame_s, num_frames)


def random(
    video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
) -> Sequence[float]:
    """Draws the times, so far apart that frames differ if there are enough: see `random_times`."""
    return random_times(video.duration_s, video.last_frame_s, num_frames, np_random)


def change(
    video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
) -> Sequence[float]:
    """Shows more frames where neighboring pictures of a scan differ, see `times_by_change`."""
    scanned_s = scan_times(video.last_frame_s, num_frames)
    if num_frames == 1 or not scanned_s:
        return overview_times(video.last_frame_s, num_frames)
    small = video.frames_at(scanned_s, native_size(video.size, CHANGE_PIXELS)).astype(np.int16)
    levels = np.abs(np.diff(small, axis=0)).sum(axis=(1, 2, 3), dtype=np.int64)
    return times_by_change(scanned_s, levels.astype(np.float64), num_frames)


@dataclass(frozen=True, slots=True)
class Query:
    """Shows the frames of a scan that a scorer of the user finds best for the question.

    They are spread, see `times_by_score`.
    """

    name: str
    score: Scorer

    def __call__(
        self, video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
    ) -> Sequence[float]:
        """Picks the times. Raises OverviewError if the scores are none."""
        scanned_s = scan_times(video.last_frame_s, num_frames)
        if not scanned_s:
            return overview_times(video.last_frame_s, num_frames)
        images = video.frames_at(scanned_s, native_size(video.size, SCORED_PIXELS))
        what = f"{len(images)} finite scores, one for each frame"
        scores = numbers_of(self.score(images, question), self.name, what)
        if len(scores) != len(images) or not np.isfinite(scores).all():
            bad = scores[~np.isfinite(scores)]
            got = f"{bad[0]} among them" if len(bad) else f"{len(scores)}"
            raise OverviewError(f"{self.name} needs to return {what}, got {got}")
        return times_by_score(scanned_s, scores, num_frames)


@dataclass(frozen=True, slots=True)
class Known:
    """The picker of a record, whose times are known: it picks nothing, and imports nothing."""

    name: str

    def __call__(
        self, video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
    ) -> Sequence[float]:
        """Refuses. Raises OverviewError."""
        raise OverviewError(
            f"{self.name} is the picker of a record, and its code is not run: needed the times "
            "that it picked, got none"
        )


PICKERS: dict[str, Picker] = {UNIFORM: uniform, "random": random, "change": change}
"""Pickers that have a name of their own."""
