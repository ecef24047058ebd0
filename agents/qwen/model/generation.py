"""Continues many conversations at once, and remembers what the model has read in each.

A conversation's memory is the keys and values of its own tokens, without padding, as a chain of
segments. Copies share their past, so the prompt of a group is read and stored once; each turn reads
only new tokens and new pictures; rows of any length, age and frame size fit into one batch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache, PreTrainedTokenizerBase

from agents.qwen.model.chunks import Chunk

KeysAndValues = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, each (heads, tokens, size)."""
MAX_STOP_TOKENS = 16
"""Last tokens that are searched for a stop text."""


@dataclass(slots=True)
class Conversation:
    """What a model has read and said in one episode."""

    ids: list[int] = field(default_factory=list)
    """Ids of all that was read and said, in order."""
    is_said: list[bool] = field(default_factory=list)
    """Marks the ids that the model sampled."""
    log_probs: list[float] = field(default_factory=list)
    """Log-probs of sampled ids, under the model's own distribution at the temperature; else 0."""
    memory: tuple[KeysAndValues, ...] = ()
    num_pictures: int = 0
    """Pictures that were read."""
    pictures: tuple[NDArray[np.uint8], ...] = ()
    """Pictures as shown, each (H, W, 3), for a speaker that reads all of them in each turn."""
    next_position: int = 0
    """The rotary position of the next token."""
    next_logits: Tensor | None = None
    """Logits (vocabulary,) after all that was read, `widened`."""

    @property
    def num_read(self) -> int:
        """Number of ids the model has read: all, except perhaps the last it said."""
        return sum(segment[0][0].shape[1] for segment in self.memory)

    def copy(self) -> "Conversation":
        """Returns a conversation with the same past and a future of its own."""
        ids, is_said, log_probs = [*self.ids], [*self.is_said], [*self.log_probs]
        return replace(self, ids=ids, is_said=is_said, log_probs=log_probs)

    def hear(self, chunk: Chunk) -> None:
        """Adds a chunk, which others said."""
        self.ids += chunk.ids
        self.is_said += [False] * len(chunk.ids)
        self.log_probs += [0.0] * len(chunk.ids)
        self.num_pictures += len(chunk.grids)

    def answer(self, reply: "Reply") -> None:
        """Adds what the model said."""
        self.ids += reply.ids
        self.is_said += [True] * len(reply.ids)
        self.log_probs += reply.log_probs


@dataclass(frozen=True, slots=True)
class Sampling:
    """How replies are sampled, and where they end."""

    temperature: float
    """Temperature; 0 is greedy, with log-probs at temperature 1."""
    max_tokens: int
    """Most tokens of a reply."""
    stop: str = ""
    """Text that ends a reply: ASCII, at most 16 characters; empty if there is none."""
    banned_ids: tuple[int, ...] = ()
    """Ids that are never sampled; log-probs are those of the model all the same."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said in one turn."""

    ids: tuple[int, ...]
    """Ids as sampled, with the end token if it came."""
    log_probs: tuple[float, ...]
    text: str
    """Text without special tokens, cut after the stop text."""


@dataclass(frozen=True, slots=True)
class Piece:
    """What one conversation has yet to read."""

    ids: tuple[int, ...]
    positions: Tensor
    """Rotary positions, (3, tokens)."""
    pixels: Tensor | None = None
    grids: tuple[tuple[int, int, int], ...] = ()


@torch.no_grad()
def read(
    model: Any,
    conversations: Sequence[Conversation],
    chunks: Sequence[Chunk],
    *,
    max_tokens: int = 65_536,
) -> None:
    """Lets each conversation read its chunk: ids, memory and logits grow.

    A batch has at most max_tokens, padding included; a longer row goes alone.
    """
    pieces = []
    for conversation, chunk in zip(conversations, chunks, strict=True):
        unread = conversation.ids[conversation.num_read :]
        conversation.hear(chunk)
        said = torch.arange(len(unread)).expand(3, -1) + conversation.next_position
        positions = chunk.positions(conversation.next_position + len(unread))
        conversation.next_position = int(positions.max()) + 1
        pieces.append(
            Piece(
                (*unread, *chunk.ids),
                torch.cat([said, positions], dim=1),
                chunk.pixels,
                chunk.grids,
            )
        )
    for rows in _batches([len(piece.ids) for piece in pieces], max_tokens):
        _read_batch(model, [conversations[row] for row in rows], [pieces[row] for row in rows])


@torch.no_grad()
def say(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    conversations: Sequence[Conversation],
    rngs: Sequence[np.random.Generator],
    sampling: Sampling,
) -> list[Reply]:
    """Lets the model reply in each conversation.

    A row draws one random number a token from its own generator, so its reply does not depend on
    the others in the batch, up to the rounding of sums in batches of other sizes. At temperature 0,
    generators are unused. Replies are added to the conversations.
    """
    stop, max_tokens = sampling.stop, sampling.max_tokens
    batch = _Batch(model, conversations)
    draws = np.stack([rng.random(max_tokens) for rng in rngs])
    said: list[list[int]] = [[] for _ in conversations]
    log_probs: list[list[float]] = [[] for _ in conversations]
    going = list(range(len(conversations)))
    logits = torch.stack([_logits(conversation) for conversation in conversations])
    for step in range(max_tokens):
        ids, chosen = _sample(logits, draws[:, step], sampling)
        for row in going:
            said[row].append(ids[row])
            log_probs[row].append(chosen[row])
        going = [row for row in going if not _has_ended(tokenizer, said[row], stop)]
        if not going or step == max_tokens - 1:
            break
        logits = batch.step(ids)
    replies = [
        Reply(tuple(ids), tuple(chosen), _text(tokenizer, ids, stop))
        for ids, chosen in zip(said, log_probs, strict=True)
    ]
    for row, (conversation, reply) in enumerate(zip(conversations, replies, strict=True)):
        _remember(conversation, reply, batch.segment(row, len(reply.ids) - 1))
    return replies


def end_reply(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], log_probs: Sequence[float], stop: str
) -> Reply:
    """Returns sampled ids as a reply that ends where one of `say` would."""
    so_far: list[int] = []
    for id_ in ids:
        so_far.append(id_)
        if _has_ended(tokenizer, so_far, stop):
            break
    log_probs = tuple(log_probs[: len(so_far)])
    return Reply(tuple(so_far), log_probs, _text(tokenizer, so_far, stop))


def widened(logits: Tensor) -> Tensor:
    """Returns logits in float32, or in float64 if the model computes in that."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _has_ended(tokenizer: PreTrainedTokenizerBase, ids: list[int], stop: str) -> bool:
    """Returns whether a reply is complete with the last of its ids."""
    if ids[-1] == tokenizer.eos_token_id:
        return True
    return bool(stop) and stop in tokenizer.decode(ids[-MAX_STOP_TOKENS:])


def _text(tokenizer: PreTrainedTokenizerBase, ids: list[int], stop: str) -> str:
    """Returns ids as text without special tokens, cut after the stop text."""
    text = str(tokenizer.decode(ids, skip_special_tokens=True))
    return text[: text.index(stop) + len(stop)] if stop and stop in text else text


def _remember(conversation: Conversation, reply: Reply, segment: KeysAndValues) -> None:
    """Adds a reply to a conversation; its last id is read with what comes back."""
    if len(reply.ids) > 1:
        conversation.memory = (*conversation.memory, segment)
    conversation.answer(reply)
    conversation.next_position += len(reply.ids) - 1
    conversation.next_logits = None


class _Batch:
    """A batch of conversations, continued a token at a time.

    Rows that have ended continue too; what they read then is ignored.
    """

    def __init__(self, model: Any, conversations: Sequence[Conversation]) -> None:
        self._model = model
        self._cache, self._mask = _assemble(model, conversations)
        positions = [conversation.next_position for conversation in conversations]
        self._positions = torch.tensor(positions, device=model.device)
        self._num_before = self._mask.shape[1]

    def step(self, ids: Sequence[int]) -> Tensor:
        """Lets every row read its id, and returns the next (rows, vocabulary) logits."""
        self._mask = torch.nn.functional.pad(self._mask, (0, 1), value=1)
        output = self._model(
            input_ids=torch.tensor(ids, device=self._model.device)[:, None],
            attention_mask=self._mask,
            position_ids=self._positions[None, :, None].expand(3, -1, 1),
            past_key_values=self._cache,
            use_cache=True,
        )
        self._positions = self._positions + 1
        return widened(output.logits[:, -1])

    def segment(self, row: int, num_tokens: int) -> KeysAndValues:
        """Returns the first tokens that a row has read in this batch."""
        return _cut(self._cache, row, slice(self._num_before, self._num_before + num_tokens))


def _read_batch(model: Any, conversations: Sequence[Conversation], pieces: Sequence[Piece]) -> None:
    """Lets conversations read pieces, in one batch padded on the left."""
    device = model.device
    longest = max(len(piece.ids) for piece in pieces)
    cache, mask = _assemble(model, conversations)
    ids = torch.zeros(len(pieces), longest, dtype=torch.long)
    new_mask = torch.zeros(len(pieces), longest, dtype=torch.long)
    positions = torch.zeros(3, len(pieces), longest, dtype=torch.long)
    for row, piece in enumerate(pieces):
        start = longest - len(piece.ids)
        ids[row, start:] = torch.tensor(piece.ids)
        new_mask[row, start:] = 1
        positions[:, row, start:] = piece.positions
    pictures = {}
    if any(piece.grids for piece in pieces):
        pixels = [piece.pixels for piece in pieces if piece.pixels is not None]
        grids = [grid for piece in pieces for grid in piece.grids]
        pictures = {
            "pixel_values": torch.cat(pixels).to(device),
            "image_grid_thw": torch.tensor(grids, device=device),
        }
    output = model(
        input_ids=ids.to(device),
        attention_mask=torch.cat([mask, new_mask.to(device)], dim=1),
        position_ids=positions.to(device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
        **pictures,
    )
    for row, (conversation, piece) in enumerate(zip(conversations, pieces, strict=True)):
        last = slice(-len(piece.ids), None)
        conversation.memory = (*conversation.memory, _cut(cache, row, last))
        conversation.next_logits = widened(output.logits[row, -1])


def _assemble(model: Any, conversations: Sequence[Conversation]) -> tuple[DynamicCache, Tensor]:
    """Returns the memories as one cache padded on the left, and its (rows, tokens) mask."""
    text_config = model.config.get_text_config()
    cache = DynamicCache(config=text_config)
    lengths = [conversation.num_read for conversation in conversations]
    longest = max(lengths)
    mask = torch.zeros(len(lengths), longest, dtype=torch.long, device=model.device)
    for row, length in enumerate(lengths):
        mask[row, longest - length :] = 1
    if longest == 0:
        return cache, mask
    memories = [conversation.memory for conversation in conversations]
    for layer in range(text_config.num_hidden_layers):
        keys, values = (_stack(memories, layer, kind, longest) for kind in (0, 1))
        cache.update(keys, values, layer)
    return cache, mask


def _cut(cache: DynamicCache, row: int, span: slice) -> KeysAndValues:
    """Returns what a row has read in a span of a cache."""
    layers: list[Any] = cache.layers
    pairs = [(layer.keys[row, :, span], layer.values[row, :, span]) for layer in layers]
    return [(keys.clone(), values.clone()) for keys, values in pairs]  # frees the rest of the batch


def _stack(
    memories: Sequence[tuple[KeysAndValues, ...]], layer: int, kind: int, longest: int
) -> Tensor:
    """Returns the keys (kind 0) or values (1) of a layer: (rows, heads, longest, size)."""
    example = next(memory[0][layer][kind] for memory in memories if memory)
    heads, _, size = example.shape
    stacked = example.new_zeros(len(memories), heads, longest, size)
    for row, memory in enumerate(memories):
        end = longest
        for segment in reversed(memory):
            part = segment[layer][kind]
            stacked[row, :, end - part.shape[1] : end] = part
            end -= part.shape[1]
    return stacked


def _sample(logits: Tensor, draws: Any, sampling: Sampling) -> tuple[list[int], list[float]]:
    """Returns one id a row, and its log-prob; draws are uniform in [0, 1), one a row."""
    log_probs = (logits / (sampling.temperature or 1.0)).log_softmax(dim=-1)
    weights = log_probs.double().exp()
    weights[:, list(sampling.banned_ids)] = 0.0
    if sampling.temperature == 0:
        chosen = weights.argmax(dim=-1, keepdim=True)
    else:
        sums = weights.cumsum(dim=-1)
        total = sums[:, -1:]
        wanted = torch.as_tensor(draws, device=logits.device)[:, None] * total
        last = (sums < total).sum(dim=-1, keepdim=True)  # rounding must not pass all weights
        chosen = torch.minimum(torch.searchsorted(sums, wanted, right=True), last)
    return chosen[:, 0].tolist(), log_probs.gather(1, chosen)[:, 0].tolist()


def _logits(conversation: Conversation) -> Tensor:
    """Returns the next logits. Raises ValueError if nothing was read since the last reply."""
    if conversation.next_logits is None:
        raise ValueError("a conversation needs to have read something before a reply: call read")
    return conversation.next_logits


def _batches(lengths: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    """Yields rows in their order, as many at once as fit when padded to the longest."""
    rows: list[int] = []
    longest = 0
    for row, length in enumerate(lengths):
        longest = max(longest, length)
        if rows and longest * (len(rows) + 1) > max_tokens:
            yield rows
            rows, longest = [], length
        rows.append(row)
    if rows:
        yield rows
