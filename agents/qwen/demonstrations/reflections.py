"""Reflections: an expert corrects, in the same conversation, what a student got wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from agents.qwen.demonstrations.collection import (
    NO_VIDEO,
    Attempt,
    Result,
    collect,
    describe_run,
    play_in_order,
    without_seconds,
)
from agents.qwen.demonstrations.demonstration import Demonstration, verify
from zoomgym.agent import Agent, Observation, is_privileged, usage_of
from zoomgym.envs import ZoomEnv
from zoomgym.errors import VideoError
from zoomgym.grading import read_choice
from zoomgym.records import Record
from zoomgym.rollout import finish_episode, watch_again

STUDENT_RIGHT = "student was right"
NOTHING_TO_CORRECT = "nothing to correct"
"""Reason if the student answered at once: there is no earlier turn."""


def reflect(
    envs: Sequence[ZoomEnv],
    task_ids: Sequence[str],
    *,
    student: Agent,
    student_name: str,
    expert: Agent,
    expert_name: str,
    out: Path,
    seed: int = 0,
) -> Iterator[Attempt]:
    """Plays a student on tasks, lets an expert correct its failures, keeps what `verify` accepts.

    The student's wrong answer is dropped, as it would end the episode, and the expert continues. If
    too few turns or frames are left, more of the student's last turns are dropped, but never its
    first. An expert's `correct(observation, wrong)`, if it has one, makes its first reply; wrong is
    the option that the student answered there, if any. All else is as in `demonstrate`.
    """

    def attempt(open_ids: Sequence[str]) -> Iterator[Result]:
        expert.reset(seed)
        for task_id, record in play_in_order(envs, student, student_name, open_ids, seed):
            if record is None:
                yield task_id, NO_VIDEO
            elif record.reward_parts.accuracy == 1:
                yield task_id, STUDENT_RIGHT
            else:
                yield task_id, _mend(envs[0], record, expert, expert_name)

    roles = {"method": "reflect", "student": student_name, "expert": expert_name}
    return collect(out, describe_run(envs[0], seed=seed, **roles), task_ids, attempt)


class Corrector:
    """An expert that takes over at first_turn, and first says what was wrong if it can.

    There, another agent answered wrong, or not at all.
    """

    def __init__(self, expert: Agent, first_turn: int, wrong: str | None) -> None:
        self._expert, self._first_turn, self._wrong = expert, first_turn, wrong
        self._correct: Callable[[Observation, str | None], str] | None = getattr(
            expert, "correct", None
        )
        self.privileged = is_privileged(expert)

    def reset(self, seed: int) -> None:
        """Resets the expert."""
        self._expert.reset(seed)

    def act(self, observation: Observation) -> str:
        """Corrects at its first turn, then acts as the expert does."""
        if self._correct is not None and len(observation.turns) == self._first_turn:
            return self._correct(observation, self._wrong)
        return self._expert.act(observation)

    def usage(self, episode_key: str) -> Mapping[str, float]:
        """Returns the expert's usage of an episode."""
        return usage_of(self._expert, episode_key)


def _mend(env: ZoomEnv, record: Record, expert: Agent, expert_name: str) -> Demonstration | str:
    """Returns the correction that keeps most of the student's turns, or why there is none."""
    last = len(record.turns) - 1
    reason = NOTHING_TO_CORRECT
    for num_kept in range(last, 0, -1):
        corrector = Corrector(expert, num_kept, _answered(record) if num_kept == last else None)
        name = f"{record.agent} > {expert_name}"
        try:
            watch_again(env, record, num_kept)
            mended = finish_episode(env, corrector, agent_name=name, seed=record.seed)
        except VideoError:
            return NO_VIDEO
        reason = verify(mended, num_kept)
        if not reason:
            return Demonstration(without_seconds(mended), num_kept)
    return reason


def _answered(record: Record) -> str | None:
    """Returns the option that was answered, if any."""
    if record.answer is None:
        return None
    choice = read_choice(record.answer, record.task.options)
    return None if choice is None else record.task.options[choice]
