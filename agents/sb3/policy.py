"""The agent `ppo:PATH`, a policy trained on ZoomEnvDiscrete, in the ordinary ZoomEnv."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3.common.on_policy_algorithm import OnPolicyAlgorithm
from tqdm import tqdm

from agents.sb3.cells import stack, to_cells
from agents.sb3.settings import MODEL, load_form, load_settings
from agents.sb3.training import CLASSES
from agents.threads import use_threads
from zoomgym.agent import Observation
from zoomgym.envs import Form
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.records import Record, append_record
from zoomgym.rollout import run_episodes

NUM_ENVS = 16
"""Test episodes side by side: the policy replies to all at once."""


class PpoAgent:
    """A trained policy that plays its most likely choice, given only the observation.

    So an episode is the same in any order, batch or process. A recurrent policy also reads what the
    agent saw before each of its earlier replies.

    Args:
        path: the folder that `python -m agents.sb3 train --out` made.

    Raises:
        OSError: there is no model. It is loaded at the first reset, once in a process.
    """

    def __init__(self, path: str) -> None:
        self._folder = Path(path)
        if not (self._folder / MODEL).is_file():
            raise FileNotFoundError(f"ppo needs a folder with {MODEL}, got {path!r}")

    def reset(self, seed: int) -> None:
        """Loads the policy; nothing about it is random."""
        newest_ns = (self._folder / MODEL).stat().st_mtime_ns
        self._form, self._model = _load(self._folder, newest_ns)

    def act(self, observation: Observation) -> str:
        """Returns the reply to one observation."""
        return self.act_batch([observation])[0]

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        """Returns the replies to observations of different episodes.

        Raises:
            ValueError: they are played by other rules than the policy was trained by.
        """
        for observation in observations:
            rules = replace(observation.rules, grammar=self._form.rules.grammar)
            if rules != self._form.rules:
                raise ValueError(
                    f"ppo:{self._folder} needs the rules it was trained by, {self._form.rules}, "
                    f"got {observation.rules}"
                )
        if isinstance(self._model, RecurrentPPO):
            choices = self._remember(self._model, observations)
        else:
            choices = self._choose(observations)
        return [
            self._form.reply(choice, seen)
            for choice, seen in zip(choices, observations, strict=True)
        ]

    def _choose(self, observations: Sequence[Observation]) -> list[int]:
        """Returns the choices of a policy without memory."""
        masks: dict[str, Any] = {}
        if isinstance(self._model, MaskablePPO):
            masks["action_masks"] = np.stack([self._form.masks(seen) for seen in observations])
        batch = to_cells(stack([self._form.see(seen) for seen in observations]))
        choices, _ = self._model.predict(batch, deterministic=True, **masks)
        return [int(choice) for choice in choices]

    def _remember(self, model: RecurrentPPO, observations: Sequence[Observation]) -> list[int]:
        """Returns the choices of a policy with memory, which sees all that each agent saw."""
        lives = [[*history(seen), seen] for seen in observations]
        longest = sorted(range(len(lives)), key=lambda index: -len(lives[index]))
        choices, state = [0] * len(lives), None
        for turn in range(len(lives[longest[0]])):
            going = [index for index in longest if len(lives[index]) > turn]  # a beginning of it
            batch = to_cells(stack([self._form.see(lives[index][turn]) for index in going]))
            if state is not None:
                state = tuple(part[:, : len(going)] for part in state)
            is_start = np.full(len(going), turn == 0)
            chosen, state = model.predict(batch, state, is_start, deterministic=True)
            for index, choice in zip(going, chosen, strict=True):
                choices[index] = int(choice)  # that of its last turn stays
        return choices


def history(observation: Observation) -> list[Observation]:
    """Returns what the agent saw before each of its earlier replies."""
    earlier, turns = [], observation.turns
    for index in range(len(turns)):
        num_clips = sum(before.shown is not None for before in turns[:index])
        unseen = sum(len(clip.times_s) for clip in observation.clips[num_clips:])
        earlier.append(
            replace(
                observation,
                clips=observation.clips[:num_clips],
                turns=turns[:index],
                feedback=turns[index - 1].feedback if index else "",
                frames_left=observation.frames_left + unseen,
                turns_left=observation.turns_left + len(turns) - index,
            )
        )
    return earlier


@lru_cache(maxsize=4)
def _load(folder: Path, newest_ns: int) -> tuple[Form, OnPolicyAlgorithm]:
    """Returns form and model, as saved at newest_ns. Raises OSError."""
    kind = CLASSES[load_settings(folder).algorithm]
    return load_form(folder), kind.load(folder / MODEL, device="cpu")


def evaluate(folder: Path, num_episodes: int, out: Path, **changes: Any) -> list[Record]:
    """Plays the first test tasks, appends a record of each to out, and returns the records.

    Args:
        folder: of the policy.
        num_episodes: how many tasks.
        out: a records file.
        **changes: of the arguments of the environment that the policy was trained on. Weights of
            the reward are those of ZoomEnv if none are given, not those of the training: records
            of all agents have the same.
    """
    settings = load_settings(folder)
    use_threads(settings.num_threads)
    trained = {name: value for name, value in settings.env.items() if name != "reward_weights"}
    arguments = {**trained, "split": "test", **changes}
    envs = [ZoomEnvDiscrete(**arguments).zoom_env for _ in range(NUM_ENVS)]
    tasks = envs[0].tasks
    task_ids = [tasks[index].id for index in islice(range(len(tasks)), num_episodes)]
    agent, records = PpoAgent(str(folder)), []
    played = run_episodes(envs, agent, agent_name=f"ppo:{folder}", task_ids=task_ids, seed=0)
    for record in tqdm(played, total=len(task_ids), unit=" episodes"):
        append_record(out, record)
        records.append(record)
    for env in envs:
        env.close()
    return records
