"""Agents: what one is, and what it sees."""

from zoomgym.agent.observation import Frames, Observation, keyed, look, observe
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
    "Frames",
    "MeteredAgent",
    "Observation",
    "SharedAgent",
    "episode_rng",
    "is_privileged",
    "keyed",
    "look",
    "observe",
    "reply_to",
    "usage_of",
]
