"""Families of models that play and train here: Qwen2.5-VL, Qwen3-VL and Qwen3.5.

What differs between them, such as sizes of patches and ids of pictures, is read from their own
configuration and processor. Here is only what has to be known to load one.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLForConditionalGeneration,
)
from transformers.utils.peft_utils import find_adapter_config_file


@dataclass(frozen=True, slots=True)
class ModelFamily:
    """Models of one architecture."""

    model: type[PreTrainedModel]
    patch_px: int
    """Side of a patch of the released models; a picture's token has two by two."""
    processor: str
    """Class of their processors in transformers."""
    video_processor: str
    """Class of the part of it that reads videos, which are not used here."""


FAMILIES = {
    "qwen2_5_vl": ModelFamily(
        Qwen2_5_VLForConditionalGeneration,
        patch_px=14,
        processor="Qwen2_5_VLProcessor",
        video_processor="Qwen2VLVideoProcessor",
    ),
    "qwen3_vl": ModelFamily(
        Qwen3VLForConditionalGeneration,
        patch_px=16,
        processor="Qwen3VLProcessor",
        video_processor="Qwen3VLVideoProcessor",
    ),
    "qwen3_5": ModelFamily(
        Qwen3_5ForConditionalGeneration,
        patch_px=16,
        processor="Qwen3VLProcessor",
        video_processor="Qwen3VLVideoProcessor",
    ),
}
"""By the `model_type` in their configuration."""
MODELS = tuple(family.model for family in FAMILIES.values())
"""Their classes."""


def family_at(path: str) -> ModelFamily:
    """Returns the family of the model at path; of an adapter, that of its base model.

    Raises:
        OSError: there is no model at path.
        ValueError: it is of no family that runs here.
    """
    adapter = None
    if not (Path(path) / "config.json").is_file():
        adapter = find_adapter_config_file(path)
    if adapter is not None:
        path = json.loads(Path(adapter).read_text(encoding="utf-8"))["base_model_name_or_path"]
    name = PreTrainedConfig.get_config_dict(path)[0].get("model_type")
    if name not in FAMILIES:
        raise ValueError(f"{path}: needed a model of {', '.join(FAMILIES)}, got {name}")
    return FAMILIES[name]
