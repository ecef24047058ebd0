"""Conversations: what a model is shown of an episode, as messages, and its words as a reply.

Every client is served from here: chat endpoints, trainers, evaluators. Only the pictures that an
agent has paid for are in messages.
"""

from zoomgym.conversation.completions import write_completion
from zoomgym.conversation.forms import data_url, taken_apart, to_openai, to_pil
from zoomgym.conversation.messages import (
    ImagePart,
    Message,
    TextPart,
    images_of,
    new_messages,
    text_of,
    to_messages,
)
from zoomgym.conversation.tools import tool_schemas

__all__ = [
    "ImagePart",
    "Message",
    "TextPart",
    "data_url",
    "images_of",
    "new_messages",
    "taken_apart",
    "text_of",
    "to_messages",
    "to_openai",
    "to_pil",
    "tool_schemas",
    "write_completion",
]
