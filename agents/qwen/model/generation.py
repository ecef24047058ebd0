"""Continues many conversations at once, and remembers what the model has read in each.

A conversation's memory is the keys and values of its own tokens, without padding, as a chain of
segments. Copies share their past, so the prompt of a group is read and stored once; each turn reads
only new tokens and new pictures; rows of any length, age and frame size fit into one batch. Of
recurrent layers, which cannot be cut to a shorter past, a conversation keeps the state after all
that it has read.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from agents.qwen.model.attention import KeysAndValues, Span, Spans, State, see, use_layouts
from agents.qwen.model.chunks import Chunk
from agents.qwen.model.decoding import Continuation

MAX_STOP_TOKENS = 16
"""Last tokens that are searched for a stop text."""
SHARE_KEPT = 0.75
"""Share of a batch that still speaks, from which on the others are left out of it."""


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
    states: tuple[State, ...] = ()
    """States of the recurrent layers after all that was read."""
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

    A batch has at most max_tokens; a longer row goes alone.
    """
    use_layouts(model)
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
    use_layouts(model)
    logits = torch.stack([_logits(conversation) for conversation in conversations])
    memories = [conversation.memory for conversation in conversations]
    decoder = Continuation(
        model,
        memories,
        [one.next_position for one in conversations],
        [one.states for one in conversations],
    )
    draws = np.stack([rng.random(sampling.max_tokens) for rng in rngs])
    replies = [GrowingReply(tokenizer, sampling.stop) for _ in conversations]
    rows = list(range(len(conversations)))
    """Rows of the decoder, as places among the conversations."""
    for step in range(sampling.max_tokens):
        ids, chosen = _sample(logits, draws[rows, step], sampling)
        for row, id_, log_prob in zip(rows, ids, chosen, strict=True):
            replies[row].add(id_, log_prob)
        going = [place for place, row in enumerate(rows) if not replies[row].is_over]
        is_last = not going or step == sampling.max_tokens - 1
        is_thinned = len(going) <= SHARE_KEPT * len(rows)
        if decoder.is_recurrent:  # states go on, so rows leave when they end
            is_thinned = len(going) < len(rows)
        if is_last or is_thinned:
            leaving = range(len(rows)) if is_last else sorted({*range(len(rows))} - {*going})
            for place in leaving:
                num_read = (
                    len(replies[rows[place]].ids) - 1
                )  # the last is read with what comes back
                _remember(conversations[rows[place]], decoder.segment(place, num_read), num_read)
                conversations[rows[place]].states = decoder.states(place)
        if is_last:
            break
        if is_thinned:
            decoder.keep(going)
            rows, ids = [rows[place] for place in going], [ids[place] for place in going]
        logits = widened(decoder.step(ids))
    done = [reply.whole() for reply in replies]
    for conversation, reply in zip(conversations, done, strict=True):
        conversation.answer(reply)
    return done


def end_reply(
    tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], log_probs: Sequence[float], stop: str
) -> Reply:
    """Returns sampled ids as a reply that ends where one of `say` would."""
    reply = GrowingReply(tokenizer, stop)
    for id_, log_prob in zip(ids, log_probs, strict=True):
        reply.add(id_, log_prob)
    return reply.whole()


class GrowingReply:
    """A reply that ends with the model's own end token, or with a stop text.

    Only ids whose own text has the last character of the stop text can complete it: so most ids
    need no text, and a reply is decoded once.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, stop: str) -> None:
        self._tokenizer, self._stop = tokenizer, stop
        self._end_id = tokenizer.eos_token_id
        self._completing = _ids_with(tokenizer, stop[-1]) if stop else frozenset()
        self.ids: list[int] = []
        self._log_probs: list[float] = []
        self.is_over = False

    def add(self, id_: int, log_prob: float) -> None:
        """Adds what was sampled next; after the end, does nothing."""
        if self.is_over:
            return
        self.ids.append(id_)
        self._log_probs.append(log_prob)
        self.is_over = id_ == self._end_id or (
            id_ in self._completing
            and self._stop in self._tokenizer.decode(self.ids[-MAX_STOP_TOKENS:])
        )

    def whole(self) -> Reply:
        """Returns the reply, with its text cut after the stop text."""
        text = str(self._tokenizer.decode(self.ids, skip_special_tokens=True))
        if self._stop and self._stop in text:
            text = text[: text.index(self._stop) + len(self._stop)]
        return Reply(tuple(self.ids), tuple(self._log_probs), text)


@lru_cache(maxsize=8)
def _ids_with(tokenizer: PreTrainedTokenizerBase, character: str) -> frozenset[int]:
    """Returns the ids whose text has a character."""
    texts = tokenizer.batch_decode([[id_] for id_ in range(len(tokenizer))])
    return frozenset(id_ for id_, text in enumerate(texts) if character in text)


def widened(logits: Tensor) -> Tensor:
    """Returns logits in float32, or in float64 if the model computes in that."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _remember(conversation: Conversation, segment: KeysAndValues, num_read: int) -> None:
    """Adds what was read of a reply to a conversation."""
    if num_read:
        conversation.memory = (*conversation.memory, segment)
    conversation.next_position += num_read
    conversation.next_logits = None


def _read_batch(model: Any, conversations: Sequence[Conversation], pieces: Sequence[Piece]) -> None:
    """Lets conversations read pieces, one after the other in a row without padding."""
    ends = list(accumulate(len(piece.ids) for piece in pieces))
    spans = [
        Span(end - len(piece.ids), end, memory=conversation.memory, states=conversation.states)
        for conversation, piece, end in zip(conversations, pieces, ends, strict=True)
    ]
    layout = Spans(spans, keeps=True)
    device = model.device
    pictures = {}
    if any(piece.grids for piece in pieces):
        pixels = [piece.pixels for piece in pieces if piece.pixels is not None]
        grids = [grid for piece in pieces for grid in piece.grids]
        pictures = {
            "pixel_values": torch.cat(pixels).to(device),
            "image_grid_thw": torch.tensor(grids, device=device),
        }
    output = model(
        input_ids=torch.tensor([[id_ for piece in pieces for id_ in piece.ids]], device=device),
        attention_mask=see(layout),
        position_ids=torch.cat([piece.positions for piece in pieces], dim=1)[:, None].to(device),
        use_cache=False,
        logits_to_keep=torch.tensor(ends, device=device) - 1,
        **pictures,
    )
    for row, (conversation, span) in enumerate(zip(conversations, spans, strict=True)):
        conversation.memory = (*conversation.memory, layout.cut(span))
        conversation.states = layout.states_after(span)
        conversation.next_logits = widened(output.logits[0, row])


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
    """Yields rows in their order, as many at once as fit."""
    rows: list[int] = []
    total = 0
    for row, length in enumerate(lengths):
        total += length
        if rows and total > max_tokens:
            yield rows
            rows, total = [], length
        rows.append(row)
    if rows:
        yield rows
