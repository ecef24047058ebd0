"""One episode, played from reset to record, for tests."""

from typing import Any

import gymnasium as gym

from zoomgym.agent import Agent
from zoomgym.records import Record
from zoomgym.rollout import finish_episode


def play_episode(
    env: gym.Env[Any, Any], agent: Agent, *, agent_name: str, task_id: str | None = None, seed: int
) -> Record:
    """Plays one episode with an agent that was reset already; without a task_id, one is drawn."""
    env.reset(seed=seed, options=None if task_id is None else {"task_id": task_id})
    return finish_episode(env, agent, agent_name=agent_name, seed=seed)
