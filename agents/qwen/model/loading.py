"""Loads a model and its processor, by path or hub id."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoProcessor,
    PreTrainedModel,
    ProcessorMixin,
    Qwen2_5_VLProcessor,
    Qwen3VLProcessor,
)
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled
from transformers.utils.hub import cached_file
from transformers.utils.import_utils import is_torchvision_available

from agents.qwen.model.families import FAMILIES, ModelFamily, family_at

TEMPLATE = (Path(__file__).parent / "template.jinja").read_text(encoding="utf-8")
IMAGE_TOKEN = "<|image_pad|>"
VIDEO_TOKEN = "<|video_pad|>"
LANGUAGE_LAYERS = r".*language_model.*\.((q|k|v|o|gate|up|down|out)_proj|in_proj_(qkv|z|b|a))"
"""Linear layers that LoRA adapts: all of the language model, none of the vision encoder."""

Processor = Qwen2_5_VLProcessor | Qwen3VLProcessor


class ImageOnlyProcessor(Qwen2_5_VLProcessor):
    """A processor of any family without videos, which needs no torchvision.

    It is saved as one of transformers' own class, with the usual settings for videos, so that
    `AutoProcessor` reads it like that of a released model, where there is torchvision.

    Source: transformers 5.23 finds the parts of a processor in the signature of `__init__`.
    """

    family: ModelFamily = FAMILIES["qwen2_5_vl"]
    """Family of its model."""

    def __init__(
        self,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: str | None = None,
        **_: Any,
    ) -> None:
        self.image_token, self.video_token = IMAGE_TOKEN, VIDEO_TOKEN
        self.image_token_id = tokenizer.convert_tokens_to_ids(IMAGE_TOKEN)
        self.video_token_id = tokenizer.convert_tokens_to_ids(VIDEO_TOKEN)
        parts = (image_processor, tokenizer)
        ProcessorMixin.__init__(self, *parts, chat_template=chat_template)  # type: ignore[no-untyped-call]

    @property
    def model_input_names(self) -> list[str]:
        """Names of its outputs."""
        names = "input_ids attention_mask pixel_values image_grid_thw mm_token_type_ids"
        return names.split()

    def to_dict(self) -> dict[str, Any]:
        """Returns what is saved of it."""
        saved: dict[str, Any] = super().to_dict()
        sizes = ("patch_size", "temporal_patch_size", "merge_size")
        videos = {name: getattr(self.image_processor, name) for name in sizes}
        saved["video_processor"] = {"video_processor_type": self.family.video_processor, **videos}
        return {**saved, "processor_class": self.family.processor}

    def save_pretrained(self, save_directory: Any, push_to_hub: bool = False, **given: Any) -> Any:
        """Writes it into a folder."""
        written = super().save_pretrained(save_directory, push_to_hub, **given)
        path = Path(save_directory) / "tokenizer_config.json"  # names this class, unlike to_dict
        saved = json.loads(path.read_text(encoding="utf-8"))
        saved["processor_class"] = self.family.processor
        path.write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")
        return written


def load_processor(path: str) -> Processor:
    """Returns the processor of a model, with this package's chat template.

    It is of the model's own class; without torchvision, an `ImageOnlyProcessor`.

    Raises:
        OSError: there is no model at path.
        ValueError: it comes with code of its own, which is never run.
    """
    check_path(path)
    saved, _ = ImageOnlyProcessor.get_processor_dict(path)
    is_plain = saved.get("processor_class") == ImageOnlyProcessor.__name__
    kind = ImageOnlyProcessor if is_plain or not is_torchvision_available() else AutoProcessor
    try:
        processor: Processor = kind.from_pretrained(path, trust_remote_code=False)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ValueError(
            f"{path}: needed a model without code of its own, got one with code, which is never "
            "run: name another model"
        ) from error
    if isinstance(processor, ImageOnlyProcessor):
        processor.family = family_at(path)
    processor.chat_template = processor.tokenizer.chat_template = TEMPLATE
    return processor


def load_model(
    path: str,
    *,
    dtype: torch.dtype | str = "auto",
    attention: str = "sdpa",
    device: torch.device | str | None = None,
) -> Any:
    """Returns a model with its weights, ready to generate.

    Args:
        path: a folder, or a hub id. The folder of a LoRA adapter names its base model.
        dtype: of the weights; `"auto"` keeps the saved one.
        attention: the kernel: `"sdpa"`, `"eager"` or `"flash_attention_2"` (a package of its own).
        device: None takes a GPU if there is one.

    Raises:
        OSError: there is no model at path.
        ValueError: it is of no family that runs here.
    """
    check_path(path)
    kind: Any = family_at(path).model
    if device is None:
        device = "cuda" if torch.cuda.is_available() else "cpu"
    is_dealt_out = is_deepspeed_zero3_enabled()  # type: ignore[no-untyped-call]
    device_map = None if is_dealt_out else {"": device}
    model = kind.from_pretrained(
        path, dtype=dtype, attn_implementation=attention, device_map=device_map
    )
    model.eval()
    return model


def check_path(path: str) -> None:
    """Raises OSError if path is neither a folder nor a model on the hub."""
    if Path(path).is_dir():
        return
    if path.count("/") != 1:
        raise FileNotFoundError(f"a model needs a folder or a hub id (owner/name), got {path!r}")
    try:
        cached_file(path, "config.json")
    except OSError as error:
        raise FileNotFoundError(
            f"a model needs a folder or a hub id, but there is no folder {path}, and no model of "
            "that name came from the hub: check the name, or the network"
        ) from error


def add_lora(model: PreTrainedModel, rank: int, seed: int) -> Any:
    """Returns the model with trainable low-rank adapters on its LANGUAGE_LAYERS, all else frozen.

    The same seed makes the same adapters in every process.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules=LANGUAGE_LAYERS, task_type="CAUSAL_LM"
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def restore_weights(model: PreTrainedModel, folder: str) -> None:
    """Gives a model the weights of a checkpoint.

    Checkpoints use the names of the released models, which `from_pretrained` translates and the
    trainers of transformers 5.23 do not: they would warn of missing keys and load nothing.
    """
    saved = type(model).from_pretrained(folder, dtype=model.dtype)
    model.load_state_dict(saved.state_dict())


def freeze_vision(model: Any) -> None:
    """Freezes the vision encoder, and the mergers that end it or leave it half-way.

    It runs without gradients: where activations are recomputed, transformers 5.23 asks for those of
    its patches, so its blocks would be kept, recomputed and passed backward for nothing.

    Source: VideoZoomer's cold start (scripts/sft.yaml) freezes both.
    """
    visual = model.model.visual
    visual.requires_grad_(False)
    visual.forward = torch.no_grad()(visual.forward)
