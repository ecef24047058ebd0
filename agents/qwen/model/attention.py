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
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import eager_attention_forward
from transformers.models.qwen3_5.modeling_qwen3_5 import Qwen3_5GatedDeltaNet

from agents.qwen.model.families import MODELS

KeysAndValues = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer that attends, each (heads, tokens, size)."""
State = tuple[Tensor, Tensor]
"""State of a recurrent layer between two tokens: the last columns that its convolution saw,
(rows, channels, columns), and its memory, (rows, heads, size of keys, size of values)."""
NAME = "zoomgym"
"""Name of this attention in transformers' table."""
ATTENDING, RECURRENT = KINDS = ("full_attention", "linear_attention")
"""Kinds of layers, by their names in `layer_types`."""


def lacks_kernel(queries: Tensor) -> bool:
    """Returns whether fewer heads of keys than of queries cannot be attended to with a mask.

    Source: torch 2.13 has no kernel for that on an A100 but the one that holds all scores: 62 GB
    for 128 frames and a 7B (`python -m benchmarks.speed.qwen rehearse`).
    """
    return queries.device.type != "cpu"


class AttentionLayout(Protocol):
    """Says which tokens each token of a pass sees, in place of an attention mask.

    Layers are counted by their kind: those that attend, and those that are recurrent.
    """

    def attend(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Returns what the tokens of a layer attend to.

        Queries, keys, values and the result are (rows, heads, tokens, size); there may be fewer
        heads of keys and values.
        """

    def recur(self, layer: int, mix: "Mix", inputs: Tensor) -> Tensor:
        """Returns what a recurrent layer makes of its (rows, tokens, size) inputs."""


class Mix(Protocol):
    """A recurrent layer."""

    def __call__(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Returns what it makes of inputs that follow a state, and the state after them."""


def see(layout: AttentionLayout) -> dict[str, Any]:
    """Returns a layout as the argument `attention_mask` of a model."""
    return dict.fromkeys(KINDS, layout)


def bare(model: nn.Module) -> Any:
    """Returns the model itself, without what it is wrapped in."""
    [found] = (one for one in model.modules() if isinstance(one, MODELS))
    return found


def layer_kinds(text_model: Any) -> list[str]:
    """Returns the kind of each layer of a language model."""
    kinds: list[str] | None = getattr(text_model.config, "layer_types", None)
    return kinds or [ATTENDING] * len(text_model.layers)


def use_layouts(model: nn.Module) -> None:
    """Lets a model, with adapters or not, take layouts; with usual masks nothing changes.

    Raises:
        ValueError: some of its layers see only a window of what came before.
    """
    text_model = bare(model).model.language_model
    kinds = layer_kinds(text_model)
    if not {*kinds} <= {*KINDS}:
        raise ValueError(
            f"the model needs layers that see all that came before, got {sorted({*kinds})}: "
            "set use_sliding_window to false"
        )
    if getattr(text_model, "takes_layouts", False):
        return
    text_model.takes_layouts = True
    for index, (kind, layer) in enumerate(zip(kinds, text_model.layers, strict=True)):
        mixer = layer.self_attn if kind == ATTENDING else layer.linear_attn
        mixer.place = kinds[:index].count(kind)
        if kind == RECURRENT:
            mixer.__class__ = LayoutDeltaNet
            continue
        mixer.usual_config = mixer.config
        mixer.config = copy.copy(mixer.config)  # masks follow the usual one
        mixer.config._attn_implementation_internal = NAME
    if not hasattr(text_model.config, "layer_types"):
        text_model.register_forward_pre_hook(_hand_on, with_kwargs=True)


def _hand_on(_: nn.Module, given: Any, named: dict[str, Any]) -> Any:
    """Hands a layout on to the layers of a model that takes no masks by the kinds of layers.

    Source: transformers 5.23 leaves masks of four axes as they are, and hands on what it does not
    know.
    """
    mask = named.get("attention_mask")
    if isinstance(mask, dict):
        blank = named["inputs_embeds"].new_empty(1, 1, 1, 1)
        named = {**named, "attention_mask": blank, "layout": mask[ATTENDING]}
    return given, named


def _attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    layout: AttentionLayout | None = None,
    **given: Any,
) -> tuple[Tensor, Tensor | None]:
    """Attends by a layout, or as the model would without this module."""
    if layout is None and (attention_mask is None or isinstance(attention_mask, Tensor)):
        usual = ALL_ATTENTION_FUNCTIONS.get_interface(
            module.usual_config._attn_implementation, eager_attention_forward
        )
        out: tuple[Tensor, Tensor | None] = usual(
            module, query, key, value, attention_mask, **given
        )
        return out
    attended = (layout or attention_mask).attend(module.place, query, key, value)
    return attended.transpose(1, 2), None


ALL_ATTENTION_FUNCTIONS.register(NAME, _attend)


class LayoutDeltaNet(Qwen3_5GatedDeltaNet):
    """A recurrent layer that takes layouts; with usual masks nothing changes."""

    def forward(
        self,
        hidden_states: Tensor,
        cache_params: Any = None,
        attention_mask: Any = None,
        **given: Any,
    ) -> Tensor:
        """Mixes tokens by a layout, or as the layer would without this module."""
        if attention_mask is None or isinstance(attention_mask, Tensor):
            usual: Tensor = super().forward(hidden_states, cache_params, attention_mask, **given)
            return usual
        mixed: Tensor = attention_mask.recur(self.place, self.mix, hidden_states)
        return mixed

    def mix(self, inputs: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Returns what the layer makes of (rows, tokens, size), and its state after them."""
        carried = _Carried(state, self.conv_kernel_size - 1)
        mixed: Tensor = super().forward(inputs, carried)
        return mixed, carried.state


class _Carried:
    """A layer's state, in the form of the cache that transformers 5.23 hands to the layer.

    Nothing is changed in place: what follows a state is its own, and gradients reach back.
    """

    def __init__(self, state: State | None, num_columns: int) -> None:
        self._columns: Tensor | None = None
        self._memory: Tensor | None = None
        if state is not None:
            self._columns, self._memory = state
        self._num_columns = num_columns

    @property
    def state(self) -> State:
        """State after what was read."""
        assert self._columns is not None
        assert self._memory is not None
        return self._columns, self._memory

    def get_conv_state(self, _: int, state_idx: int = 0) -> Tensor | None:
        """Returns the columns before those that are read."""
        return self._columns

    def get_recurrent_state(self, _: int, state_idx: int = 0) -> Tensor | None:
        """Returns the memory before what is read."""
        return self._memory

    def is_recording_past(self, _: int) -> bool:
        """Keeps the layer from changing columns in place."""
        return True

    def update_conv_state(self, read: Tensor, _: int, conv_kernel_size: int) -> Tensor:
        """Returns columns with those before them, and keeps the last."""
        whole = read if self._columns is None else torch.cat([self._columns, read], dim=-1)
        missing = max(0, self._num_columns - whole.shape[-1])
        self._columns = nn.functional.pad(whole, (missing, 0))[..., -self._num_columns :]
        return whole

    def update_recurrent_state(self, memory: Tensor, _: int) -> None:
        """Keeps the memory."""
        self._memory = memory


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
    states: tuple[State, ...] = ()
    """States of the recurrent layers after what came before, from earlier passes."""

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
    kept_states: list[dict[int, State]] = field(default_factory=list)
    """States after the spans, by where these start, of each recurrent layer."""
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

    def recur(self, layer: int, mix: Mix, inputs: Tensor) -> Tensor:
        """Returns what a recurrent layer makes of each span: (1, tokens, size)."""
        parts = self._parts(inputs, axis=1)
        after: dict[int, State] = {}
        mixed = []
        for span in self.spans:
            state = span.states[layer] if span.states else None
            if span.before:
                state = after[span.before[-1].start]
            out, after[span.start] = mix(parts[span.start], state)
            mixed.append(out)
        if self.keeps:
            self.kept_states.append(after)
        return torch.cat(mixed, dim=1)

    def _parts(self, row: Tensor, axis: int = 2) -> dict[int, Tensor]:
        """Returns the spans of a row by where they start.

        They are split, not sliced: the gradient of each slice would be a row of its own.
        """
        parts = torch.split(row, [span.length for span in self.spans], dim=axis)
        return {span.start: part for span, part in zip(self.spans, parts, strict=True)}

    def cut(self, span: Span) -> KeysAndValues:
        """Returns the keys and values of a span that were kept."""
        part = slice(span.start, span.end)
        return [(keys[:, part], values[:, part]) for keys, values in self.kept]

    def states_after(self, span: Span) -> tuple[State, ...]:
        """Returns the states after a span that were kept."""
        return tuple(states[span.start] for states in self.kept_states)

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
        if mask is not None and lacks_kernel(queries):
            times = queries.shape[1] // keys.shape[1]
            keys, values = (one.repeat_interleave(times, dim=1) for one in (keys, values))
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
