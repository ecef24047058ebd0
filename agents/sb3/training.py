"""Trains a policy on ZoomEnvDiscrete: environments, model, callbacks, and one call of `learn`."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from sb3_contrib import MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.callbacks import MaskableEvalCallback
from stable_baselines3 import PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    EvalCallback,
)
from stable_baselines3.common.logger import configure
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv, VecMonitor
from tqdm import tqdm

from agents.sb3.cells import CellBuffer, CellEnvs, MaskableCellBuffer, SameProcess
from agents.sb3.network import CellExtractor, MaskableMenuPolicy, MenuPolicy
from agents.sb3.settings import MODEL, PPOSettings, load_form, load_settings, save_settings
from agents.threads import use_threads
from zoomgym.envs import Form
from zoomgym.envs.discrete import ZoomEnvDiscrete

CLASSES: dict[str, type[PPO] | type[MaskablePPO] | type[RecurrentPPO]] = {
    "ppo": PPO,
    "maskable": MaskablePPO,
    "recurrent": RecurrentPPO,
}
MENU_POLICIES: dict[str, Any] = {"ppo": MenuPolicy, "maskable": MaskableMenuPolicy}
BUFFERS = {"ppo": CellBuffer, "maskable": MaskableCellBuffer}
"""The recurrent algorithm has SB3's own policy and buffer: its memory lies between features and
choice, and its batches are sequences."""
CHECKPOINTS = "checkpoints"
LOG = "log"
NUM_EVAL_ENVS = 8
TEST_SEED = 1_000_000
"""Seed of test environments, far from those of training."""


def make_envs(settings: PPOSettings, num_envs: int, seed: int, **changes: Any) -> VecEnv:
    """Returns environments that count their rewards, seeded with seed, seed + 1 and so on.

    Changes replace arguments of the environment.
    """
    make = partial(gym.make, "zoomgym:ZoomEnvDiscrete-v0", **{**settings.env, **changes})
    made: list[Callable[[], gym.Env[Any, Any]]] = [make] * num_envs
    envs: VecEnv = SubprocVecEnv(made) if settings.in_processes else SameProcess(made)
    envs.seed(seed)
    return CellEnvs(VecMonitor(envs))


def make_model(settings: PPOSettings, envs: VecEnv, form: Form) -> OnPolicyAlgorithm:
    """Returns a new model."""
    width = settings.hidden
    more: dict[str, Any] = {}
    policy_kwargs: dict[str, Any] = {
        "features_extractor_class": CellExtractor,
        "features_extractor_kwargs": {
            "overview_rows": form.num_rows[0],
            "num_bins": form.num_bins,
        },
        "optimizer_kwargs": {"eps": 1e-5, "fused": True},
    }
    if settings.algorithm in MENU_POLICIES:
        lengths = [length for _, length in form.kinds]
        policy_kwargs |= {"net_arch": {"pi": [], "vf": [width]}, "lengths": lengths}
        more["rollout_buffer_class"] = BUFFERS[settings.algorithm]
    else:
        policy_kwargs |= {"net_arch": [width], "lstm_hidden_size": width}
    return CLASSES[settings.algorithm](
        MENU_POLICIES.get(settings.algorithm, "MultiInputLstmPolicy"),
        envs,
        learning_rate=LinearSchedule(settings.learning_rate, 0.0, 1.0),
        n_steps=settings.n_steps,
        batch_size=settings.batch_size,
        n_epochs=settings.n_epochs,
        ent_coef=settings.ent_coef,
        gamma=settings.gamma,
        gae_lambda=settings.gae_lambda,
        policy_kwargs=policy_kwargs,
        seed=settings.seed,
        **more,
    )


def train(settings: PPOSettings, folder: Path) -> Path:
    """Trains a new policy and returns the file of its model in folder, which has to be empty."""
    use_threads(settings.num_threads)
    env = ZoomEnvDiscrete(**settings.env)
    form = env.form
    env.close()
    folder.mkdir(parents=True, exist_ok=True)
    save_settings(folder, settings, form)
    envs = make_envs(settings, settings.num_envs, settings.seed)
    return _learn(make_model(settings, envs, form), envs, settings, folder)


def resume(folder: Path, total_timesteps: int | None = None) -> Path:
    """Resumes the training in folder from its last model; returns the file of the new one.

    The weights, the optimizer and the number of steps are those of the last model; the episodes
    that follow are not those of a run without a pause. total_timesteps, if given, is the new end.

    Raises:
        OSError: there is no model in folder.
    """
    settings, path = load_settings(folder), latest_model(folder)
    if total_timesteps is not None:
        settings = replace(settings, total_timesteps=total_timesteps)
        save_settings(folder, settings, load_form(folder))
    use_threads(settings.num_threads)
    envs = make_envs(settings, settings.num_envs, settings.seed)
    model = CLASSES[settings.algorithm].load(path, env=envs)
    envs.seed(settings.seed + model.num_timesteps)  # other episodes than at the start
    return _learn(model, envs, settings, folder)


def latest_model(folder: Path) -> Path:
    """Returns the file of the last checkpoint in folder. Raises OSError."""
    checkpoints = list(folder.glob(f"{CHECKPOINTS}/model_*_steps.zip"))
    if not checkpoints:
        raise FileNotFoundError(f"{folder} needs checkpoints, found none")
    return max(checkpoints, key=_steps_of)


def num_steps(folder: Path) -> int:
    """Returns how many steps the training in folder has played. Raises OSError."""
    return _steps_of(latest_model(folder))


def _steps_of(checkpoint: Path) -> int:
    """Returns the steps in the name of a checkpoint."""
    return int(checkpoint.stem.split("_")[1])


def _learn(model: OnPolicyAlgorithm, envs: VecEnv, settings: PPOSettings, folder: Path) -> Path:
    """Trains model until it has played all its steps, and returns its file."""
    log = folder / LOG / f"from_{model.num_timesteps}"
    model.set_logger(configure(str(log), ["csv", "tensorboard"]))
    tests = make_envs(settings, NUM_EVAL_ENVS, TEST_SEED, split="test")
    callbacks = CallbackList([*_callbacks(settings, folder, tests), CostLog(), Progress()])
    try:
        model.learn(
            settings.total_timesteps - model.num_timesteps,
            callback=callbacks,
            reset_num_timesteps=model.num_timesteps == 0,
        )
    finally:
        model.logger.close()
        tests.close()
        envs.close()
        _save(model, folder)  # an interrupted run, too: it can be resumed
    return folder / MODEL


def _save(model: BaseAlgorithm, folder: Path) -> None:
    """Saves a model, and as the last checkpoint; files are whole or missing."""
    _checkpoint(model, folder)
    part = folder / "part.zip"
    model.save(part)
    part.replace(folder / MODEL)


def _checkpoint(model: BaseAlgorithm, folder: Path) -> None:
    """Saves a model under the number of its steps."""
    (folder / CHECKPOINTS).mkdir(exist_ok=True)
    part = folder / CHECKPOINTS / "part.zip"
    model.save(part)
    part.replace(folder / CHECKPOINTS / f"model_{model.num_timesteps}_steps.zip")


def _callbacks(settings: PPOSettings, folder: Path, tests: VecEnv) -> list[BaseCallback]:
    """Returns the callbacks of a training: checkpoints and evaluations on test tasks."""
    kind = MaskableEvalCallback if settings.algorithm == "maskable" else EvalCallback
    return [
        Checkpoints(folder, settings.checkpoint_every),
        kind(
            tests,
            eval_freq=max(1, settings.eval_every // settings.num_envs),
            n_eval_episodes=settings.eval_episodes,
            verbose=0,
        ),
    ]


class Checkpoints(BaseCallback):
    """Saves the model every so many steps; SB3's own leaves half a file in a run that is killed."""

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__()
        self._folder, self._every = folder, every

    def _on_training_start(self) -> None:
        """Begins to count."""
        self._last = self.num_timesteps

    def _on_step(self) -> bool:
        """Saves the model when it is due."""
        if self.num_timesteps - self._last >= self._every:
            self._last = self.num_timesteps
            _checkpoint(self.model, self._folder)
        return True


class CostLog(BaseCallback):
    """Logs processor time of this process since the start, the share of learning, and threads."""

    def _on_training_start(self) -> None:
        """Begins to count."""
        self._started_s = self._played_s = time.process_time()
        self._learning_s = 0.0

    def _on_rollout_start(self) -> None:
        """Counts what was learned since the last step; before the first, nothing."""
        self._learning_s += time.process_time() - self._played_s

    def _on_step(self) -> bool:
        """Goes on."""
        return True

    def _on_rollout_end(self) -> None:
        """Adds to what is logged next."""
        self._played_s = time.process_time()
        self.logger.record("time/processor_s", self._played_s - self._started_s)
        self.logger.record("time/learning_s", self._learning_s)
        self.logger.record("time/num_threads", torch.get_num_threads())


class Progress(BaseCallback):
    """Shows a bar with the share of recent episodes that succeeded; SB3's own needs `rich`."""

    def _on_training_start(self) -> None:
        """Draws the bar."""
        total = self.model._total_timesteps
        self._bar = tqdm(total=total, initial=self.model.num_timesteps, unit=" steps")

    def _on_step(self) -> bool:
        """Moves the bar."""
        self._bar.update(self.training_env.num_envs)
        return True

    def _on_rollout_end(self) -> None:
        """Shows how many succeed."""
        successes = self.model.ep_success_buffer
        if successes:
            self._bar.set_postfix(success=f"{sum(successes) / len(successes):.2f}")

    def _on_training_end(self) -> None:
        """Closes the bar."""
        self._bar.close()
