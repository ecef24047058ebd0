"""New models of each family with random weights, small enough to train from scratch on a CPU.

They have the classes of the released models, with smaller widths, depths and vocabulary. The
tokenizer is trained here, on episodes of synthetic tasks.

    python -m agents.qwen.model.tiny runs/tiny --size tiny
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    PreTrainedTokenizerFast,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from agents.arguments import first_paragraph
from agents.qwen.model.families import FAMILIES
from agents.qwen.model.loading import (
    IMAGE_TOKEN,
    TEMPLATE,
    VIDEO_TOKEN,
    ImageOnlyProcessor,
    Processor,
)
from zoomgym.conversation import text_of, to_messages
from zoomgym.envs import ZoomEnv
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.rules import GRAMMARS

END, PAD = "<|im_end|>", "<|endoftext|>"
SPECIAL = (PAD, "<|im_start|>", END, "<|vision_start|>", "<|vision_end|>", IMAGE_TOKEN, VIDEO_TOKEN)
TAGS = ("think", "video_zoom", "answer", "tool_response")
WORDS = r"\d| ?[^\d\s]+|\s"
"""Pattern of words: each digit is a token, so that times are alike; a word includes its space."""
MAX_MERGED_TOKENS = 900
NUM_EPISODES = 28
"""Episodes of each grammar that train the tokenizer: four of each family."""
TOKEN_SIDE_PX = 28
"""Side of a picture that makes one token of Qwen2.5-VL."""


@dataclass(frozen=True, slots=True)
class Size:
    """Widths and depths of a model."""

    hidden: int
    layers: int
    heads: int
    vision_hidden: int
    vision_layers: int
    spread: float = 0.02
    """Standard deviation of random weights. It is wider for `mini`, which learns within minutes:
    at 0.02, narrow layers add next to nothing."""
    is_tied: bool = True
    """Whether input and output embeddings are the same weights."""
    text_config: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of the language model."""
    vision_config: Mapping[str, Any] = field(default_factory=dict)
    """Further settings of the vision encoder."""


SIZES = {
    "tiny": Size(64, layers=2, heads=4, vision_hidden=32, vision_layers=1),
    "mini": Size(64, layers=3, heads=2, vision_hidden=64, vision_layers=1, spread=0.15),
    "small": Size(192, layers=5, heads=6, vision_hidden=128, vision_layers=3),
    "medium": Size(640, layers=11, heads=10, vision_hidden=320, vision_layers=6),
    "7b": Size(
        3584,
        layers=28,
        heads=28,
        vision_hidden=1280,
        vision_layers=32,
        is_tied=False,
        text_config={
            "vocab_size": 152_064,
            "intermediate_size": 18_944,
            "num_key_value_heads": 4,
            "max_position_embeddings": 128_000,
        },
        vision_config={
            "intermediate_size": 3420,
            "num_heads": 16,
            "fullatt_block_indexes": [7, 15, 23, 31],
        },
    ),
}
"""Sizes, of about 0.2, 0.4, 3, 50 and 8,292 million weights.

Source: `7b` is config.json of Qwen/Qwen2.5-VL-7B-Instruct.
"""


def save_tiny(
    folder: Path,
    size: str = "tiny",
    *,
    tokens_per_frame: int = 1,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    family: str = "qwen2_5_vl",
) -> None:
    """Writes a new model of one of SIZES, and its processor, into a folder for `load_model`."""
    processor = make_processor(tokens_per_frame, family)
    processor.save_pretrained(folder)
    make_model(SIZES[size], processor, seed, dtype, family).save_pretrained(folder)


def make_processor(tokens_per_frame: int = 1, family: str = "qwen2_5_vl") -> Processor:
    """Returns a processor with a new tokenizer; frames take at most tokens_per_frame tokens."""
    patch_px = FAMILIES[family].patch_px
    pixels = (2 * patch_px) ** 2
    images = Qwen2VLImageProcessorPil(
        min_pixels=pixels, max_pixels=pixels * tokens_per_frame, patch_size=patch_px
    )
    processor = ImageOnlyProcessor(images, _make_tokenizer(), chat_template=TEMPLATE)
    processor.family = FAMILIES[family]
    return processor


def make_model(
    size: Size,
    processor: Processor,
    seed: int,
    dtype: torch.dtype = torch.float32,
    family: str = "qwen2_5_vl",
) -> Any:
    """Returns a model of a size with random weights."""
    tokenizer = processor.tokenizer
    kind: Any = FAMILIES[family].model
    config = kind.config_class(**_config(size, tokenizer, family))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind._from_config(config, dtype=dtype)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.eval()
    return model


def _config(size: Size, tokenizer: Any, family: str) -> dict[str, Any]:
    """Returns the settings of a model of a size, for the ids of a tokenizer."""
    text, vision = FAMILY_CONFIGS[family](size)
    return {
        "text_config": {
            "vocab_size": len(tokenizer),
            "hidden_size": size.hidden,
            "intermediate_size": 2 * size.hidden,
            "num_hidden_layers": size.layers,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.heads // 2,
            "max_position_embeddings": 32_768,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "tie_word_embeddings": size.is_tied,
            "initializer_range": size.spread,
            **text,
            **size.text_config,
        },
        "vision_config": {
            "depth": size.vision_layers,
            "hidden_size": size.vision_hidden,
            "intermediate_size": 2 * size.vision_hidden,
            "num_heads": 2,
            "out_hidden_size": size.hidden,
            "initializer_range": size.spread,
            **vision,
            **size.vision_config,
        },
        "image_token_id": tokenizer.convert_tokens_to_ids(IMAGE_TOKEN),
        "video_token_id": tokenizer.convert_tokens_to_ids(VIDEO_TOKEN),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        "tie_word_embeddings": size.is_tied,
    }


def _qwen2_5_vl(size: Size) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the settings of the language model and the vision encoder of a Qwen2.5-VL."""
    section = size.hidden // size.heads // 16  # 2, 3 and 3 eighths of a head's pairs
    rope = _rope(1_000_000.0, [2 * section, 3 * section, 3 * section])
    whole = [size.vision_layers - 1]  # the others see windows
    return {"rope_parameters": rope}, {"fullatt_block_indexes": whole}


def _qwen3_vl(size: Size) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the same of a Qwen3-VL, which shows some layers of one to the first of the other."""
    head = size.hidden // size.heads
    rope = _rope(5_000_000.0, _interleaved(head // 2))
    shown = range(min(3, size.layers, size.vision_layers))
    return (
        {"rope_parameters": rope, "head_dim": head},
        {"num_position_embeddings": 64, "deepstack_visual_indexes": [*shown]},
    )


def _qwen3_5(size: Size) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the same of a Qwen3.5, most of whose layers are recurrent."""
    head = size.hidden // size.heads
    share = 0.5  # of a head is turned: a quarter of so few numbers would leave no pair to some axes
    rope = _rope(10_000_000.0, _interleaved(head // 4)) | {"partial_rotary_factor": share}
    return (
        {
            "rope_parameters": rope,
            "head_dim": head,
            "partial_rotary_factor": share,
            "full_attention_interval": min(4, size.layers),
            "linear_key_head_dim": head,
            "linear_value_head_dim": head,
            "linear_num_key_heads": size.heads // 2,
            "linear_num_value_heads": size.heads,
        },
        {"num_position_embeddings": 64},
    )


FAMILY_CONFIGS = {"qwen2_5_vl": _qwen2_5_vl, "qwen3_vl": _qwen3_vl, "qwen3_5": _qwen3_5}


def _interleaved(num_pairs: int) -> list[int]:
    """Returns how many pairs of a head turn with time, height and width: 6, 5 and 5 sixteenths."""
    side = max(1, num_pairs * 5 // 16)
    return [num_pairs - 2 * side, side, side]


def _rope(theta: float, section: list[int]) -> dict[str, Any]:
    """Returns the settings of a rotary embedding."""
    return {"rope_type": "default", "rope_theta": theta, "mrope_section": section}


def _make_tokenizer() -> PreTrainedTokenizerFast:
    """Returns a byte-level tokenizer, trained on random episodes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=MAX_MERGED_TOKENS,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    fast: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, eos_token=END, pad_token=PAD, padding_side="left"
    )
    fast.add_special_tokens(
        {"additional_special_tokens": [AddedToken(text, normalized=False) for text in SPECIAL]}
    )
    # plain tokens: replies consist of them, so decoding must not skip them
    closed = [tag for name in TAGS for tag in (f"<{name}>", f"</{name}>")]
    fast.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in closed])
    return fast


def _texts() -> Iterator[str]:
    """Yields the texts of episodes of every family, in each grammar."""
    for grammar in GRAMMARS:
        env = ZoomEnv("synthetic", source="scene", grammar=grammar, max_pixels=1, num_overview=8)
        env.action_space.seed(0)
        for index in range(NUM_EPISODES):
            env.reset(seed=index, options={"task_id": env.tasks[index].id})
            while not env.episode.is_over:
                env.step(env.action_space.sample())
            yield from map(text_of, to_messages(env.observation))
        env.close()


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. save_tiny() does the work."""
    parser = Parser(
        prog="python -m agents.qwen.model.tiny",
        description=first_paragraph(__doc__),
        epilog="Example: python -m agents.qwen.model.tiny runs/tiny --size tiny",
    )
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--size", default="tiny", choices=SIZES, help="default: tiny")
    parser.add_argument(
        "--family", default="qwen2_5_vl", choices=FAMILIES, help="default: qwen2_5_vl"
    )
    parser.add_argument(
        "--tokens-per-frame",
        type=whole_number(1),
        default=1,
        help="most tokens of a frame: larger ones are shrunk; default: 1",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, help="of the weights")
    args = parser.parse_args(argv)
    save_tiny(
        args.folder,
        args.size,
        tokens_per_frame=args.tokens_per_frame,
        seed=args.seed,
        family=args.family,
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
