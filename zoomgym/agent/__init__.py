"""Agents: what one is, what it sees, and how that is told to a model as messages."""

from zoomgym.agent.conversation import Message, images_of, new_messages, text_of, to_messages
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
    "Message",
    "MeteredAgent",
    "Observation",
    "SharedAgent",
    "episode_rng",
    "images_of",
    "is_privileged",
    "keyed",
    "look",
    "new_messages",
    "observe",
    "reply_to",
    "text_of",
    "to_messages",
    "usage_of",
]
