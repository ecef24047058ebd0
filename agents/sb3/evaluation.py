"""Plays test tasks in the ordinary ZoomEnv with a trained policy, and keeps the records."""

from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from agents.sb3.policy import PpoAgent
from agents.sb3.settings import load_settings
from agents.threads import use_threads
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.records import Record, append_record
from zoomgym.rollout import run_episodes

__all__ = ["evaluate"]

NUM_ENVS = 16
"""Episodes side by side: the policy replies to all at once."""


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
