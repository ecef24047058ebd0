"""Exemplars: what an expert does on its own, where it does well."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from agents.qwen.demonstrations.collection import Attempt, Result, collect, describe_run
from agents.qwen.demonstrations.demonstration import Demonstration
from agents.qwen.demonstrations.playing import NO_VIDEO, play_in_order
from agents.qwen.demonstrations.verifier import verify
from zoomgym.agent import Agent
from zoomgym.envs.env import ZoomEnv

__all__ = ["demonstrate"]


def demonstrate(
    envs: Sequence[ZoomEnv],
    task_ids: Sequence[str],
    *,
    expert: Agent,
    expert_name: str,
    out: Path,
    seed: int = 0,
) -> Iterator[Attempt]:
    """Plays an expert on tasks, keeps what `verify` accepts, and yields what became of each task.

    A demonstration is written as soon as it is made. Run again with the same arguments, or more
    tasks, it goes on where it was stopped; no task is tried twice. The same seed makes the same
    file.

    Args:
        envs: alike; more than one is of use to an expert with `act_batch`.
        task_ids: the tasks to play.
        expert: any agent.
        expert_name: what the records call it.
        out: file of demonstrations; the rejected tasks stand beside it, see `rejected_path`.
        seed: of expert and environments.

    Raises:
        RecordError: out holds demonstrations of another run, or is wrong.
        AgentError: the expert cannot reply.
        GradingError: an answer cannot be graded now.
    """

    def attempt(open_ids: Sequence[str]) -> Iterator[Result]:
        for task_id, record in play_in_order(envs, expert, expert_name, open_ids, seed):
            if record is None:
                yield task_id, NO_VIDEO
            else:
                yield task_id, verify(record) or Demonstration(record)

    run = describe_run(envs[0], method="demonstrate", expert=expert_name, seed=seed)
    return collect(out, run, task_ids, attempt)
