"""One episode that the loop of another framework plays: messages out, replies in.

The framework keeps its loop, its client and its model; the rules stay in the environment, which
reads the raw text of every reply.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from zoomgym.conversation import Message, new_messages, to_messages
from zoomgym.envs import ZoomEnv
from zoomgym.records import Record
from zoomgym.rollout import to_record
from zoomgym.rules import score

__all__ = ["Session", "session_with"]


@dataclass(slots=True)
class Session:
    """An episode after another in an environment of its own.

    Sessions that run at the same time need one each, or a `ZoomEnv.fork` of one.
    """

    env: ZoomEnv
    is_native: bool = False
    """Whether the model calls tools natively, see `tool_schemas` and `write_completion`."""
    seed: int = 0
    """Of the episode."""

    def open(self, task_id: str | None = None, seed: int = 0) -> list[Message]:
        """Starts an episode, and returns its rules, overview and question.

        Args:
            task_id: the task; None draws one.
            seed: of the environment.

        Raises:
            TaskError: the task is unknown.
            VideoError: its video cannot be shown.
        """
        self.seed = seed
        self.env.begin(seed=seed, options={"task_id": task_id})
        return to_messages(self.env.observation, is_native=self.is_native)

    def reply(self, text: str) -> list[Message]:
        """Plays a turn with the raw text of a reply, and returns what came back.

        That is nothing at the end of the episode.

        Raises:
            ResetNeeded: the episode is over, or was never opened.
            VideoError: frames cannot be decoded; the turn is not played.
            FinderError: a search failed; the turn is not played.
            GradingError: the answer cannot be graded now; the turn is not played.
        """
        self.env.play(text)
        if self.env.video_error is not None:  # `on_video_error="skip"`
            raise self.env.video_error
        return new_messages(self.env.observation, is_native=self.is_native)[1:]

    @property
    def is_over(self) -> bool:
        """Whether the episode has ended."""
        return self.env.episode.is_over

    @property
    def reward(self) -> float:
        """The reward of the episode: 0 before its end."""
        return score(self.env.episode, self.env.reward_weights).total(self.env.reward_weights)

    @property
    def terms(self) -> dict[str, float]:
        """The terms of the reward, unweighted, by name: all 0 before the end."""
        return score(self.env.episode, self.env.reward_weights).by_name()

    def record(self, agent_name: str) -> Record:
        """Returns the record of the episode, which is over, for `write_records`."""
        return to_record(self.env, agent_name=agent_name, seed=self.seed, agent_s=0.0)


def session_with(arguments: Mapping[str, Any]) -> Session:
    """Returns a new session in a fork of the one environment that is made of these arguments.

    So tasks are opened once for all sessions of a process. Arguments are JSON, as in a file of
    settings.
    """
    return Session(_made(json.dumps(arguments, sort_keys=True)).fork())


@lru_cache(maxsize=8)
def _made(arguments: str) -> ZoomEnv:
    """Returns an environment that is never played itself."""
    return ZoomEnv(**json.loads(arguments))
