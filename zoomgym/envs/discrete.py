"""ZoomEnvDiscrete: the environment for learners that take numbers: a menu, and one picture.

`Form` says what an episode looks like to such a learner, and what its choices mean; it is made out
of an `Observation`, so that a policy plays wherever an agent does.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from zoomgym.agent.observation import Frames, Observation
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import TaskError
from zoomgym.grading import letter, read_choice
from zoomgym.io.numbers import is_whole_number
from zoomgym.io.text import brief
from zoomgym.rules.actions import Answer, ZoomCall
from zoomgym.rules.episode import Rules
from zoomgym.rules.grammar import write_reply
from zoomgym.rules.question import MAX_OPTIONS
from zoomgym.tasks import TaskSet
from zoomgym.tasks.synthetic import FAMILIES, SyntheticTasks
from zoomgym.video import letterbox

__all__ = ["COLUMNS", "LETTERS", "Form", "ZoomEnvDiscrete"]

COLUMNS = 8
"""Of the montage."""
EMPTY = -1.0
"""The time of a cell without a frame."""
MAX_BINS, MAX_CELL_PX = 1024, 256
LETTERS = tuple(map(letter, range(MAX_OPTIONS)))
"""The answers where there is no vocabulary."""


@dataclass(frozen=True, slots=True)
class GridZoom:
    """A zoom into bins of a time grid."""

    first_bin: int
    end_bin: int
    frames_per_bin: int

    @property
    def num_bins(self) -> int:
        """How many bins it covers."""
        return self.end_bin - self.first_bin

    @property
    def num_frames(self) -> int:
        """How many frames it shows."""
        return self.frames_per_bin * self.num_bins


@dataclass(frozen=True)
class Form:
    """What an episode looks like to a learner that takes numbers.

    Raises:
        ValueError: a number leaves no zoom or no picture, or the answers are not distinct.
    """

    rules: Rules
    answers: tuple[str, ...]
    """What can be answered: options' own texts, or letters."""
    num_bins: int = 16
    """Parts of the video, equally long, that zooms begin and end with."""
    rates: tuple[int, ...] = (4, 8, 16)
    """Frames a bin."""
    cell_px: int = 12
    """Side of a frame in the montage."""

    def __post_init__(self) -> None:
        """Refuses what no learner could use."""
        _check_number("num_bins", self.num_bins, MAX_BINS)
        _check_number("cell_px", self.cell_px, MAX_CELL_PX)
        most = self.rules.frames_per_zoom
        if not all(is_whole_number(rate, 1, most) for rate in self.rates):
            raise ValueError(
                f"rates need whole numbers of frames a bin, from 1 to {most}, "
                f"got {brief(self.rates)}"
            )
        if not all(isinstance(name, str) and name.strip() for name in self.answers):
            raise ValueError(f"answers need texts, got {brief(self.answers)}")
        for name in ("rates", "answers"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} need to be one or more that differ, got {brief(values)}")

    # Choices -------------------------------------------------------------------------------------

    @cached_property
    def zooms(self) -> tuple[GridZoom, ...]:
        """Every zoom on the grid that shows no more frames than the rules allow, in order."""
        most = self.rules.frames_per_zoom
        return tuple(
            GridZoom(first, first + length, rate)
            for rate in self.rates
            for length in range(1, min(most // rate, self.num_bins) + 1)
            for first in range(self.num_bins - length + 1)
        )

    @cached_property
    def kinds(self) -> tuple[tuple[int, int], ...]:
        """Every (frames a bin, length in bins) of the zooms: each kind has all its starts."""
        return tuple(dict.fromkeys((zoom.frames_per_bin, zoom.num_bins) for zoom in self.zooms))

    @property
    def num_choices(self) -> int:
        """All zooms, and then all answers."""
        return len(self.zooms) + len(self.answers)

    def masks(self, observation: Observation) -> NDArray[np.bool_]:
        """Returns, for every choice, whether the rules would execute it: (num_choices,) bool."""
        may_zoom = observation.turns_left > 1
        affordable = self._num_frames <= (observation.frames_left if may_zoom else 0)
        return np.concatenate([affordable, self.offered(observation)])

    def offered(self, observation: Observation) -> NDArray[np.bool_]:
        """Returns which answers are options: (answers,) bool. All, if none of them is one."""
        places = _places(self.answers, observation.options)
        are_options = np.array([place is not None for place in places])
        return are_options if are_options.any() else np.ones(len(places), np.bool_)

    def reply(self, choice: int, observation: Observation) -> str:
        """Returns the reply that says a choice; an answer that is no option is said as it is.

        Raises:
            ValueError: there is no such choice.
        """
        if not 0 <= choice < self.num_choices:
            raise ValueError(f"choice needs to be 0 to {self.num_choices - 1}, got {choice}")
        grammar = observation.rules.grammar
        if choice >= len(self.zooms):
            index = choice - len(self.zooms)
            place = _places(self.answers, observation.options)[index]
            said = self.answers[index] if place is None else letter(place)
            return write_reply(Answer(said), grammar)
        zoom, bin_s = self.zooms[choice], observation.duration_s / self.num_bins
        segment_s = (zoom.first_bin * bin_s, zoom.end_bin * bin_s)
        return write_reply(ZoomCall(*segment_s, zoom.frames_per_bin / bin_s), grammar)

    @cached_property
    def _num_frames(self) -> NDArray[np.int64]:
        """How many frames each zoom shows."""
        return np.array([zoom.num_frames for zoom in self.zooms], np.int64)

    # What is seen --------------------------------------------------------------------------------

    @property
    def num_rows(self) -> tuple[int, int]:
        """Rows of the montage: of the overview, and below of the clips."""
        counts = self.rules.num_overview, self.rules.max_clip_frames
        return -(-counts[0] // COLUMNS), -(-counts[1] // COLUMNS)

    @property
    def space(self) -> spaces.Dict:
        """The space of what is seen."""
        num_rows, num_answers = sum(self.num_rows), len(self.answers)
        height, width = num_rows * self.cell_px, COLUMNS * self.cell_px
        return spaces.Dict(
            {
                "image": spaces.Box(0, 255, (height, width, 3), np.uint8),
                "times": spaces.Box(EMPTY, 1, (num_rows * COLUMNS,), np.float32),
                "offered": spaces.Box(0, 1, (num_answers,), np.float32),
                "asked": spaces.Box(0, 1, (num_answers,), np.float32),
                "left": spaces.Box(0, 1, (2,), np.float32),
            }
        )

    def see(self, observation: Observation) -> dict[str, NDArray[Any]]:
        """Returns what a learner sees of an observation, in `space`."""
        cell = (self.cell_px, self.cell_px)
        overview = letterbox(observation.overview.images, cell)
        clips = [letterbox(clip.images, cell) for clip in observation.clips]
        return self.fill(observation, overview, np.concatenate([overview[:0], *clips]))

    def fill(
        self, observation: Observation, overview: NDArray[np.uint8], clip: NDArray[np.uint8]
    ) -> dict[str, NDArray[Any]]:
        """Returns what a learner sees, of frames that are small already.

        Args:
            observation: where everything else is taken from.
            overview: (num_overview, cell_px, cell_px, 3) uint8 RGB.
            clip: (K, cell_px, cell_px, 3) uint8 RGB, all clip frames so far.
        """
        num_overview, num_clip = (COLUMNS * rows for rows in self.num_rows)
        cells = np.zeros((num_overview + num_clip, self.cell_px, self.cell_px, 3), np.uint8)
        times = np.full(len(cells), EMPTY, np.float32)
        for first, images, shown in (
            (0, overview, (observation.overview,)),
            (num_overview, clip, observation.clips),
        ):
            cells[first : first + len(images)] = images
            times[first : first + len(images)] = _times_s(shown) / observation.duration_s
        rules = self.rules
        left = (
            observation.frames_left / rules.frame_budget,
            observation.turns_left / rules.max_turns,
        )
        return {
            "image": _montage(cells),
            "times": times,
            "offered": self.offered(observation).astype(np.float32),
            "asked": np.array(_asked(self.answers, observation.question), np.float32),
            "left": np.array(left, np.float32),
        }


def _check_number(name: str, value: object, most: int) -> None:
    """Refuses what is no whole number from 1 to most."""
    if not is_whole_number(value, 1, most):
        raise ValueError(f"{name} needs a whole number from 1 to {most}, got {brief(value)}")


def _items(name: str, values: Any) -> tuple[Any, ...]:
    """Returns what a list holds. Raises ValueError if values is nothing of the kind."""
    if not isinstance(values, Iterable):
        raise ValueError(f"{name} needs a list, got {brief(values)}")
    return tuple(values)


@lru_cache(maxsize=1024)
def _places(answers: tuple[str, ...], options: tuple[str, ...]) -> tuple[int | None, ...]:
    """Returns which option each answer names, None if it names none."""
    return tuple(read_choice(name, options) for name in answers)


@lru_cache(maxsize=1024)
def _asked(answers: tuple[str, ...], question: str) -> tuple[bool, ...]:
    """Returns which answers stand in a question, as a word."""
    return tuple(
        re.search(rf"(?<!\w){re.escape(name)}(?!\w)", question) is not None for name in answers
    )


def _times_s(shown: Sequence[Frames]) -> NDArray[np.float64]:
    """Returns the times of all frames, one after the other."""
    return np.array([time_s for frames in shown for time_s in frames.times_s], np.float64)


def _montage(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns cells (N, side, side, 3) as one picture, row by row: (H, W, 3) uint8."""
    side = cells.shape[1]
    grid = cells.reshape(-1, COLUMNS, side, side, 3).swapaxes(1, 2)
    return np.ascontiguousarray(grid).reshape(-1, COLUMNS * side, 3)


class ZoomEnvDiscrete(gym.Env[dict[str, NDArray[Any]], int]):
    """`ZoomEnv` for learners that take no text: a menu of actions, and one picture.

    ## Description

    The same episodes, by the same rules, as in `ZoomEnv`: a question about a video, zooms into it,
    an answer. Actions are numbers, and all frames stand in one picture, as Stable-Baselines3 wants
    it. No text has to be read: an answer is chosen by what it says, and is sent as the letter that
    this task gave it.

    ## Observation Space

    A `Dict`. A *cell* is a frame of `cell_px` x `cell_px`, which keeps its aspect ratio. N cells
    are in eight columns, row by row: first `num_overview` of the overview, then, from a new row on,
    those of all clips so far, in the order in which they were shown. Empty cells are black.

    | key | space | meaning |
    |---|---|---|
    | `image` | Box uint8 (H, W, 3) | the cells, RGB |
    | `times` | Box float32 (N,) | their times, as shares of the video's length; -1 where empty |
    | `offered` | Box float32 (answers,) | 1 for every answer that is an option of the task |
    | `asked` | Box float32 (answers,) | 1 for every answer whose name stands in the question |
    | `left` | Box float32 (2,) | which shares of the frames and of the turns are left |

    ## Action Space

    `Discrete`: first the zooms, then the answers. The video is divided into `num_bins` equal bins;
    there is a zoom for every rate of `rates` and every stretch of bins that holds no more than
    `frames_per_zoom` frames at that rate: by rate, then by length, then by start. A rate is in
    frames a bin, which is `rate * num_bins / duration` frames per second. `action_masks()` tells
    which actions the rules would execute now: zooms for which frames and a further turn are left,
    and answers that are options. Others may be sent, and do what they would do in `ZoomEnv`: the
    zoom is refused, the answer is wrong.

    ## Rewards

    Those of `ZoomEnv`.

    ## Starting State

    That of `ZoomEnv`: a task drawn uniformly, or `reset(options={"task_id": ..})`.

    ## Episode End

    As in `ZoomEnv`, as is `info`.

    ## Arguments

    | argument | default | meaning |
    |---|---|---|
    | `tasks` | `"synthetic"` | as in `ZoomEnv` |
    | `num_bins` | 16 | bins of the time grid |
    | `rates` | (4, 8, 16) | frames a bin |
    | `answers` | None | what can be answered: texts of options. None: the vocabulary of the |
    | | | synthetic families; for other tasks the letters A to Z |
    | `cell_px` | 12 | side of a cell, in pixels |

    All other arguments are those of `ZoomEnv`, by keyword, but for `frame_size`. `max_pixels` is
    `cell_px` x `cell_px` if it is not given, as no more is shown.

    ## Version History

    * v0: first release
    """

    metadata = ZoomEnv.metadata

    def __init__(
        self,
        tasks: Any = "synthetic",
        *,
        num_bins: int = 16,
        rates: Sequence[int] = (4, 8, 16),
        answers: Sequence[str] | None = None,
        cell_px: int = 12,
        **settings: Any,
    ) -> None:
        if "frame_size" in settings:
            raise ValueError("frame_size is no argument here: give cell_px")
        _check_number("cell_px", cell_px, MAX_CELL_PX)  # before spaces of that size are made
        self.zoom_env = ZoomEnv(
            tasks,
            **{"max_pixels": cell_px**2, **settings},
            frame_size=(cell_px, cell_px),
        )
        """The environment that is played."""
        known = _vocabulary(self.zoom_env.tasks) if answers is None else _items("answers", answers)
        self.form = Form(self.zoom_env.rules, known, num_bins, _items("rates", rates), cell_px)
        self.observation_space = self.form.space  # type: ignore[assignment]
        self.action_space = spaces.Discrete(self.form.num_choices)  # type: ignore[assignment]
        self.render_mode = self.zoom_env.render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Starts an episode, as `ZoomEnv.reset` does.

        Raises:
            TaskError: none of the answers is an option of the task.
        """
        super().reset(seed=seed)
        seen, info = self.zoom_env.reset(seed=seed, options=options)
        offered = self.zoom_env.observation.options
        if offered and set(_places(self.form.answers, offered)) == {None}:
            raise TaskError(
                f"{info['task_id']}: needed an option among the answers {self.form.answers}, got "
                f"{offered}: give other answers"
            )
        return self._look(seen), info

    def step(
        self, action: int
    ) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Plays one turn, as `ZoomEnv.step` does with the reply that says action.

        Raises:
            ValueError: there is no such action.
        """
        reply = self.form.reply(int(action), self.zoom_env.observation)
        seen, reward, terminated, truncated, info = self.zoom_env.step(reply)
        return self._look(seen), reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """Returns which actions the rules would execute now: (actions,) bool."""
        return self.form.masks(self.zoom_env.observation)

    def render(self) -> NDArray[np.uint8] | str | None:
        """Renders as `ZoomEnv` does."""
        return self.zoom_env.render()

    def close(self) -> None:
        """Closes the video and the window."""
        self.zoom_env.close()

    def _look(self, seen: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """Returns the observation, out of what `ZoomEnv` shows."""
        num_shown = int((seen["clip_call"] >= 0).sum())
        observation = self.zoom_env.observation
        return self.form.fill(observation, seen["overview"], seen["clip"][:num_shown])


def _vocabulary(tasks: TaskSet) -> tuple[str, ...]:
    """Returns what can be answered to the tasks of a set."""
    families = tasks.families if isinstance(tasks, SyntheticTasks) else ()
    names = [name for family in families for name in FAMILIES[family].answers]
    return tuple(dict.fromkeys(names)) or LETTERS
