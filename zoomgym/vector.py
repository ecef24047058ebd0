"""ZoomVectorEnv: many episodes in one process, whose videos are decoded at the same time."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn, TypeVar, cast

import numpy as np
from gymnasium.error import Error
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from zoomgym.env import ZoomEnv

__all__ = ["ZoomVectorEnv", "refuse_single"]

Result = TypeVar("Result")
VectorStep = tuple[
    dict[str, Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


def refuse_single(**settings: Any) -> NoReturn:
    """Raises the error of `gym.make`, which makes one environment: it names `gym.make_vec`."""
    raise Error(
        'ZoomVectorEnv-v0 is many environments: needed gym.make_vec("ZoomVectorEnv-v0", '
        "num_envs=8), got gym.make. One environment is ZoomEnv-v0"
    )


class ZoomVectorEnv(VectorEnv[dict[str, Any], Sequence[str], NDArray[Any]]):
    """Steps num_envs copies of `ZoomEnv` on threads.

    Decoding needs no lock of the interpreter, so threads do what worker processes do without
    copying observations between processes; environments that show the same video share its frames.
    Episodes that ended are reset in the next step, whose action is passed over (`NEXT_STEP`).

    Args:
        num_envs: how many.
        num_threads: that step at the same time; None is one for each core.
        settings: arguments of ZoomEnv, the same for all.
    """

    def __init__(
        self, num_envs: int = 1, *, num_threads: int | None = None, **settings: Any
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs needs at least 1, got {num_envs}")
        self.envs = [ZoomEnv(**settings) for _ in range(num_envs)]
        self.num_envs = num_envs
        self.metadata = {**ZoomEnv.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.render_mode = self.envs[0].render_mode
        self.single_observation_space = self.envs[0].observation_space
        self.single_action_space = self.envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._num_threads = min(num_envs, num_threads or os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._num_threads, thread_name_prefix="zoomgym")
        self._is_over = np.zeros(num_envs, np.bool_)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode in every environment.

        Args:
            seed: a seed for each, or one number, to which the number of each is added. The same
                seed for all starts the same episode in all.
            options: of `ZoomEnv.reset`, for all.
        """
        if seed is None or isinstance(seed, int):
            seed = [None if seed is None else seed + index for index in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"seed needs {self.num_envs} numbers, got {len(seed)}")
        seeds = list(seed)
        started = self._each(lambda i: self.envs[i].reset(seed=seeds[i], options=options))
        self._is_over[:] = False
        return self._batch([observation for observation, _ in started]), self._infos(
            [info for _, info in started]
        )

    def step(self, actions: Sequence[str]) -> VectorStep:
        """Plays one turn in every environment; those whose episode is over start another one."""
        replies = list(iterate(self.action_space, actions))
        outcomes = self._each(lambda index: self._step_one(index, replies[index]))
        observations, rewards, terminated, truncated, infos = zip(*outcomes, strict=True)
        self._is_over = np.array(terminated, np.bool_) | np.array(truncated, np.bool_)
        return (
            self._batch(list(observations)),
            np.array(rewards, np.float64),
            np.array(terminated, np.bool_),
            np.array(truncated, np.bool_),
            self._infos(list(infos)),
        )

    def render(self) -> tuple[Any, ...]:
        """Returns what each environment renders."""
        return tuple(env.render() for env in self.envs)

    def close_extras(self, **kwargs: Any) -> None:
        """Closes every environment and ends the threads."""
        self._pool.shutdown()
        for env in self.envs:
            env.close()

    def _step_one(self, index: int, reply: str) -> tuple[dict[str, Any], float, bool, bool, Any]:
        """Plays a turn in one environment, or starts another episode if its last one is over."""
        if self._is_over[index]:
            observation, info = self.envs[index].reset()
            return observation, 0.0, False, False, info
        return self.envs[index].step(reply)

    def _each(self, call: Callable[[int], Result]) -> list[Result]:
        """Returns call(index) for every environment; the first error is raised after all ended."""
        futures = [self._pool.submit(call, index) for index in range(self.num_envs)]
        errors = [future.exception() for future in futures]
        for error in errors:
            if error is not None:
                raise error
        return [future.result() for future in futures]

    def _batch(self, observations: list[dict[str, Any]]) -> dict[str, Any]:
        """Returns observations as one, freshly allocated."""
        empty = create_empty_array(self.single_observation_space, self.num_envs, fn=np.empty)
        assert isinstance(empty, dict)
        batched = concatenate(self.single_observation_space, observations, empty)
        return cast("dict[str, Any]", batched)

    def _infos(self, infos: list[dict[str, Any]]) -> dict[str, Any]:
        """Returns infos as one, in Gymnasium's way: arrays, each with its mask."""
        merged: dict[str, Any] = {}
        for index, info in enumerate(infos):
            merged = self._add_info(merged, info, index)
        return merged
