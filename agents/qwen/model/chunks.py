"""Chunks of a conversation, which a model reads at once: token ids and picture patches."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import torch
from PIL import Image
from torch import Tensor

from agents.qwen.model.loading import IMAGE_TOKEN, Processor
from zoomgym.conversation import Message, images_of, taken_apart

ASSISTANT = "<|im_start|>assistant\n"
"""Text before every reply."""
END = "<|im_end|>"
"""Text after every message."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """A part of a conversation, as a model reads it.

    Raises:
        ValueError: its image tokens are not those of its pictures.
    """

    ids: tuple[int, ...]
    image_token_id: int
    merge: int = 2
    """Patches along each side of an image token."""
    pixels: Tensor | None = None
    """Patches of all pictures, (patches, patch size) float32; None if there are none."""
    grids: tuple[tuple[int, int, int], ...] = ()
    """Sizes of the pictures in patches: (time, height, width)."""

    def __post_init__(self) -> None:
        """Counts image tokens: a picture too many or too few would shift all that follow it."""
        num_needed = sum(self.tokens_of(grid) for grid in self.grids)
        num_found = self.ids.count(self.image_token_id)
        num_patches = 0 if self.pixels is None else len(self.pixels)
        if num_found != num_needed or num_patches != num_needed * self.merge**2:
            raise ValueError(
                f"{len(self.grids)} pictures need {num_needed} image tokens of {self.merge**2} "
                f"patches, got {num_found} tokens and {num_patches} patches: "
                "check the chat template and the processor"
            )

    def tokens_of(self, grid: tuple[int, int, int]) -> int:
        """Returns how many image tokens a picture takes."""
        time, height, width = grid
        return time * height * width // self.merge**2

    def positions(self, first: int) -> Tensor:
        """Returns the (3, tokens) rotary positions, the first token at first.

        Each token of text adds one. A picture has one position in time and spans its rows and
        columns; the text after it continues from the longer of the two.

        Source: `get_rope_index` of Qwen2.5-VL, Qwen3-VL and Qwen3.5, transformers 5.23: their
        multimodal rotary embeddings place pictures alike, and differ only for videos.
        """
        columns: list[Tensor] = []
        at = 0
        for grid in self.grids:
            num_text = self.ids.index(self.image_token_id, at) - at
            columns.append(torch.arange(first, first + num_text).expand(3, -1))
            first += num_text
            sides = (grid[0], grid[1] // self.merge, grid[2] // self.merge)
            axes = [torch.arange(first, first + side) for side in sides]
            columns.append(torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1))
            first += max(sides)
            at += num_text + self.tokens_of(grid)
        columns.append(torch.arange(first, first + len(self.ids) - at).expand(3, -1))
        return torch.cat(columns, dim=1)


def encode(processor: Processor, messages: Sequence[Message], *, after: str = "") -> Chunk:
    """Returns new messages, and the beginning of the reply to them, as a chunk.

    The model has already read the beginning of their text, `after`. Text that looks like one of the
    model's special tokens is taken apart.

    Raises:
        ValueError: the image tokens are not those of the pictures in messages, or the text does
            not begin with after.
    """
    plain = [_plain(message) for message in messages]
    text = processor.tokenizer.apply_chat_template(
        plain, chat_template=processor.chat_template, tokenize=False, add_generation_prompt=True
    )
    if not text.startswith(after):
        raise ValueError(f"messages need to begin with {after!r}, got {text[:60]!r}")
    pictures = [Image.fromarray(image) for image in images_of(messages)]
    if text.count(IMAGE_TOKEN) != len(pictures):
        raise ValueError(
            f"{len(pictures)} pictures need as many places in the text, got "
            f"{text.count(IMAGE_TOKEN)}: check the chat template"
        )
    sizes: list[tuple[int, int, int]] = []
    pixels = None
    merge = processor.image_processor.merge_size
    if pictures:  # the processor itself takes milliseconds to sort its arguments, for each text
        read = processor.image_processor(images=pictures, return_tensors="pt")
        pixels, sizes = (
            read["pixel_values"],
            [tuple(grid) for grid in read["image_grid_thw"].tolist()],
        )
    first, *rest = text.removeprefix(after).split(IMAGE_TOKEN)
    for (time, height, width), part in zip(sizes, rest, strict=True):
        first += IMAGE_TOKEN * (time * height * width // merge**2) + part
    return Chunk(
        ids=tuple(processor.tokenizer(first)["input_ids"]),
        image_token_id=processor.image_token_id,
        merge=merge,
        pixels=pixels,
        grids=tuple(sizes),
    )


def encode_response(processor: Processor, response: Sequence[Message], last_id: int) -> Chunk:
    """Returns the user's messages after a reply that stays as it was sampled, as a chunk.

    It begins by ending the reply, unless last_id, the reply's last id, has done so.
    """
    tokenizer = processor.tokenizer
    end = tokenizer.convert_tokens_to_ids(END)
    newline = tokenizer.encode("\n", add_special_tokens=False)
    chunk = encode(processor, response)
    return replace(chunk, ids=(*([] if last_id == end else [end]), *newline, *chunk.ids))


def encode_turns(processor: Processor, messages: Sequence[Message]) -> list[Chunk]:
    """Returns an episode as its agent reads it: the opening, then each reply with its response.

    Raises:
        ValueError: the image tokens are not those of the pictures in messages.
    """
    replies = [index for index, message in enumerate(messages) if message["role"] == "assistant"]
    turns = [messages[first:last] for first, last in pairwise([*replies, len(messages)])]
    opening = encode(processor, messages[: replies[0]] if replies else messages)
    return [opening, *(encode(processor, turn, after=ASSISTANT) for turn in turns)]


def join(chunks: Sequence[Chunk]) -> Chunk:
    """Returns chunks that follow one another as one."""
    pixels = [chunk.pixels for chunk in chunks if chunk.pixels is not None]
    return replace(
        chunks[0],
        ids=tuple(id_ for chunk in chunks for id_ in chunk.ids),
        pixels=torch.cat(pixels) if pixels else None,
        grids=tuple(grid for chunk in chunks for grid in chunk.grids),
    )


def num_said(processor: Processor, turn: Chunk) -> int:
    """Returns how many of the ids of a turn are the reply, with the token that ends it."""
    return turn.ids.index(processor.tokenizer.convert_tokens_to_ids(END)) + 1


def _plain(message: Message) -> dict[str, object]:
    """Returns a message for the chat template, without special tokens in its text."""
    parts = [
        {"type": "image"}
        if part["type"] == "image"
        else {**part, "text": taken_apart(part["text"])}
        for part in message["content"]
    ]
    return {"role": message["role"], "content": parts}
