"""Protocols of agents, which turn observations into replies."""

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from zoomgym.agent.observation import Observation


class Agent(Protocol):
    """Replies to observations.

    State and randomness that belong to an episode are keyed by `observation.episode_key` (see
    `episode_rng`), so that batching, resuming and other machines change no result. An agent with a
    true attribute `privileged` is told the evidence segments of its task, nothing else.
    """

    def reset(self, seed: int) -> None:
        """Seeds the agent and forgets every episode."""

    def act(self, observation: Observation) -> str:
        """Returns the reply to an observation."""


@runtime_checkable
class BatchAgent(Protocol):
    """An agent that can reply to many observations at once, of as many episodes."""

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        """Returns the replies to observations, in their order: those that `act` would give."""


@runtime_checkable
class SharedAgent(Protocol):
    """An agent, such as a served model, that threads may share, each with episodes of its own."""

    max_concurrent: int
    """Most replies to ask for at once."""


@runtime_checkable
class MeteredAgent(Protocol):
    """An agent that counts what its episodes use: tokens, requests, money."""

    def usage(self, episode_key: str) -> Mapping[str, float]:
        """Returns what a finished episode has used, by name, and forgets it."""


def reply_to(agent: Agent, observations: Sequence[Observation]) -> list[str]:
    """Returns the replies of an agent to observations of different episodes, in their order."""
    if len(observations) > 1 and isinstance(agent, BatchAgent):
        return agent.act_batch(observations)
    return [agent.act(observation) for observation in observations]


def usage_of(agent: Agent, episode_key: str) -> Mapping[str, float]:
    """Returns what a finished episode has used; empty if the agent does not count."""
    return dict(agent.usage(episode_key)) if isinstance(agent, MeteredAgent) else {}


def is_privileged(agent: Agent) -> bool:
    """Returns whether an agent declares that it is told the evidence."""
    return bool(getattr(agent, "privileged", False))


def episode_rng(seed: int, observation: Observation) -> np.random.Generator:
    """Returns the random numbers of one turn: the same in any order, batch or process."""
    turn = len(observation.turns)
    key = observation.episode_key.encode("utf-8", "surrogatepass")  # names come from strangers
    return np.random.default_rng([seed, turn, *key])
