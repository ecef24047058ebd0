"""Agents in pairs: by how much one is more accurate than another on the tasks that both played."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.evaluation.metrics import video_of
from benchmarks.evaluation.statistics import Estimate, bootstrap
from benchmarks.evaluation.terms import part_of
from zoomgym.records import Record

__all__ = ["Pair", "pairs"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two agents on the same tasks."""

    agent: str
    against: str
    difference: Estimate
    """How much more accurate the first one is. Its interval is drawn over tasks, in pairs."""
    num_better: int
    """Tasks on which the first one is right and the other is not, or is so more often."""
    num_worse: int


def pairs(records: Sequence[Record], agents: Sequence[str]) -> list[Pair]:
    """Returns every pair of agents that have graded tasks in common, in the order of agents.

    Args:
        records: every episode that counts. Several of an agent on one task count as their mean.
        agents: who is compared.
    """
    by_agent = {agent: _accuracies(records, agent) for agent in agents}
    found = []
    for agent, against in combinations(agents, 2):
        ours, theirs = by_agent[agent], by_agent[against]
        shared = [task for task in ours if task in theirs]
        differences = [ours[task] - theirs[task] for task in shared]
        if differences:
            estimate = bootstrap(differences, [task.video for task in shared], (-1.0, 1.0))
            num_better = sum(value > 0 for value in differences)
            num_worse = sum(value < 0 for value in differences)
            found.append(Pair(agent, against, estimate, num_better, num_worse))
    return found


@dataclass(frozen=True, slots=True)
class PlayedTask:
    """What makes a task the same one for two agents."""

    part: Hashable
    task_id: str
    video: Hashable


def _accuracies(records: Sequence[Record], agent: str) -> dict[PlayedTask, float]:
    """Returns the mean accuracy of an agent on each task that was graded."""
    by_task: dict[PlayedTask, list[float]] = {}
    for record in records:
        if record.agent == agent and record.is_graded:
            task = PlayedTask(part_of(record), record.task.id, video_of(record))
            by_task.setdefault(task, []).append(record.reward_parts.accuracy)
    return {task: math.fsum(values) / len(values) for task, values in by_task.items()}
