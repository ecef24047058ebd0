"""The video of an episode, and what was shown of it: for agents, and small, for observations."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import numpy as np
from numpy.typing import NDArray

from zoomgym.agent import Frames, look
from zoomgym.envs.finders import Answers, Finder, search
from zoomgym.envs.pickers import Picker, pick_overview
from zoomgym.errors import OverviewError, TaskError, VideoError
from zoomgym.rules import (
    TOOLS,
    TRANSCRIPT,
    Box,
    Cue,
    Episode,
    FindCall,
    Found,
    Overview,
    Rules,
    TranscriptCall,
    VideoQuestion,
    start,
    told,
)
from zoomgym.tasks import DrawnVideo, TaskSet, frames_together
from zoomgym.video import Video, cost_s, fitted_size, letterbox, native_size

MAX_DURATION_S = 864_000.0
"""Ten days: bounds of spaces must be finite."""


class Viewing:
    """The video of an episode, and the frames that were shown of it, in two sizes.

    Args:
        video: is closed by `close`, unless this is a fork.
        max_pixels: bound of a frame for agents.
        small: (H, W) of the frames for Dict observations; (0, 0): none.
        draws_small: a drawn scene draws small frames, and those for agents only if they are asked
            for. Otherwise small frames are shrunk from those for agents.
        draws_later: a scene is drawn when its frames are asked for, so that `small_frames` can draw
            several together.
    """

    def __init__(
        self,
        video: Video,
        max_pixels: int,
        small: tuple[int, int],
        *,
        draws_small: bool,
        draws_later: bool = False,
    ) -> None:
        self.decode_s = 0.0
        """Seconds that opening the video and getting frames took so far: see `cost_s`."""
        self.video = video
        self._max_pixels = max_pixels
        self._size = small
        is_drawn = isinstance(video, DrawnVideo)
        self._draws_small = draws_small and is_drawn and small != (0, 0)
        self._draws_later = draws_later and is_drawn  # for what is drawn cannot fail
        self.task: VideoQuestion | None = None
        """What is asked about the video."""
        self.cues: tuple[Cue, ...] = ()
        """What is said in the video, for the tool `transcript`."""
        self.finder: Finder | None = None
        """What searches in the video, for the tool `find`."""
        self.answers: Answers = {}
        """What searches are told instead."""
        self._is_fork = False
        self._scan_damaged = 0
        self._times_s: list[tuple[float, ...]] = []
        self._boxes: list[Box | None] = []
        """Of all that was shown: its times, and which part of the picture."""
        self._frames: list[Frames] = []
        self._small: list[NDArray[np.uint8]] = []

    @property
    def num_damaged(self) -> int:
        """Frames shown so far that did not decode."""
        return self.video.num_damaged - self._scan_damaged

    def lengths_s(self, task: VideoQuestion) -> tuple[float, float]:
        """Returns the length of the video and the time of its last frame. Raises VideoError."""
        with self._counted():
            if self.video.duration_s > MAX_DURATION_S:
                raise VideoError(
                    f"{task.video}: needed at most {MAX_DURATION_S:g} s of video, "
                    f"got {self.video.duration_s:g} s: cut it"
                )
            return self.video.duration_s, self.video.last_frame_s

    def start(
        self,
        task: VideoQuestion,
        rules: Rules,
        picker: Picker,
        draw: int,
        overview: Overview | None = None,
    ) -> Episode:
        """Returns a new episode, without its key, and shows its overview.

        Args:
            task: whose video this is.
            rules: of the episode.
            picker: of its overview; asked if the rules do not fix it.
            draw: a random number of the episode.
            overview: what to show instead, if given.

        Raises:
            VideoError: the video cannot be shown.
            OverviewError: the overview is not one of this video by these rules.
        """
        lengths_s = self.lengths_s(task)
        if overview is None and not rules.is_overview_fixed:
            before = self.video.num_damaged
            with self._counted():
                overview = pick_overview(picker, rules, self.video, task, draw)
            self._scan_damaged = self.video.num_damaged - before
        self.task = task
        try:
            episode = start(task, *lengths_s, rules, "", overview)
        except ValueError as error:
            raise OverviewError(f"{rules.overview} on {task.video}: {error}") from error
        self.show(episode.overview_s)
        return episode

    def show(self, times_s: tuple[float, ...], box: Box | None = None) -> None:
        """Shows the frames at times_s, or a part of them. Raises VideoError: then nothing is shown.

        A part is never drawn later: what comes before it is drawn first, and then its frame.
        """
        if box is not None:
            self._see()
        self._times_s.append(times_s)
        self._boxes.append(box)
        if self._draws_later and box is None:
            return
        try:
            if box is not None and self._draws_small:
                with self._counted():
                    part = look(self.video, times_s, self._max_pixels, box)
                self._small.append(letterbox(part.images, self._size))
            self._see()
        except BaseException:
            self._times_s.pop()
            self._boxes.pop()
            raise

    def _see(self) -> None:
        """Gets the frames of all that was shown, in the size that is drawn first."""
        self.small() if self._draws_small else self.frames()

    def tell(self, call: TranscriptCall) -> str:
        """Returns what is said where a call asks for it."""
        return told(self.cues, call)

    def find(self, call: FindCall) -> Found:
        """Returns what a search finds. Raises VideoError, FinderError."""
        if call in self.answers:
            return self.answers[call]
        assert self.finder, "Rules refuse the tool find without one"
        before = self.video.num_damaged
        with self._counted():
            found = search(self.finder, self.video, call)
        self._scan_damaged += self.video.num_damaged - before
        return found

    def frames(self) -> list[Frames]:
        """Returns the overview and the clips so far, as agents see them."""
        for index in range(len(self._frames), len(self._times_s)):
            times_s, box = self._times_s[index], self._boxes[index]
            with self._counted():
                self._frames.append(look(self.video, times_s, self._max_pixels, box))
        return self._frames

    def small(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Returns the overview and all clip frames in small: (N, H, W, 3) uint8 each."""
        return small_frames([self])[0]

    def fork(self) -> Self:
        """Returns another viewing of the same video, which shares what was shown so far."""
        self.frames()  # so that they are drawn for both
        twin = type(self)(self.video, self._max_pixels, self._size, draws_small=self._draws_small)
        twin.decode_s, twin._is_fork = self.decode_s, True
        twin._scan_damaged, twin.cues = self._scan_damaged, self.cues
        twin.finder, twin.answers = self.finder, self.answers
        twin._times_s, twin._boxes = list(self._times_s), list(self._boxes)
        twin._frames, twin._small = list(self._frames), list(self._small)
        return twin

    def close(self) -> None:
        """Closes the video, unless this is a fork."""
        if not self._is_fork:
            self.video.close()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Counts the time that is spent inside."""
        started_s = cost_s()
        try:
            yield
        finally:
            self.decode_s += cost_s() - started_s

    def _undrawn(self) -> tuple[tuple[int, int], list[tuple[float, ...]]]:
        """Returns what of a scene is still to be drawn: a size (H, W), and the times."""
        if self._draws_small:
            return fitted_size(self.video.size, self._size), self._times_s[len(self._small) :]
        return native_size(self.video.size, self._max_pixels), self._times_s[len(self._frames) :]

    def _take(self, times_s: tuple[float, ...], images: NDArray[np.uint8], took_s: float) -> None:
        """Takes the frames at times_s, which took so long to draw, in the order of `_undrawn`."""
        self.decode_s += took_s
        if self._draws_small:
            self._small.append(letterbox(images, self._size))
            return
        images.flags.writeable = False
        self._frames.append(Frames(times_s, images))


def check_tools(tasks: TaskSet, rules: Rules) -> None:
    """Raises TaskError unless rules offer all tools that tasks need."""
    needed: tuple[str, ...] = getattr(tasks, "tools", ())
    if missing := [tool for tool in needed if tool not in rules.tools]:
        wanted = [tool for tool in TOOLS if tool in (*rules.tools, *needed)]
        raise TaskError(
            f"{tasks.name} needs the {'tools' if len(missing) > 1 else 'tool'} "
            f"{' and '.join(missing)}, got tools {list(rules.tools)}: "
            f"give tools={wanted}"
        )


def cues_of(tasks: TaskSet, task: VideoQuestion, rules: Rules) -> tuple[Cue, ...]:
    """Returns what is said in the video of a task, if a tool tells it. Raises TaskError."""
    if TRANSCRIPT not in rules.tools:
        return ()
    if not hasattr(tasks, "cues"):
        raise TaskError(f"{tasks.name} has no subtitles: leave the tool {TRANSCRIPT} out")
    cues: tuple[Cue, ...] = tasks.cues(task)
    return cues


def small_frames(
    viewings: Sequence[Viewing],
) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    """Returns what `small` returns of each viewing: all scenes are drawn, and shrunk, at once.

    Small frames cost less together, as a call of NumPy takes as long as several of them.

    Raises:
        VideoError: a video cannot be read.
    """
    _draw(viewings)
    large = defaultdict(list)
    for viewing in viewings:
        if not viewing._draws_small:
            for frames in viewing.frames()[len(viewing._small) :]:
                large[frames.images.shape[1:3], viewing._size].append((viewing, frames.images))
    for (_, size), some in large.items():
        images = [images for _, images in some]
        for (viewing, _), small in zip(some, _letterbox_all(images, size), strict=True):
            viewing._small.append(small)
    return [
        (viewing._small[0], np.concatenate([viewing._small[0][:0], *viewing._small[1:]]))
        for viewing in viewings
    ]


def _draw(viewings: Sequence[Viewing]) -> None:
    """Draws what scenes have yet to show, those of one size together."""
    wanted = defaultdict(list)
    for viewing in viewings:
        if isinstance(viewing.video, DrawnVideo):
            size, undrawn = viewing._undrawn()
            for times_s in undrawn:
                wanted[size].append((viewing, viewing.video, times_s))
    for size, some in wanted.items():
        started_s = cost_s()
        drawn = frames_together([(video, times_s) for _, video, times_s in some], size)
        frame_s = (cost_s() - started_s) / max(1, sum(map(len, drawn)))
        for (viewing, _, times_s), images in zip(some, drawn, strict=True):
            viewing._take(times_s, images, len(images) * frame_s)


def _letterbox_all(
    clips: Sequence[NDArray[np.uint8]], size: tuple[int, int]
) -> Sequence[NDArray[np.uint8]]:
    """Returns clips (N, h, w, 3) of one size fitted into size (H, W)."""
    if clips[0].shape[1:3] == size:
        return clips
    if len(clips) == 1:
        return [letterbox(clips[0], size)]
    boxed = letterbox(np.concatenate(clips), size)
    return np.split(boxed, np.cumsum([len(images) for images in clips[:-1]]))
