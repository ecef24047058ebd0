"""Attention of conversations that share a beginning: each token sees only its own conversation.

What is read or learned at once is one row without padding, cut into spans. A span sees itself,
causally, and all of what came before it: spans of the same row, which gradients reach, or memory.
So a prompt that many conversations share is one span, computed once.

Each span is a call of PyTorch's kernel of its own. A single call over the whole row would need a
mask over all pairs of tokens, most of which belong to different conversations; a batch of
conversations would need padding. Both took longer where they were measured: 84 and 52 ms, forward
and backward, against 33.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VLForConditionalGeneration,
    eager_attention_forward,
)

KeysAndValues = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, each (heads, tokens, size)."""
NAME = "zoomgym"
"""Name of this attention in transformers' table."""


class AttentionLayout(Protocol):
    """Says which tokens each token of a pass sees, in place of an attention mask."""

    def attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Returns what the tokens of a layer attend to.

        Queries, keys, values and the result are (rows, heads, tokens, size); there may be fewer
        heads of keys and values.
        """


def see(layout: AttentionLayout) -> dict[str, Any]:
    """Returns a layout as the argument `attention_mask` of a Qwen2.5-VL."""
    return {"full_attention": layout}


def bare(model: nn.Module) -> Any:
    """Returns the Qwen2.5-VL itself, without what it is wrapped in."""
    [found] = (
        one for one in model.modules() if isinstance(one, Qwen2_5_VLForConditionalGeneration)
    )
    return found


def use_layouts(model: nn.Module) -> None:
    """Lets a Qwen2.5-VL, with adapters or not, take layouts; with usual masks nothing changes.

    Raises:
        ValueError: some of its layers see only a window of what came before.
    """
    text_model = bare(model).model.language_model
    if set(text_model.config.layer_types) != {"full_attention"}:
        raise ValueError(
            "the model needs layers that see all that came before, got "
            f"{sorted(set(text_model.config.layer_types))}: set use_sliding_window to false"
        )
    for layer in text_model.layers:
        attention = layer.self_attn
        if attention.config._attn_implementation != NAME:
            attention.usual_config = attention.config
            attention.config = copy.copy(attention.config)  # masks follow the usual one
            attention.config._attn_implementation_internal = NAME


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any, **given: Any
) -> tuple[Tensor, Tensor | None]:
    """Attends by a layout, or as the model would without this module."""
    if attention_mask is None or isinstance(attention_mask, Tensor):
        usual = ALL_ATTENTION_FUNCTIONS.get_interface(
            module.usual_config._attn_implementation, eager_attention_forward
        )
        out: tuple[Tensor, Tensor | None] = usual(
            module, query, key, value, attention_mask, **given
        )
        return out
    attended = attention_mask.attend(module.layer_idx, query, key, value)
    return attended.transpose(1, 2), None


ALL_ATTENTION_FUNCTIONS.register(NAME, _attend)


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens of a row that follow one another in a conversation."""

    start: int
    end: int
    """Half-open."""
    before: tuple["Span", ...] = ()
    """Spans of the row that came before, whole."""
    memory: tuple[KeysAndValues, ...] = ()
    """Keys and values that came before, from earlier passes."""

    @property
    def length(self) -> int:
        """Number of tokens."""
        return self.end - self.start

    @property
    def num_before(self) -> int:
        """Number of tokens that came before."""
        read = sum(segment[0][0].shape[1] for segment in self.memory)
        return read + sum(span.length for span in self.before)


@dataclass(eq=False)
class Spans:
    """The layout of a row that is made of spans, one after the other."""

    spans: Sequence[Span]
    keeps: bool = False
    """Whether keys and values are kept."""
    kept: KeysAndValues = field(default_factory=list)
    """Keys and values of the row, (heads, tokens, size) of each layer."""
    _masks: dict[tuple[int, torch.dtype], Tensor] = field(default_factory=dict)

    def attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Returns what each span attends to: (1, heads, tokens, size)."""
        if self.keeps:
            self.kept.append((keys[0], values[0]))
        parts = [self._parts(row) for row in (queries, keys, values)]
        own_queries, *own = parts
        return torch.cat(
            [
                self._attend_span(
                    span,
                    own_queries[span.start],
                    *(self._seen(span, layer, kind, own[kind]) for kind in (0, 1)),
                )
                for span in self.spans
            ],
            dim=2,
        )

    def _parts(self, row: Tensor) -> dict[int, Tensor]:
        """Returns the spans of a row by where they start.

        They are split, not sliced: the gradient of each slice would be a row of its own.
        """
        parts = torch.split(row, [span.length for span in self.spans], dim=2)
        return {span.start: part for span, part in zip(self.spans, parts, strict=True)}

    def cut(self, span: Span) -> KeysAndValues:
        """Returns the keys and values of a span that were kept."""
        part = slice(span.start, span.end)
        return [(keys[:, part], values[:, part]) for keys, values in self.kept]

    def _seen(self, span: Span, layer: int, kind: int, parts: Mapping[int, Tensor]) -> Tensor:
        """Returns the keys (kind 0) or values (1) that a span sees, of those of its row."""
        memory = [segment[layer][kind][None] for segment in span.memory]
        before = [parts[past.start] for past in span.before]
        own = parts[span.start]
        return torch.cat([*memory, *before, own], dim=2) if memory or before else own

    def _attend_span(self, span: Span, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Returns what one span attends to."""
        is_first = keys.shape[2] == span.length
        mask = None if is_first or span.length == 1 else self._mask(span, queries)
        return scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=mask,
            is_causal=is_first,
            enable_gqa=queries.shape[1] != keys.shape[1],
        )

    def _mask(self, span: Span, queries: Tensor) -> Tensor:
        """Returns a span's (tokens, tokens seen) mask, cut from that of the longest like it."""
        num_before = span.num_before
        key = (num_before, queries.dtype)
        if key not in self._masks:
            longest = max(one.length for one in self.spans if one.num_before == num_before)
            own = queries.new_full((longest, longest), -torch.inf).triu(1)
            self._masks[key] = torch.cat([own.new_zeros(longest, num_before), own], dim=1)
        return self._masks[key][: span.length, : num_before + span.length]
