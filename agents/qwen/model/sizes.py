"""How wide and deep a Qwen2.5-VL is: small ones that learn from nothing, and the released 7B."""

from dataclasses import dataclass
from typing import Any

from transformers import Qwen2_5_VLConfig

from agents.qwen.model.loading import IMAGE_TOKEN, VIDEO_TOKEN

__all__ = ["SIZES", "Size", "make_config"]


@dataclass(frozen=True, slots=True)
class Size:
    """The numbers of a model."""

    hidden: int
    intermediate: int
    layers: int
    heads: int
    kv_heads: int
    vision_hidden: int
    vision_intermediate: int
    vision_layers: int
    vision_heads: int
    whole_layers: tuple[int, ...]
    """Layers of the vision encoder that attend to whole pictures; the others, to windows."""
    num_ids: int | None = None
    """Of the vocabulary; None: as many as the tokenizer has."""
    is_tied: bool = True
    """Whether tokens are read and said with the same weights."""
    max_positions: int = 32_768
    spread: float = 0.02
    """Standard deviation of random weights. `mini`, which is to learn from nothing in minutes,
    starts from wider ones: at 0.02, narrow layers add next to nothing."""


def _small(
    hidden: int,
    layers: int,
    heads: int,
    vision_hidden: int,
    vision_layers: int,
    spread: float = 0.02,
) -> Size:
    """Returns a size that looks closely at pictures only in the last layer."""
    return Size(
        hidden=hidden,
        intermediate=2 * hidden,
        layers=layers,
        heads=heads,
        kv_heads=heads // 2,
        vision_hidden=vision_hidden,
        vision_intermediate=2 * vision_hidden,
        vision_layers=vision_layers,
        vision_heads=2,
        whole_layers=(vision_layers - 1,),
        spread=spread,
    )


SIZES = {
    "tiny": _small(64, layers=2, heads=4, vision_hidden=32, vision_layers=1),
    "mini": _small(64, layers=3, heads=2, vision_hidden=64, vision_layers=1, spread=0.15),
    "small": _small(192, layers=5, heads=6, vision_hidden=128, vision_layers=3),
    "medium": _small(640, layers=11, heads=10, vision_hidden=320, vision_layers=6),
    "7b": Size(
        hidden=3584,
        intermediate=18_944,
        layers=28,
        heads=28,
        kv_heads=4,
        vision_hidden=1280,
        vision_intermediate=3420,
        vision_layers=32,
        vision_heads=16,
        whole_layers=(7, 15, 23, 31),
        num_ids=152_064,
        is_tied=False,
        max_positions=128_000,
    ),
}
"""About 0.2, 0.4, 3, 50 and 8,292 million weights.

Source: `7b` is config.json of Qwen/Qwen2.5-VL-7B-Instruct.
"""


def make_config(size: Size, tokenizer: Any) -> Qwen2_5_VLConfig:
    """Returns the config of a model of a size, for the ids of a tokenizer."""
    section = size.hidden // size.heads // 16  # of a head: 2, 3 and 3 eighths of its pairs
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": size.num_ids or len(tokenizer),
            "hidden_size": size.hidden,
            "intermediate_size": size.intermediate,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.kv_heads,
            "max_position_embeddings": size.max_positions,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1_000_000.0,
                "mrope_section": [2 * section, 3 * section, 3 * section],
            },
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "tie_word_embeddings": size.is_tied,
            "initializer_range": size.spread,
        },
        vision_config={
            "depth": size.vision_layers,
            "hidden_size": size.vision_hidden,
            "intermediate_size": size.vision_intermediate,
            "num_heads": size.vision_heads,
            "out_hidden_size": size.hidden,
            "fullatt_block_indexes": list(size.whole_layers),
            "initializer_range": size.spread,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        video_token_id=tokenizer.convert_tokens_to_ids(VIDEO_TOKEN),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        tie_word_embeddings=size.is_tied,
    )
