"""Log-probs of rollouts that share a beginning, which is read, and learned from, once.

The rollouts of a group begin with the same prompt and overview. Here they become one row without
padding: each beginning once, then what follows it, each with its own rotary positions, and each
seeing only its beginning and itself (`agents.qwen.model.attention`). Losses and gradients are those
of one padded row a rollout, up to rounding. The head scores only what the model has said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from agents.qwen.model.attention import Span, Spans, bare, see, use_layouts
from agents.qwen.model.chunks import Chunk


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """Rollouts as one row."""

    ids: list[int]
    positions: Tensor
    """Rotary positions, (3, tokens)."""
    spans: list[Span]
    """Beginnings and what follows them, in their order in the row."""
    chunks: list[Chunk]
    """The same, with their pictures."""
    scored: list[int]
    """Places in the row whose next token was said, rollout by rollout."""
    said: list[int]
    """Those next tokens."""


def plant(rollouts: Sequence[tuple[Chunk, Chunk]], is_said: Sequence[Sequence[bool]]) -> Tree:
    """Returns rollouts, each a beginning and what follows it, as a tree.

    Beginnings are the same if their ids and their pictures are. `is_said` marks the ids of what
    follows that are scored.
    """
    beginnings: list[tuple[Chunk, Span, int]] = []
    chunks: list[Chunk] = []
    spans: list[Span] = []
    positions: list[Tensor] = []
    scored: list[int] = []
    said: list[int] = []

    def add(chunk: Chunk, first: int, before: tuple[Span, ...]) -> tuple[Span, int]:
        start = spans[-1].end if spans else 0
        spans.append(Span(start, start + len(chunk.ids), before))
        chunks.append(chunk)
        positions.append(chunk.positions(first))
        return spans[-1], int(positions[-1].max()) + 1

    for (beginning, following), marks in zip(rollouts, is_said, strict=True):
        known = next((one for one in beginnings if _are_same(one[0], beginning)), None)
        if known is None:
            known = (beginning, *add(beginning, 0, ()))
            beginnings.append(known)
        _, before, next_position = known
        span, _ = add(following, next_position, (before,))
        places = [before.end - 1, *range(span.start, span.end - 1)]
        pairs = zip(places, following.ids, marks, strict=True)
        for place, id_, is_scored in pairs:
            if is_scored:
                scored.append(place)
                said.append(id_)
    ids = [id_ for chunk in chunks for id_ in chunk.ids]
    return Tree(ids, torch.cat(positions, dim=1), spans, chunks, scored, said)


def _are_same(one: Chunk, other: Chunk) -> bool:
    """Returns whether two chunks have the same ids and pictures."""
    if one.ids != other.ids or one.grids != other.grids:
        return False
    if one.pixels is None or other.pixels is None:
        return one.pixels is other.pixels
    return torch.equal(one.pixels, other.pixels)


def score(model: nn.Module, tree: Tree) -> tuple[Tensor, Tensor | None]:
    """Returns log-probs and entropies, (said,), of what was said.

    The model has TRL's fused head, which adds the temperature; it may have adapters, be wrapped for
    several processes, or recompute its activations.
    """
    use_layouts(model)
    device = next(model.parameters()).device
    scored = torch.tensor(tree.scored or [0], device=device)  # a row of which nothing was said
    pictures = {}
    pixels = [chunk.pixels for chunk in tree.chunks if chunk.pixels is not None]
    if pixels:
        grids = [grid for chunk in tree.chunks for grid in chunk.grids]
        pictures = {
            "pixel_values": torch.cat(pixels),
            "image_grid_thw": torch.tensor(grids, device=device),
        }

    def keep_scored(_: Any, __: Any, output: Any) -> Any:
        output.last_hidden_state = output.last_hidden_state[:, scored]
        return output

    hook = bare(model).model.register_forward_hook(keep_scored)
    try:
        output: Any = model(
            input_ids=torch.tensor([tree.ids], device=device),
            attention_mask=see(Spans(tree.spans)),
            position_ids=tree.positions[:, None].to(device),
            shift_labels=torch.tensor([tree.said or [0]], device=device),
            fused_lm_head=True,
            **pictures,
        )
    finally:
        hook.remove()
    return output.log_probs[0], None if output.entropy is None else output.entropy[0]


def read_rows(
    ids: Tensor,
    mask: Tensor,
    num_following: int,
    processor: Any,
    pixels: Tensor | None,
    grids: Tensor | None,
    num_pictures: Sequence[int] | None,
) -> list[tuple[Chunk, Chunk]]:
    """Returns the rows of a batch of TRL's as beginnings and what follows them.

    Args:
        ids: (rows, tokens): beginnings padded on the left, then what follows padded on the right.
        mask: the same, 0 where there is padding.
        num_following: columns of what follows.
        processor: of the model.
        pixels: patches of all pictures.
        grids: sizes of all pictures in patches, (pictures, 3).
        num_pictures: of each row.
    """
    start = ids.shape[1] - num_following
    sizes = [] if grids is None else [tuple(grid) for grid in grids.tolist()]
    patches = () if pixels is None else torch.split(pixels, [t * h * w for t, h, w in sizes])
    merge = processor.image_processor.merge_size
    image_token_id = processor.image_token_id
    rows: list[tuple[Chunk, Chunk]] = []
    at = 0
    for row, (row_ids, row_mask) in enumerate(zip(ids, mask.bool(), strict=True)):
        parts = []
        until = at + (num_pictures[row] if num_pictures else 0)
        for part in (slice(start), slice(start, None)):
            part_ids = tuple(row_ids[part][row_mask[part]].tolist())
            num_tokens, first = part_ids.count(image_token_id), at
            while num_tokens > 0 and at < until:
                time, height, width = sizes[at]
                num_tokens -= time * height * width // merge**2
                at += 1
            shown = torch.cat(patches[first:at]) if at > first else None
            parts.append(Chunk(part_ids, image_token_id, merge, shown, tuple(sizes[first:at])))
        rows.append((parts[0], parts[1]))
    return rows
