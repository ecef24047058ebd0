"""Messages in the forms that clients want: OpenAI's API, and PIL pictures for trainers."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoomgym.conversation.messages import Message, images_of, text_of


def to_openai(
    messages: Sequence[Message], *, jpeg_quality: int = 0, urls: Iterable[str] | None = None
) -> list[dict[str, Any]]:
    """Returns messages as OpenAI's chat completions have them, their pictures as data URLs.

    Args:
        messages: of an episode.
        jpeg_quality: of the pictures, 1 to 100; 0 makes them PNG, without loss.
        urls: the data URLs of all pictures in order, where they are known already.
    """
    if urls is None:
        urls = (data_url(image, jpeg_quality) for image in images_of(messages))
    rest = iter(urls)
    written = []
    for message in messages:
        row: dict[str, Any] = {"role": message["role"], "content": text_of(message)}
        if message["role"] == "user":
            row["content"] = [
                {"type": "image_url", "image_url": {"url": next(rest)}}
                if part["type"] == "image"
                else dict(part)
                for part in _joined(message)
            ]
        written.append(row | _of_calls(message))
    return written


def to_pil(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Returns messages with PIL pictures, as chat templates of transformers and TRL read them.

    Text that looks like a special token of a model is taken apart: a question cannot end a message,
    or ask for a picture.
    """
    return [
        {
            "role": message["role"],
            "content": [
                {"type": "image", "image": Image.fromarray(part["image"])}
                if part["type"] == "image"
                else {"type": "text", "text": taken_apart(part["text"])}
                for part in _joined(message)
            ],
        }
        | _of_calls(message)
        for message in messages
    ]


def taken_apart(text: str) -> str:
    """Returns text without special tokens: those of Qwen and many others begin with `<|`."""
    return text.replace("<|", "< |")


def data_url(image: NDArray[np.uint8], jpeg_quality: int = 0) -> str:
    """Returns a picture, (H, W, 3) uint8 RGB, as a data URL: JPEG, or PNG at quality 0."""
    file = BytesIO()
    if jpeg_quality:
        Image.fromarray(image).save(file, "JPEG", quality=jpeg_quality, subsampling=0)
    else:
        Image.fromarray(image).save(file, "PNG", compress_level=1)
    kind = "jpeg" if jpeg_quality else "png"
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"


def _joined(message: Message) -> list[Any]:
    """Returns the parts of a message, neighboring texts as one: some servers part them by lines."""
    parts: list[Any] = []
    for part in message["content"]:
        if part["type"] == "text" and parts and parts[-1]["type"] == "text":
            parts[-1] = {"type": "text", "text": parts[-1]["text"] + part["text"]}
        else:
            parts.append(part)
    return parts


def _of_calls(message: Message) -> dict[str, Any]:
    """Returns the fields of a message that tell of native calls."""
    return {name: message[name] for name in ("tool_calls", "tool_call_id") if name in message}
