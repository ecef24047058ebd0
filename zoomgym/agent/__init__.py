"""Agents: what one is, what it sees, and how that is told to a model as messages."""

from zoomgym.agent.protocol import (
    Agent,
    BatchAgent,
    MeteredAgent,
    SharedAgent,
    episode_rng,
    is_privileged,
    reply_to,
    usage_of,
)

__all__ = [
    "Agent",
    "BatchAgent",
    "MeteredAgent",
    "SharedAgent",
    "episode_rng",
    "is_privileged",
    "reply_to",
    "usage_of",
]
