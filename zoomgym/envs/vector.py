"""Many episodes in one process: videos are decoded at the same time, scenes drawn together."""

import os
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from typing import Any, NoReturn, cast

import numpy as np
from gymnasium.error import Error
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from numpy.typing import NDArray

from zoomgym.envs.discrete import ZoomEnvDiscrete, see_all
from zoomgym.envs.env import ZoomEnv
from zoomgym.envs.form import Form
from zoomgym.io import brief, is_whole_number, plain_number

MAX_ENVS = 10_000
Turn = tuple[dict[str, Any], float, bool, bool, dict[str, Any]]
VectorStep = tuple[
    dict[str, Any], NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]
]


def refuse_single(**settings: Any) -> NoReturn:
    """Raises the error of `gym.make`, which makes one environment: it names `gym.make_vec`."""
    raise Error(
        'ZoomVectorEnv-v0 is many environments: needed gym.make_vec("ZoomVectorEnv-v0", '
        "num_envs=8), got gym.make. One environment is ZoomEnv-v0"
    )


class InThisThread(Executor):
    """Calls what it is given at once: a thread would cost more."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Returns what came of a call, which is over."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - the future's reader gets it
            future.set_exception(error)
        return future


class ZoomVectorEnv(VectorEnv[dict[str, Any], Sequence[Any], NDArray[Any]]):
    """Steps num_envs copies of `ZoomEnv` on threads.

    Decoding needs no lock of the interpreter, so threads do what worker processes do without
    copying observations between processes; environments that show the same video share its frames.
    Episodes that ended are reset in the next step, whose action is passed over (`NEXT_STEP`).

    An error in one environment loses nothing of the others: see `step`. With
    `on_video_error="skip"` a video that fails ends its own episode only, truncated.

    Args:
        num_envs: how many.
        num_threads: that step at the same time; None is one for each core.
        settings: arguments of ZoomEnv, the same for all.
    """

    def __init__(
        self, num_envs: int = 1, *, num_threads: int | None = None, **settings: Any
    ) -> None:
        self.closed = True  # until it is made: Gymnasium 1.2 closes what was refused, too
        num_envs, num_threads = plain_number(num_envs), plain_number(num_threads)
        given_threads = 1 if num_threads is None else num_threads
        for name, value in (("num_envs", num_envs), ("num_threads", given_threads)):
            if not is_whole_number(value, 1, MAX_ENVS):
                raise ValueError(
                    f"{name} needs at least 1, got {brief(value)}: give a whole number up to "
                    f"{MAX_ENVS}"
                )
        self.envs: list[Any] = [self._make(settings) for _ in range(num_envs)]
        self.num_envs = num_envs
        self.metadata = {**ZoomEnv.metadata, "autoreset_mode": AutoresetMode.NEXT_STEP}
        self.render_mode = self.envs[0].render_mode
        self.single_observation_space = self.envs[0].observation_space
        self.single_action_space = self.envs[0].action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._num_threads = min(num_envs, num_threads or os.cpu_count() or 1)
        self._pool: Executor = InThisThread()
        if self._num_threads > 1:
            self._pool = ThreadPoolExecutor(self._num_threads, thread_name_prefix="zoomgym")
        self._is_over = np.zeros(num_envs, np.bool_)
        self._turns: list[Future[Turn] | None] = [None] * num_envs
        """What each environment plays or has played in a step that has not returned yet."""
        self.closed = False

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
        seed = plain_number(seed)
        if seed is None or isinstance(seed, int):
            seed = [None if seed is None else seed + index for index in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"seed needs {self.num_envs} numbers, got {len(seed)}")
        seeds = list(seed)
        wait([turn for turn in self._turns if turn])  # a step may have been interrupted
        self._turns = [None] * self.num_envs
        starts = [
            self._pool.submit(self._begin, env, seed=seeds[index], options=options)
            for index, env in enumerate(self.envs)
        ]
        self._raise_first(starts, "call reset again")
        self._is_over[:] = False
        observations, infos = zip(*(start.result() for start in starts), strict=True)
        return self._batch(list(observations)), self._infos(list(infos))

    def step(self, actions: Sequence[str]) -> VectorStep:
        """Plays one turn in every environment; those whose episode is over start another one.

        An error is raised after all environments have ended their turn, and says which failed. The
        others keep what came of theirs: the next step returns it, passes over what it is told to
        play there, and plays in those that failed only.

        Raises:
            ValueError: there are not as many actions as environments; nothing is played.
            ZoomGymError: an environment raises it, see `ZoomEnv.step`.
        """
        replies = list(iterate(self.action_space, actions))
        if len(replies) != self.num_envs:
            raise ValueError(f"actions needs {self.num_envs} replies, got {len(replies)}")
        turns = []
        for index, turn in enumerate(self._turns):
            turns.append(turn or self._pool.submit(self._step_one, index, replies[index]))
            self._turns[index] = turns[-1]
        wait(turns)
        self._turns = [None if turn.exception() else turn for turn in turns]
        self._raise_first(
            turns, "call step again, which plays there and returns what the others keep"
        )
        self._turns = [None] * self.num_envs
        observations, rewards, terminated, truncated, infos = zip(
            *(turn.result() for turn in turns), strict=True
        )
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

    def _make(self, settings: dict[str, Any]) -> Any:
        """Returns an environment."""
        return ZoomEnv(**settings)

    def _begin(self, env: Any, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode in an environment."""
        observation, info = env.reset(**how)
        return observation, info

    def _play(self, env: Any, action: Any) -> Turn:
        """Plays a turn in an environment."""
        observation, *outcome = env.step(action)
        return observation, *outcome

    def _step_one(self, index: int, action: Any) -> Turn:
        """Plays a turn in one environment, or starts another episode if its last one is over."""
        if self._is_over[index]:
            observation, info = self._begin(self.envs[index])
            return observation, 0.0, False, False, info
        return self._play(self.envs[index], action)

    def _raise_first(self, calls: Sequence[Future[Any]], remedy: str) -> None:
        """Raises the first error of calls, one an environment, after all ended; names those."""
        errors = {index: error for index, call in enumerate(calls) if (error := call.exception())}
        if errors:
            failed = ", ".join(map(str, errors))
            error = errors[min(errors)]
            error.add_note(f"in environment {failed} of 0 to {self.num_envs - 1}: {remedy}")
            raise error

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


class ZoomVectorEnvDiscrete(ZoomVectorEnv):
    """Steps num_envs copies of `ZoomEnvDiscrete`, as `ZoomVectorEnv` does those of `ZoomEnv`.

    Scenes (`source="scene"`) are drawn for all of them at once, which is what small frames gain
    most from; they play in this thread, unless num_threads is given.

    Args:
        num_envs: how many.
        num_threads: that step at the same time; None is 1 for scenes and one a core for files.
        settings: arguments of `ZoomEnvDiscrete`, the same for all.
    """

    def __init__(
        self, num_envs: int = 1, *, num_threads: int | None = None, **settings: Any
    ) -> None:
        if num_threads is None and settings.get("source") == "scene":
            num_threads = 1
        super().__init__(num_envs, num_threads=num_threads, **settings)

    def action_masks(self) -> NDArray[np.bool_]:
        """Returns which actions the rules would execute now: (num_envs, actions) bool."""
        return np.stack([env.action_masks() for env in self.envs])

    def _make(self, settings: dict[str, Any]) -> Any:
        env = ZoomEnvDiscrete(**settings)
        env.zoom_env.draws_later = True
        return env

    def _begin(self, env: Any, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, env.begin(**how)

    def _play(self, env: Any, action: Any) -> Turn:
        return {}, *env.play(action)

    def _batch(self, observations: list[dict[str, Any]]) -> dict[str, Any]:
        form: Form = self.envs[0].form
        return form.with_image(see_all(self.envs))
