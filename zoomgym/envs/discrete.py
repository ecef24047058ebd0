"""`ZoomEnvDiscrete`: the environment for learners that take numbers, a menu and one picture."""

from collections.abc import Iterable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from zoomgym.agent import Observation
from zoomgym.envs.env import ZoomEnv
from zoomgym.envs.form import LETTERS, MAX_CELL_PX, Form, check_count, places_of
from zoomgym.envs.viewing import small_frames
from zoomgym.errors import TaskError
from zoomgym.io import brief
from zoomgym.rules import Episode, grammar_of
from zoomgym.tasks import EVERY_FAMILY, NeedleTasks, SyntheticTasks, TaskSet


def _items(name: str, values: Any) -> tuple[Any, ...]:
    """Returns what a list holds. Raises ValueError if values is nothing of the kind."""
    if not isinstance(values, Iterable):
        raise ValueError(f"{name} needs a list, got {brief(values)}")
    return tuple(values)


class ZoomEnvDiscrete(gym.Env[dict[str, NDArray[Any]], int]):
    """`ZoomEnv` for learners that take no text: a menu of actions, and one picture.

    ## Description

    The same episodes, by the same rules, as in `ZoomEnv`: a question about a video, zooms into it,
    an answer. Actions are numbers, and all frames are in one picture, as Stable-Baselines3 wants
    it. No text has to be read: an answer is chosen by what it says, and is sent as the letter that
    this task gave it.

    ## Observation Space

    A `Dict`. A *cell* is a frame of `cell_px` x `cell_px`, which keeps its aspect ratio. N cells
    are in eight columns, row by row: first those of the overview, then, from a new row on,
    those of all clips so far, in the order in which they were shown. Empty cells are black.

    | key | space | meaning |
    |---|---|---|
    | `image` | Box uint8 (H, W, 3) | the cells, RGB |
    | `times` | Box float32 (N,) | their times, as shares of the video's length; -1 where empty |
    | `offered` | Box float32 (answers,) | 1 for every answer that is an option of the task |
    | `asked` | Box float32 (answers,) | 1 for every answer whose name is in the question |
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

    All others are those of `ZoomEnv`, by keyword, but for `frame_size` and `tools`. `max_pixels` is
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
        if "tools" in settings:
            raise ValueError("tools is no argument here: the menu holds zooms and answers alone")
        check_count("cell_px", cell_px, MAX_CELL_PX)  # before spaces of that size are made
        self.zoom_env = ZoomEnv(
            tasks,
            **{"max_pixels": cell_px**2, **settings},
            frame_size=(cell_px, cell_px),
        )
        """The environment that is played."""
        if not grammar_of(grammar := self.zoom_env.rules.grammar).says_zooms:
            raise ValueError(
                f"the grammar {grammar} cannot say every zoom of the menu: give grammar='json' "
                "beside the preset"
            )
        known = _vocabulary(self.zoom_env.tasks) if answers is None else _items("answers", answers)
        self.form = Form(self.zoom_env.rules, known, num_bins, _items("rates", rates), cell_px)
        self.observation_space = self.form.space  # type: ignore[assignment]
        self.action_space = spaces.Discrete(self.form.num_choices)  # type: ignore[assignment]
        self.render_mode = self.zoom_env.render_mode
        self._observed: tuple[Episode, Observation] | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Starts an episode, as `ZoomEnv.reset` does.

        Raises:
            TaskError: none of the answers is an option of the task.
        """
        info = self.begin(seed=seed, options=options)
        return self._see(), info

    def step(
        self, action: int
    ) -> tuple[dict[str, NDArray[Any]], float, bool, bool, dict[str, Any]]:
        """Plays one turn, as `ZoomEnv.step` does with the reply that says action.

        Raises:
            ValueError: there is no such action.
        """
        outcome = self.play(action)
        return self._see(), *outcome

    def begin(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Does what `reset` does, and returns the info alone; see `see_all`."""
        super().reset(seed=seed)
        info = self.zoom_env.begin(seed=seed, options=options)
        task = self.zoom_env.viewing.task
        offered = task.options if task else ()
        if offered and set(places_of(self.form.answers, offered)) == {None}:
            raise TaskError(
                f"{info['task_id']}: needed an option among the answers {self.form.answers}, got "
                f"{offered}: give other answers"
            )
        return info

    def play(self, action: int) -> tuple[float, bool, bool, dict[str, Any]]:
        """Does what `step` does, and returns all but the observation; see `see_all`."""
        return self.zoom_env.play(self.form.reply(int(action), self.observation))

    @property
    def observation(self) -> Observation:
        """What an agent would see now: that of `zoom_env`."""
        episode = self.zoom_env.episode
        if self._observed is None or self._observed[0] is not episode:
            self._observed = episode, self.zoom_env.observation
        return self._observed[1]

    def action_masks(self) -> NDArray[np.bool_]:
        """Returns which actions the rules would execute now: (actions,) bool."""
        return self.form.masks(self.observation)

    def render(self) -> NDArray[np.uint8] | str | None:
        """Renders as `ZoomEnv` does."""
        return self.zoom_env.render()

    def close(self) -> None:
        """Closes the video and the window."""
        self.zoom_env.close()

    def _see(self) -> dict[str, NDArray[Any]]:
        """Returns the observation."""
        return self.form.fill(self.observation, *self.zoom_env.small_frames)


def see_all(envs: Sequence[ZoomEnvDiscrete]) -> dict[str, NDArray[Any]]:
    """Returns what is seen in every one of B environments of one form: see `Form.fill_all`.

    Scenes that are drawn later (`ZoomEnv.draws_later`) are drawn together.
    """
    frames = small_frames([env.zoom_env.viewing for env in envs])
    return envs[0].form.fill_all([env.observation for env in envs], frames)


def _vocabulary(tasks: TaskSet) -> tuple[str, ...]:
    """Returns what can be answered to the tasks of a set."""
    families = tasks.families if isinstance(tasks, SyntheticTasks | NeedleTasks) else ()
    names = [name for family in families for name in EVERY_FAMILY[family].answers]
    return tuple(dict.fromkeys(names)) or LETTERS
