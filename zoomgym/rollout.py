"""Plays episodes: an agent in an environment, from reset to record."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import gymnasium as gym

from zoomgym.agent import Agent, is_privileged
from zoomgym.env import ZoomEnv
from zoomgym.episode import score
from zoomgym.records import Record

__all__ = ["run_episode", "run_episodes"]


def run_episode(
    env: gym.Env[Any, Any], agent: Agent, *, agent_name: str, task_id: str | None = None, seed: int
) -> Record:
    """Plays one episode and returns its record.

    Args:
        env: a ZoomEnv, wrapped or not.
        agent: already reset.
        agent_name: what the record calls it.
        task_id: the task to play; None draws one.
        seed: of the environment. The same seed and task give the same episode.

    Raises:
        TypeError: env is no ZoomEnv.
        VideoError: the task's video cannot be shown.
    """
    zoom_env = env.unwrapped
    if not isinstance(zoom_env, ZoomEnv):
        raise TypeError(f"run_episode needs a ZoomEnv, got {type(zoom_env).__name__}")
    env.reset(seed=seed, options=None if task_id is None else {"task_id": task_id})
    agent_s = decode_s = 0.0
    while not zoom_env.episode.is_over:
        observation = zoom_env.observation
        if is_privileged(agent):
            observation = replace(observation, evidence=zoom_env.episode.task.evidence)
        started_s = time.perf_counter()
        reply = agent.act(observation)
        agent_s += time.perf_counter() - started_s
        env.step(reply)
        if zoom_env.video_error is not None:  # half an episode is no record
            raise zoom_env.video_error
        decode_s = zoom_env.decode_s
    return _to_record(zoom_env, agent_name, seed, agent_s, decode_s)


def run_episodes(
    env: gym.Env[Any, Any], agent: Agent, *, agent_name: str, task_ids: Iterable[str], seed: int
) -> Iterator[Record]:
    """Plays one episode on each task, and yields each record as it is finished.

    Args:
        env: a ZoomEnv, wrapped or not.
        agent: is reset first, with seed.
        agent_name: what the records call it.
        task_ids: the tasks to play, in order.
        seed: of agent and environment.
    """
    agent.reset(seed)
    for task_id in task_ids:
        yield run_episode(env, agent, agent_name=agent_name, task_id=task_id, seed=seed)


def _to_record(env: ZoomEnv, agent_name: str, seed: int, agent_s: float, decode_s: float) -> Record:
    """Returns the record of the episode that env has just finished."""
    from zoomgym import __version__  # the package's own __init__ imports this floor's neighbours

    episode, parts = env.episode, score(env.episode)
    return Record(
        version=__version__,
        agent=agent_name,
        seed=seed,
        task_set=env.tasks.name,
        task_set_version=env.tasks.version,
        task_set_hash=env.tasks.content_hash,
        settings=env.settings,
        task=episode.task,
        rules=episode.rules,
        key=episode.key,
        duration_s=episode.duration_s,
        last_frame_s=episode.last_frame_s,
        turns=episode.turns,
        answer=episode.answer,
        end_reason=episode.end_reason,
        frames_used=episode.frames_used,
        reward_parts=parts,
        reward=parts.total(env.reward_weights),
        agent_s=agent_s,
        decode_s=decode_s,
        grading=episode.graded_by,
    )
