"""A task set whose videos are noise, each of another size, and an environment with a script."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tests.conftest import TASK
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import VideoError
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks import hash_tasks

SIZES = [(28, 28), (28, 56), (56, 56), (56, 28)]
SCRIPT = (
    '<think>a</think><video_zoom>{"segment": [4, 6], "fps": 2}</video_zoom>',
    '<video_zoom>{"segment": [9, 10], "fps": 3}</video_zoom>',
    "hello",
    "<think>a</think><answer>B</answer>",
    "<think>a</think><answer>A</answer>",
    "<think>a</think><answer>C</answer>",
)
"""A zoom, a zoom that is not well-formed, a refused reply, the right answer, wrong ones."""


@dataclass
class NoiseVideo:
    """A picture of its own for every time."""

    seed: int
    size: tuple[int, int]
    breaks_at_s: float = 1e9
    duration_s: float = 60.0
    last_frame_s: float = 59.9
    num_damaged: int = 0

    def frames_at(self, times_s: Sequence[float], size: tuple[int, int]) -> NDArray[np.uint8]:
        if max(times_s, default=0) == self.breaks_at_s:
            raise VideoError("noise.mp4: needed a frame, got none")
        seeds = [[self.seed, round(1000 * time_s)] for time_s in times_s]
        return np.array(
            [np.random.default_rng(seed).integers(0, 256, (*size, 3), np.uint8) for seed in seeds],
            np.uint8,
        ).reshape(-1, *size, 3)

    def close(self) -> None:
        pass


class NoiseTasks:
    """Tasks `q0`, `q1`, ..: the answer is always B."""

    name, version = "noise", "0"
    content_hash = hash_tasks([TASK])

    def __init__(self, num_tasks: int = 4, breaks_at_s: float = 1e9, unshown: str = "") -> None:
        self.num_tasks, self.breaks_at_s, self.unshown = num_tasks, breaks_at_s, unshown

    def __len__(self) -> int:
        return self.num_tasks

    def __getitem__(self, index: int) -> VideoQuestion:
        return replace(TASK, id=f"q{range(self.num_tasks)[index]}")

    def by_id(self, task_id: str) -> VideoQuestion:
        return self[int(task_id[1:])]

    def open_video(self, task: VideoQuestion) -> Any:
        if task.id == self.unshown:
            raise VideoError("noise.mp4: needed a video, got none")
        index = int(task.id[1:])
        return NoiseVideo(index, SIZES[index % len(SIZES)], self.breaks_at_s)


class ScriptedEnv(ZoomEnv):
    """Random weights say nothing that can be executed, so what they are taken to say is scripted.

    It depends on the task, the turn and what was said. Who says the same is taken to say the same.
    """

    def step(self, action: str) -> Any:
        turn = len(self.episode.turns)
        is_last = turn == self.rules.max_turns - 1
        choices = SCRIPT[3:] if is_last else SCRIPT
        return super().step(choices[crc32(action.encode()) % len(choices)])


def scripted_env(tasks: NoiseTasks | None = None, **settings: Any) -> ZoomEnv:
    given = {"grammar": "video_zoom", "num_overview": 3, "frame_budget": 32, "max_turns": 4}
    return ScriptedEnv(tasks or NoiseTasks(), **{**given, "on_video_error": "skip", **settings})
