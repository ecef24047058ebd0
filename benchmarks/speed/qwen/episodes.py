"""Episodes for the benchmarks of Qwen2.5-VL: a model of a size, and a fixed course.

Replies of a model with random weights cannot be executed, so the course is played instead.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from agents.qwen.model.tiny import SIZES, TOKEN_SIDE_PX, make_model, make_processor
from zoomgym.envs import ZoomEnv
from zoomgym.rules import VideoQuestion
from zoomgym.tasks import hash_tasks

FPS = 8
"""Frames per second of every zoom."""
GAP_S = 10.0
"""Seconds from one zoom to the next."""
TASK_ID = "noise"
TASK = VideoQuestion(
    id=TASK_ID,
    video="noise",
    question="Which noise is it?",
    answer="B",
    options=("white", "pink", "brown", "blue"),
)


@dataclass(frozen=True, slots=True)
class Course:
    """The course of every episode: an overview, some zooms, and an answer."""

    frame: tuple[int, int] = (28, 28)
    """(W, H) in pixels."""
    num_overview: int = 64
    num_zooms: int = 4
    frames_per_zoom: int = 16

    @property
    def num_turns(self) -> int:
        """Replies in an episode."""
        return self.num_zooms + 1

    def reply(self, turn: int, said: str) -> str:
        """Returns the reply to execute in a turn.

        Answers depend on what the model said, so that rewards in a group differ.
        """
        if turn == self.num_zooms:
            return f"<think>.</think><answer>{'AB'[crc32(said.encode()) % 2]}</answer>"
        start_s = GAP_S * turn
        segment = f"[{start_s}, {start_s + self.frames_per_zoom / FPS}]"
        call = f'{{"segment": {segment}, "fps": {FPS}}}'
        return f"<think>.</think><video_zoom>{call}</video_zoom>"


def make_env(course: Course, *, obeys: bool = False) -> ZoomEnv:
    """Returns an environment that plays a course on one video of noise, or obeys replies there."""
    kind = ZoomEnv if obeys else _CourseEnv
    return kind(
        _NoiseTasks(course),
        grammar="video_zoom",
        num_overview=course.num_overview,
        frames_per_zoom=course.frames_per_zoom,
        frame_budget=course.num_overview + course.num_zooms * course.frames_per_zoom,
        max_turns=course.num_turns,
    )


class _CourseEnv(ZoomEnv):
    """Executes the replies of a course instead of those that are sent."""

    tasks: "_NoiseTasks"

    def step(self, action: str) -> Any:
        """Plays one turn."""
        return super().step(self.tasks.course.reply(len(self.episode.turns), action))


class _NoiseVideo:
    """A video with another picture at every time."""

    num_damaged = 0

    def __init__(self, course: Course) -> None:
        self.size = course.frame[::-1]
        self.duration_s = GAP_S * course.num_turns
        self.last_frame_s = self.duration_s - 0.1

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Returns (N, H, W, 3) uint8 RGB."""
        rngs = (np.random.default_rng(round(1000 * time_s)) for time_s in times_s)
        return np.stack([rng.integers(0, 256, (*size, 3), np.uint8) for rng in rngs])

    def close(self) -> None:
        """Does nothing."""


class _NoiseTasks:
    """One task."""

    name, version = "noise", "0"
    content_hash = hash_tasks([TASK])

    def __init__(self, course: Course) -> None:
        self.course = course

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> VideoQuestion:
        return (TASK,)[index]

    def by_id(self, task_id: str) -> VideoQuestion:
        """Returns the task."""
        assert task_id == TASK_ID
        return TASK

    def open_video(self, task: VideoQuestion) -> _NoiseVideo:
        """Returns its video."""
        return _NoiseVideo(self.course)


OURS, STOCK = "KV reuse", "TRL"


@dataclass(frozen=True, slots=True)
class Load:
    """A group of episodes."""

    size: str
    """Size of the model: one of SIZES."""
    course: Course
    group_size: int = 8
    num_tokens: int = 48
    attention: str = "sdpa"
    """Kernel of the attention."""

    @property
    def name(self) -> str:
        """Key of the results."""
        width, height = self.course.frame
        return f"{self.size}, {width}x{height}"

    @property
    def tokens_per_frame(self) -> int:
        """Image tokens of a frame."""
        width, height = self.course.frame
        return width * height // TOKEN_SIDE_PX**2

    @property
    def num_sampled(self) -> int:
        """Tokens that the group says."""
        return self.group_size * self.course.num_turns * self.num_tokens

    def row(self, dtype: torch.dtype) -> dict[str, Any]:
        """Returns it for JSON, with the number of weights and their type."""
        with torch.device("meta"):
            model = make_model(SIZES[self.size], make_processor(), 0)
        weights = {"num_weights": model.num_parameters(), "dtype": str(dtype).split(".")[-1]}
        return {**asdict(self), **weights}


def title_of(load: Mapping[str, Any]) -> str:
    """Returns the title of a load's table."""
    width, height = load["course"]["frame"]
    return (
        f"{load['size']} ({load['num_weights'] / 1e6:,.1f} M weights, {load['dtype']}), "
        f"frames of {width}x{height}, {load['group_size']} episodes, "
        f"{load['num_tokens']} tokens a reply"
    )


def weights_go() -> tuple[str, torch.dtype]:
    """Returns the device for weights, and their type."""
    return ("cuda", torch.bfloat16) if torch.cuda.is_available() else ("cpu", torch.float32)
