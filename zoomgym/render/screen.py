"""Shows an episode to a person: as plain text, and pictures in a window."""

import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoomgym.grading import letter
from zoomgym.io import on_one_line
from zoomgym.render.picture import verdict
from zoomgym.render.style import clock
from zoomgym.rules import Episode, Segment, score

if TYPE_CHECKING:
    import tkinter


logger = logging.getLogger(__name__)

LINE_COLUMNS = 60
"""Columns of the time line, so that its text fits into 80."""
MOST_TEXT_CHARS = 400
"""Most characters of a question, option or feedback."""
MOST_REPLY_CHARS = 200


def describe(episode: Episode, reward_weights: Mapping[str, float]) -> str:
    """Returns the episode as plain text, safe for a terminal whatever the agent replied."""
    task, rules = episode.task, episode.rules
    lines = [f"Task: {_plain(task.id)}", f"Question: {_plain(task.question)}"]
    lines += [f"  {letter(index)}. {_plain(option)}" for index, option in enumerate(task.options)]
    lines += _time_lines(episode)
    for index, turn in enumerate(episode.turns):
        lines.append(
            f"Turn {index + 1} of {rules.max_turns}: {on_one_line(turn.reply, MOST_REPLY_CHARS)}"
        )
        if turn.feedback:
            lines.append(f"  {_plain(turn.feedback)}")
    lines.append(f"Frames left: {episode.budget.left} of {rules.frame_budget}.")
    lines.append(f"Turns left: {episode.turns_left} of {rules.max_turns}.")
    if episode.is_over:
        lines += _ending(episode, reward_weights)
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Returns a text of a task or an episode, safe for a terminal."""
    return on_one_line(text, MOST_TEXT_CHARS)


def _time_lines(episode: Episode) -> list[str]:
    """Returns the video as a line of `.`, with the clips as digits; after the end, the evidence."""
    cells = ["."] * LINE_COLUMNS
    for index, call in enumerate(episode.shown):
        for segment in call.segments:
            for column in _columns(segment, episode.duration_s):
                cells[column] = str((index + 1) % 10)
    lines = [f"|{''.join(cells)}| {clock(episode.duration_s)}"]
    if episode.is_over and episode.task.evidence:
        cells = [" "] * LINE_COLUMNS
        for segment in episode.task.evidence:
            for column in _columns(segment, episode.duration_s):
                cells[column] = "^"
        lines.append(f"|{''.join(cells)}| evidence")
    return lines


def _columns(segment: Segment, duration_s: float) -> range:
    """Returns the columns of the time line in which a segment lies, at least one."""
    start, end = (
        min(1.0, time_s / duration_s if duration_s else 0.0) * LINE_COLUMNS for time_s in segment
    )
    first = min(int(start), LINE_COLUMNS - 1)
    return range(first, max(first + 1, int(-(-end // 1))))


def _ending(episode: Episode, reward_weights: Mapping[str, float]) -> list[str]:
    given = "none" if episode.answer is None else on_one_line(episode.answer, MOST_REPLY_CHARS)
    parts = score(episode, reward_weights)
    terms = [
        f"{name} {value:g} x {reward_weights[name]:g}" for name, value in parts.by_name().items()
    ]
    return [
        f"Outcome: {verdict(episode)}. Given: {given}. True: {_plain(episode.task.truth)}.",
        f"Reward: {' + '.join(terms)} = {parts.total(reward_weights):g}",
    ]


class Screen:
    """Shows pictures in a window, or, where there is none, saves them to a temporary folder."""

    def __init__(self) -> None:
        self._window: tkinter.Tk | None = None
        self._label: tkinter.Label | None = None
        self._photo: tkinter.PhotoImage | None = None
        self._is_dismissed = False
        self._folder: Path | None = None
        self._num_saved = 0

    def show(self, image: NDArray[np.uint8]) -> None:
        """Shows image, (H, W, 3) uint8 RGB, without waiting, unless the user closed the window."""
        if self._folder is None and self._window is None and not self._is_dismissed:
            self._open()
        if self._folder is not None:
            self._num_saved += 1
            Image.fromarray(image).save(self._folder / f"{self._num_saved:05d}.png")
        elif self._window is not None:
            self._update(image)

    def close(self) -> None:
        """Closes the window, if there is one. Saved pictures stay."""
        if self._window is not None:
            self._window.destroy()
            self._window = self._label = self._photo = None

    def _open(self) -> None:
        """Opens the window, or, without tkinter or a display, makes the folder and says so."""
        try:
            import tkinter
        except ImportError as error:
            self._make_folder(error)
            return
        try:
            self._window = tkinter.Tk()
        except tkinter.TclError as error:
            self._make_folder(error)
            return
        self._window.title("zoomgym")
        self._window.protocol("WM_DELETE_WINDOW", self._dismiss)
        self._label = tkinter.Label(self._window, borderwidth=0)
        self._label.pack()

    def _make_folder(self, reason: Exception) -> None:
        """Makes the folder for pictures and says where it is."""
        self._folder = Path(tempfile.mkdtemp(prefix="zoomgym-"))
        logger.warning("no window can be opened (%s): pictures go to %s", reason, self._folder)

    def _dismiss(self) -> None:
        """Remembers that the user closed the window, and closes it."""
        self._is_dismissed = True
        self.close()

    def _update(self, image: NDArray[np.uint8]) -> None:
        """Puts image, shrunk to the screen, into the window, and lets the window react."""
        import tkinter

        assert self._window is not None
        assert self._label is not None
        picture = Image.fromarray(image)
        picture.thumbnail((self._window.winfo_screenwidth(), self._window.winfo_screenheight()))
        header = f"P6 {picture.width} {picture.height} 255\n".encode()
        photo = tkinter.PhotoImage(
            master=self._window, data=header + picture.tobytes(), format="PPM"
        )
        self._label.configure(image=photo)
        self._photo = photo  # Tk itself keeps no reference
        self._window.update()
