"""Plays tasks in order, some side by side; a video that cannot be shown costs only its own task."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from zoomgym.agent import Agent, BatchAgent
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import VideoError
from zoomgym.records import Record
from zoomgym.rollout import run_episodes

__all__ = ["NO_VIDEO", "play_in_order", "without_seconds"]

NO_VIDEO = "video cannot be shown"
ROUND = 4
"""Episodes for each environment before they are passed on, in the order of their tasks."""

logger = logging.getLogger(__name__)


def play_in_order(
    envs: Sequence[ZoomEnv], agent: Agent, agent_name: str, task_ids: Sequence[str], seed: int
) -> Iterator[tuple[str, Record | None]]:
    """Yields every task's id and record, in order; None where the video cannot be shown.

    Args:
        envs: alike; an agent with `act_batch` plays in all of them at once.
        agent: is reset, perhaps more than once, with seed.
        agent_name: what the records call it.
        task_ids: the tasks to play.
        seed: of agent and environments.
    """
    size = ROUND * len(envs) if isinstance(agent, BatchAgent) else 1
    for first in range(0, len(task_ids), size):
        wanted = task_ids[first : first + size]
        try:
            played = run_episodes(envs, agent, agent_name=agent_name, task_ids=wanted, seed=seed)
            records = {record.task.id: without_seconds(record) for record in played}
        except VideoError as error:
            if len(wanted) == 1:
                logger.warning("%s: %s", wanted[0], error)
                yield wanted[0], None
            else:  # which of them it was is not known
                for one in wanted:
                    yield from play_in_order(envs[:1], agent, agent_name, [one], seed)
            continue
        for task_id in wanted:
            yield task_id, records.get(task_id)  # not there: skipped


def without_seconds(record: Record) -> Record:
    """Returns the record without wall clock, so that the same seed makes the same file."""
    return replace(record, agent_s=0.0, decode_s=0.0)
