"""Observations as cells: the frames of ZoomEnvDiscrete as rows of numbers, each stored once."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from sb3_contrib.common.maskable.buffers import MaskableDictRolloutBuffer
from stable_baselines3.common.buffers import DictRolloutBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from zoomgym.envs import COLUMNS
from zoomgym.envs.discrete import ZoomEnvDiscrete, see_all

Seen = dict[str, NDArray[Any]]


def stack(seen: Sequence[Seen]) -> Seen:
    """Returns some observations as one batch."""
    return {name: np.stack([one[name] for one in seen]) for name in seen[0]}


def to_cells(seen: Mapping[str, NDArray[Any]]) -> Seen:
    """Returns what is seen with `cells` (.., N, values) uint8 in place of the montage `image`."""
    if "cells" in seen:
        return dict(seen)
    image = seen["image"]
    *batch, height, width, _ = image.shape
    side = width // COLUMNS
    grid = image.reshape(*batch, height // side, side, COLUMNS, side, 3).swapaxes(-4, -3)
    cells = np.ascontiguousarray(grid).reshape(*batch, -1, side * side * 3)
    return {**{name: one for name, one in seen.items() if name != "image"}, "cells": cells}


def cells_space(space: spaces.Dict) -> spaces.Dict:
    """Returns the space of what `to_cells` returns."""
    shape = space["image"].shape
    assert shape is not None
    height, width, _ = shape
    side = width // COLUMNS
    cells = spaces.Box(0, 255, (height // side * COLUMNS, side * side * 3), np.uint8)
    others = {name: one for name, one in space.spaces.items() if name != "image"}
    return spaces.Dict({**others, "cells": cells})


class SameProcess(DummyVecEnv):
    """Environments in this process, seen together, with `cells` and without SB3's deep copies."""

    def __init__(self, made: list[Callable[[], gym.Env[Any, Any]]]) -> None:
        super().__init__(made)
        self._played = [cast("ZoomEnvDiscrete", env.unwrapped) for env in self.envs]
        for env in self._played:
            env.zoom_env.draws_later = True

    def reset(self) -> Seen:
        """Starts an episode in each."""
        for index, env in enumerate(self._played):
            options = self._options[index] or None
            self.reset_infos[index] = env.begin(seed=self._seeds[index], options=options)
        self._reset_seeds()
        self._reset_options()
        return _flat(see_all(self._played))

    def step_wait(self) -> VecEnvStepReturn:
        """Plays a turn in each environment; one whose episode ends starts another."""
        infos = []
        for index, (env, action) in enumerate(zip(self._played, self.actions, strict=True)):
            self.buf_rews[index], terminated, truncated, info = env.play(action)
            is_over = self.buf_dones[index] = terminated or truncated
            info["TimeLimit.truncated"] = truncated and not terminated
            if is_over:
                last = _flat(see_all([env]))
                info["terminal_observation"] = {name: one[0] for name, one in last.items()}
                self.reset_infos[index] = env.begin()
            infos.append(info)
        seen = _flat(see_all(self._played))
        return seen, self.buf_rews.copy(), self.buf_dones.copy(), infos


def _flat(seen: Seen) -> Seen:
    """Returns a batch with each of its cells as one row of numbers: (B, N, values)."""
    cells = seen["cells"]
    return {**seen, "cells": cells.reshape(*cells.shape[:2], -1)}


class CellEnvs(VecEnvWrapper):
    """Environments whose observations have `cells`."""

    def __init__(self, envs: VecEnv) -> None:
        assert isinstance(envs.observation_space, spaces.Dict)
        super().__init__(envs, observation_space=cells_space(envs.observation_space))

    def reset(self) -> Seen:
        """Starts an episode in each."""
        return to_cells(cast("Seen", self.venv.reset()))

    def step_wait(self) -> VecEnvStepReturn:
        """Ends the steps that have begun."""
        seen, rewards, dones, infos = self.venv.step_wait()
        for index in np.flatnonzero(dones):
            infos[index]["terminal_observation"] = to_cells(infos[index]["terminal_observation"])
        return to_cells(cast("Seen", seen)), rewards, dones, infos


class WithSharedFrames:
    """Turns a rollout buffer of SB3 into one that gives each frame of a batch once.

    Within an episode, later observations show all that earlier ones show, so the last one's frames
    are all there are. Samples have the frames of their observations as `cells` (frames, values),
    and `places` (batch, N): which frame is in each cell, -1 for none. Frames in neighboring cells
    are neighbors there, too.

    Batches are made of whole episodes, in random order, so that they share as much as they can.
    """

    def get(self: Any, batch_size: int | None = None) -> Generator[Any, None, None]:
        """Yields all samples, in batches of batch_size; None: in one."""
        if not self.generator_ready:
            self._prepare()
        num_samples = len(self._episodes)
        ranks = np.random.permutation(self._episodes[-1] + 1)[self._episodes]
        order = np.argsort(ranks, kind="stable")
        for first in range(0, num_samples, batch_size or num_samples):
            yield self._get_samples(order[first : first + (batch_size or num_samples)])

    def _prepare(self: Any) -> None:
        """Orders samples by environment, then by time, and finds their frames."""
        starts = self.episode_starts > 0
        starts[0] = True  # the rest of an episode that began before
        starts = starts.T.flatten()
        self._episodes = starts.cumsum() - 1
        for name, array in self.observations.items():
            self.observations[name] = self.swap_and_flatten(array)
        for name in ("actions", "values", "log_probs", "advantages", "returns", "action_masks"):
            if hasattr(self, name):
                setattr(self, name, self.swap_and_flatten(getattr(self, name)))
        cells = self.observations.pop("cells")
        is_last = np.roll(starts, -1)
        is_shown = self.observations["times"] >= 0
        is_frame = is_shown[is_last]
        self._frames = cells[is_last][is_frame]
        numbers = is_frame.flatten().cumsum().reshape(is_frame.shape) - 1
        self._places = np.where(is_shown, numbers[self._episodes], -1)
        self.generator_ready = True

    def _get_samples(self: Any, batch_inds: NDArray[np.int64], env: Any = None) -> Any:
        """Returns some samples."""
        samples = super()._get_samples(batch_inds, env)  # type: ignore[misc]
        places = self._places[batch_inds]
        is_needed = np.zeros(len(self._frames) + 1, np.bool_)  # the last is none
        is_needed[places] = True
        numbers = is_needed.cumsum() - 1
        numbers[-1] = -1
        samples.observations["cells"] = self.to_torch(self._frames[is_needed[:-1]])
        samples.observations["places"] = self.to_torch(numbers[places])
        return samples


class CellBuffer(WithSharedFrames, DictRolloutBuffer):
    """The buffer of PPO."""


class MaskableCellBuffer(WithSharedFrames, MaskableDictRolloutBuffer):
    """The buffer of MaskablePPO."""
