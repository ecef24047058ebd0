"""Continues conversations a token at a time.

Keys and values lie in buffers that are made ahead and grow by blocks. What conversations share, the
prompt of a group, lies there once, and a step reads it once for all of them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import rms_norm

from agents.qwen.model.attention import ATTENDING, KeysAndValues, State, bare, layer_kinds

BLOCK = 64
"""Tokens by which buffers grow."""
Memory = Sequence[KeysAndValues]
"""Segments that followed one another in a conversation."""


class Continuation:
    """A batch of conversations that continue from their memories, each by the same number of ids.

    Args:
        model: with adapters or not.
        memories: of each conversation. First segments that are the same object are stored once.
        positions: rotary positions of the next tokens.
        states: of the recurrent layers, of each conversation.
    """

    def __init__(
        self,
        model: Any,
        memories: Sequence[Memory],
        positions: Sequence[int],
        states: Sequence[Sequence[State]],
    ) -> None:
        self._bare = bare(model)
        self._kinds = layer_kinds(self._bare.model.language_model)
        self._states = [_stack(layer) for layer in zip(*states, strict=True)]
        firsts = {id(memory[0]): memory[0] for memory in memories}
        places = {key: place for place, key in enumerate(firsts)}
        self._groups = [places[id(memory[0])] for memory in memories]
        example = memories[0][0]
        self._shared = _Buffers([[first] for first in firsts.values()], example, room=0)
        self._own = _Buffers([memory[1:] for memory in memories], example, room=BLOCK)
        self._num_before = self._own.length
        self._positions = torch.tensor(positions, device=self._bare.device)
        self._turns: tuple[Tensor, ...] = ()
        self._place_rows()

    def step(self, ids: Sequence[int]) -> Tensor:
        """Lets every row read an id; returns the next (rows, vocabulary) logits.

        Source: `forward` of `Qwen2_5_VLTextModel`, `Qwen3VLTextModel` and `Qwen3_5TextModel` of
        transformers 5.23 and what they call, for one token a row. Most of their own time would go
        into what one token needs not.
        """
        self._own.lengthen()
        text_model = self._bare.model.language_model
        state = text_model.embed_tokens(torch.tensor(ids, device=self._positions.device))
        cosines, sines = self._next_turn(state)
        for kind, layer in zip(self._kinds, text_model.layers, strict=True):
            normed = _normed(layer.input_layernorm, state)
            if kind == ATTENDING:
                state = state + self._attend(layer.self_attn, normed, cosines, sines)
            else:
                state = state + self._recur(layer.linear_attn, normed)
            state = state + layer.mlp(_normed(layer.post_attention_layernorm, state))
        logits: Tensor = self._bare.lm_head(_normed(text_model.norm, state))
        return logits

    def _next_turn(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """Returns how the next token turns its heads: cosines and sines, (rows, 1, size)."""
        at = (self._own.length - 1 - self._num_before) % BLOCK
        if at == 0:
            ahead = self._positions[:, None] + torch.arange(BLOCK, device=state.device)
            cosines, sines = self._bare.model.language_model.rotary_emb(state, ahead[None])
            half = sines.shape[-1] // 2
            self._turns = (cosines, torch.cat([-sines[..., :half], sines[..., half:]], dim=-1))
            self._positions = self._positions + BLOCK
        cosines, sines = self._turns
        return cosines[:, at, None], sines[:, at, None]

    def _recur(self, mixer: Any, state: Tensor) -> Tensor:
        """Returns what a recurrent layer adds to its (rows, size) state."""
        mixed, self._states[mixer.place] = mixer.mix(state[:, None], self._states[mixer.place])
        out: Tensor = mixed[:, 0]
        return out

    def _attend(self, attention: Any, state: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
        """Returns what attention adds to the (rows, size) state of a layer."""
        size, num_heads = attention.head_dim, attention.config.num_attention_heads
        queries = attention.q_proj(state).view(len(state), num_heads, -1)
        queries, gates = queries.split([size, queries.shape[-1] - size], dim=-1)
        keys = attention.k_proj(state).view(len(state), -1, size)
        if hasattr(attention, "q_norm"):
            queries = _normed(attention.q_norm, queries)
            keys = _normed(attention.k_norm, keys)
        turned = _turn(torch.cat([queries, keys], dim=1), cosines, sines)
        values = attention.v_proj(state).view(len(state), -1, size)
        place = attention.place
        attended = self.attend(place, turned[:, :num_heads], turned[:, num_heads:], values)
        if gates.shape[-1]:
            attended = attended * gates.sigmoid()
        out: Tensor = attention.o_proj(attended.flatten(1))
        return out

    def attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Returns what the new tokens attend to; all are (rows, heads, size)."""
        self._own.add(layer, keys.transpose(0, 1), values.transpose(0, 1))
        num_rows, num_heads, size = queries.shape
        scaled = queries * size**-0.5
        scaled = scaled.view(num_rows, keys.shape[1], -1, size).transpose(0, 1).contiguous()
        to_shared = self._by_rows(self._shared.scores(layer, self._by_groups(scaled)))
        scores = torch.cat([to_shared, self._own.scores(layer, scaled)], dim=-1)
        lengths = [to_shared.shape[-1], self._own.length]
        shared, own = torch.split(scores.softmax(dim=-1), lengths, dim=-1)
        attended = self._own.weighted(layer, own)
        attended += self._by_rows(self._shared.weighted(layer, self._by_groups(shared)))
        return attended.transpose(0, 1).reshape(num_rows, num_heads, size).to(queries.dtype)

    def keep(self, rows: Sequence[int]) -> None:
        """Continues only with some of the rows."""
        index = torch.tensor(rows, device=self._positions.device)
        self._states = [(columns[index], memory[index]) for columns, memory in self._states]
        self._own.select(index)
        self._positions = self._positions[index]
        self._turns = tuple(turn[index] for turn in self._turns)
        groups = [self._groups[row] for row in rows]
        left = sorted(set(groups))
        if len(left) < self._shared.num_rows:
            self._shared.select(torch.tensor(left, device=self._positions.device))
        self._groups = [left.index(group) for group in groups]
        self._place_rows()

    def segment(self, row: int, num_tokens: int) -> KeysAndValues:
        """Returns the first tokens that a row has read here."""
        return self._own.cut(row, self._num_before, num_tokens)

    @property
    def is_recurrent(self) -> bool:
        """Whether layers have states."""
        return bool(self._states)

    def states(self, row: int) -> tuple[State, ...]:
        """Returns the states after all that a row has read."""
        part = slice(row, row + 1)
        return tuple(
            (columns[part].clone(), memory[part].clone()) for columns, memory in self._states
        )

    def _place_rows(self) -> None:
        """Gives each row a place among those of its group."""
        counts = [0] * self._shared.num_rows
        places = []
        for group in self._groups:
            places.append((group, counts[group]))
            counts[group] += 1
        self._width = max(counts)
        flat = [group * self._width + place for group, place in places]
        is_plain = flat == list(range(len(counts) * self._width))
        self._places = None if is_plain else torch.tensor(flat, device=self._positions.device)

    def _by_groups(self, rows: Tensor) -> Tensor:
        """Returns (heads, rows, some, size) as (heads, groups, some of all their rows, size)."""
        num_heads, _, some, size = rows.shape
        num_groups = self._shared.num_rows
        if self._places is not None:
            placed = rows.new_zeros(num_heads, num_groups * self._width, some, size)
            rows = placed.index_copy_(1, self._places, rows)
        return rows.view(num_heads, num_groups, self._width * some, size)

    def _by_rows(self, groups: Tensor) -> Tensor:
        """Returns what `_by_groups` has put together, row by row again."""
        num_heads, num_groups, together, size = groups.shape
        some = together // self._width
        rows = groups.view(num_heads, num_groups * self._width, some, size)
        return rows if self._places is None else rows[:, self._places]


def _normed(norm: Any, state: Tensor) -> Tensor:
    """Returns a normalized state, in one call where that is what the norm does.

    Source: `Qwen2_5_VLRMSNorm.forward` and `Qwen3_5RMSNorm.forward`, whose weights are about zero,
    of transformers 5.23.
    """
    if not hasattr(norm, "variance_epsilon"):
        normed: Tensor = norm(state)
        return normed
    return rms_norm(state, norm.weight.shape, norm.weight, norm.variance_epsilon)


def _turn(heads: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Returns (rows, heads, size) turned to their position; of some models, only the first part."""
    size = cosines.shape[-1]
    part = heads[..., :size]
    turned = torch.addcmul(part * cosines, part.roll(size // 2, -1), sines)
    return turned if size == heads.shape[-1] else torch.cat([turned, heads[..., size:]], dim=-1)


def _stack(states: Sequence[State]) -> State:
    """Returns the states of a layer of some rows as one."""
    columns, memories = zip(*states, strict=True)
    return torch.cat(columns), torch.cat(memories)


class _Buffers:
    """Keys and values of some memories, in columns that all end together.

    Args:
        memories: to store.
        example: any segment.
        room: number of columns to keep free.
    """

    def __init__(self, memories: Sequence[Memory], example: KeysAndValues, room: int) -> None:
        lengths = [sum(part[0][0].shape[1] for part in memory) for memory in memories]
        self.num_rows, self.length = len(memories), max(lengths)
        """Number of rows, and of columns that are filled."""
        starts = [self.length - length for length in lengths]
        num_columns = self.length + room
        self._pairs = []
        for layer, (keys, _) in enumerate(example):
            heads, _, size = keys.shape
            pair = (
                keys.new_zeros(heads, self.num_rows, size, num_columns),  # as scores are made
                keys.new_zeros(heads, self.num_rows, num_columns, size),
            )
            for row, (memory, at) in enumerate(zip(memories, starts, strict=True)):
                for segment in memory:
                    until = at + segment[layer][0].shape[1]
                    pair[0][:, row, :, at:until] = segment[layer][0].mT
                    pair[1][:, row, at:until] = segment[layer][1]
                    at = until
            self._pairs.append(pair)
        self._hidden = None
        if any(starts):
            self._hidden = torch.zeros(self.num_rows, 1, num_columns, device=keys.device)
            for row, start in enumerate(starts):
                self._hidden[row, :, :start] = -torch.inf

    def lengthen(self) -> None:
        """Begins another column, in more room where there is none."""
        self.length += 1
        if self.length <= self._pairs[0][0].shape[-1]:
            return
        pad = torch.nn.functional.pad
        room = max(BLOCK, self.length // 2)
        self._pairs = [
            (pad(keys, (0, room)), pad(values, (0, 0, 0, room))) for keys, values in self._pairs
        ]
        if self._hidden is not None:
            self._hidden = pad(self._hidden, (0, room))

    def add(self, layer: int, keys: Tensor, values: Tensor) -> None:
        """Fills the last column: both (heads, rows, size)."""
        pair = self._pairs[layer]
        pair[0][..., self.length - 1] = keys
        pair[1][..., self.length - 1, :] = values

    def scores(self, layer: int, queries: Tensor) -> Tensor:
        """Returns how well queries, (heads, rows, some, size), fit: (.., columns), `widened`."""
        scores = queries @ self._pairs[layer][0][..., : self.length]
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        if self._hidden is not None:
            scores += self._hidden[..., : self.length]
        return scores

    def weighted(self, layer: int, weights: Tensor) -> Tensor:
        """Returns the sums of values by weights (heads, rows, some, columns)."""
        values = self._pairs[layer][1][..., : self.length, :]
        return (weights.to(values.dtype) @ values).to(weights.dtype)

    def select(self, rows: Tensor) -> None:
        """Keeps only some of the rows."""
        self.num_rows = len(rows)
        self._pairs = [(keys[:, rows], values[:, rows]) for keys, values in self._pairs]
        self._hidden = None if self._hidden is None else self._hidden[rows]

    def cut(self, row: int, start: int, num_tokens: int) -> KeysAndValues:
        """Returns a copy of some columns of a row."""
        span = slice(start, start + num_tokens)
        return [
            (keys[:, row, :, span].mT.contiguous(), values[:, row, span].clone())
            for keys, values in self._pairs
        ]
