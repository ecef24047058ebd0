"""Models of every named size, saved and loaded, adapted and frozen."""

import builtins
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch
from PIL import Image
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration
from transformers.utils.import_utils import is_torchvision_available

from agents.qwen.model import loading
from agents.qwen.model.families import FAMILIES
from agents.qwen.model.loading import add_lora, freeze_vision, load_model, load_processor
from agents.qwen.model.tiny import SIZES, main, make_model
from agents.registry import make_agent
from tests.agents.qwen.small import EVERY_FAMILY, Loaded, frames


def num_weights(model: Any) -> int:
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(
    ("name", "millions"), [("tiny", 0.2), ("mini", 0.36), ("small", 3), ("medium", 50)]
)
def test_named_sizes_have_about_so_many_weights(tiny: Loaded, name: str, millions: float) -> None:
    with torch.device("meta"):
        model = make_model(SIZES[name], tiny.processor, seed=0)
    assert num_weights(model) == pytest.approx(millions * 1e6, rel=0.1)  # as users read it


def test_the_released_size_has_as_many_weights_as_the_released_model(tiny: Loaded) -> None:
    with torch.device("meta"):
        model = make_model(SIZES["7b"], tiny.processor, seed=0, dtype=torch.bfloat16)
    assert num_weights(model) == 8_292_166_656  # as its files have
    assert model.dtype == torch.bfloat16
    assert model.config.text_config.rope_parameters["mrope_section"] == [16, 24, 24]


def test_a_saved_model_is_loaded_as_it_was(tiny: Loaded, folder: Path) -> None:
    fresh = make_model(SIZES["tiny"], tiny.processor, seed=0, dtype=torch.float64)
    assert isinstance(tiny.model, Qwen2_5_VLForConditionalGeneration)
    loaded = tiny.model.state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in fresh.state_dict().items())
    other = make_model(SIZES["tiny"], tiny.processor, seed=1, dtype=torch.float64)
    assert not torch.equal(loaded["lm_head.weight"], other.state_dict()["lm_head.weight"])
    again = load_processor(str(folder))
    text = '<think>a</think><answer>B</answer><video_zoom>{"segment": [1, 2.5]}</video_zoom>'
    ids = tiny.processor.tokenizer.encode(text)
    assert again.tokenizer.encode(text) == ids
    assert again.tokenizer.decode(ids, skip_special_tokens=True) == text
    assert again.image_processor.size["longest_edge"] == 4 * 28 * 28


def test_weights_come_in_the_type_and_with_the_kernel_that_was_asked_for(folder: Path) -> None:
    model = load_model(str(folder), dtype=torch.bfloat16, attention="eager", device="cpu")
    assert model.dtype == torch.bfloat16
    assert model.config._attn_implementation == "eager"


@EVERY_FAMILY
def test_a_model_is_loaded_by_what_its_configuration_says(tiny: Loaded, family: str) -> None:
    model, processor = tiny.model, tiny.processor
    assert type(model) is FAMILIES[family].model
    assert model.config.image_token_id == processor.image_token_id
    vision, images = model.config.vision_config, processor.image_processor
    assert vision.patch_size == images.patch_size == FAMILIES[family].patch_px
    assert vision.spatial_merge_size == images.merge_size == 2


@EVERY_FAMILY
def test_a_processor_is_saved_as_one_of_transformers_own(
    tiny: Loaded, family: str, folder: Path, tmp_path: Path
) -> None:
    load_processor(str(folder)).save_pretrained(tmp_path)  # as a trained model's is
    for place in (folder, tmp_path):
        saved = json.loads((place / "processor_config.json").read_text())
        named = json.loads((place / "tokenizer_config.json").read_text())
        assert saved["processor_class"] == FAMILIES[family].processor == named["processor_class"]
        if not is_torchvision_available():
            with pytest.raises(ImportError, match=r"VideoProcessor requires the Torchvision"):
                AutoProcessor.from_pretrained(place)  # as with a released model, not a tokenizer
            continue
        shutil.copy(folder / "config.json", tmp_path)
        stock = AutoProcessor.from_pretrained(place)
        assert type(stock).__name__ == FAMILIES[family].processor
        picture = Image.fromarray(frames((0.0,), (56, 28), 0).images[0])
        text = "<|vision_start|><|image_pad|><|vision_end|>What?"
        ours, theirs = (
            one(text=[text], images=[picture], return_tensors="pt")
            for one in (tiny.processor, stock)
        )
        assert torch.equal(ours["input_ids"], theirs["input_ids"])
        assert torch.equal(ours["image_grid_thw"], theirs["image_grid_thw"])
        assert float((ours["pixel_values"] - theirs["pixel_values"]).abs().max()) < 0.05


def test_a_model_of_another_family_is_refused(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "model_type": "qwen3_vl_moe"}))
    message = r"model: needed a model of qwen2_5_vl, qwen3_vl, qwen3_5, got qwen3_vl_moe"
    with pytest.raises(ValueError, match=message):
        load_model(str(model))


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft's own use
@pytest.mark.parametrize("family", ["qwen3_5"], indirect=True)
def test_adapters_learn_in_recurrent_layers_too(folder: Path) -> None:
    model = add_lora(load_model(str(folder)), rank=2, seed=0)
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert len([name for name in learning if ".linear_attn." in name]) == 2 * 5  # A and B
    assert len(learning) == 2 * (5 + 3 + 4 + 3)  # a recurrent layer, and one that attends


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft's own use
def test_adapters_learn_in_the_language_model_alone(folder: Path, tmp_path: Path) -> None:
    model = add_lora(load_model(str(folder)), rank=2, seed=0)
    learning = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert len(learning) == 2 * 2 * 7  # A and B of seven linear layers in each of two blocks
    assert all("language_model" in name and "lora_" in name for name in learning)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.5)
    model.save_pretrained(tmp_path)
    again = dict(load_model(str(tmp_path)).named_parameters())
    kept = [weight for name, weight in again.items() if "lora_B" in name]
    assert len(kept) == 14
    assert all(bool((weight == 0.5).all()) for weight in kept)


def test_a_frozen_vision_encoder_learns_nothing(folder: Path) -> None:
    model = load_model(str(folder))
    freeze_vision(model)
    for name, weight in model.named_parameters():
        assert weight.requires_grad == (".visual." not in name)


def test_nothing_at_a_path_is_an_error(tmp_path: Path) -> None:
    for load in (load_model, load_processor):
        with pytest.raises(OSError, match=r"a model needs a folder or a hub id .*nowhere"):
            load(str(tmp_path / "nowhere"))


def test_a_model_that_does_not_come_from_the_hub_is_an_error_before_it_plays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    message = r"there is no folder runs/sft, and no model of that name came from the hub"
    with pytest.raises(OSError, match=message):
        make_agent("qwen:runs/sft")


TRAP = "import pathlib\npathlib.Path({!r}).touch()\nclass Trap: pass\n"
CLASSES = ("processor_class", "tokenizer_class", "image_processor_type")


def set_trap(folder: Path, value: Any) -> Any:
    """Returns a model's settings with every class from trap.py, which is in its folder."""
    if not isinstance(value, dict):
        return value
    kinds = ("AutoConfig", "AutoProcessor", "AutoImageProcessor", "AutoModel", "AutoVideoProcessor")
    auto = {**dict.fromkeys(kinds, "trap.Trap"), "AutoTokenizer": ["trap.Trap", "trap.Trap"]}
    changed = {key: set_trap(folder, inner) for key, inner in value.items()}
    return {**changed, **{key: "Trap" for key in CLASSES if key in value}, "auto_map": auto}


@pytest.mark.parametrize("has_torchvision", [False, True])
def test_code_that_a_model_brings_is_not_run(
    has_torchvision: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stolen, model = tmp_path / "stolen", tmp_path / "model"
    shutil.copytree(folder, model)
    (model / "trap.py").write_text(TRAP.format(str(stolen)))
    for path in model.glob("*config.json"):
        path.write_text(json.dumps(set_trap(model, json.loads(path.read_text()))))
    monkeypatch.setattr(loading, "is_torchvision_available", lambda: has_torchvision)
    monkeypatch.setattr(builtins, "input", lambda _: "y")  # whatever is asked
    with pytest.raises(ValueError, match=r"model: needed a model without code of its own, got one"):
        load_processor(str(model))
    load_model(str(model))
    assert not stolen.exists()


class Pickled:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft's own use
@pytest.mark.parametrize(
    ("is_adapter", "kind"), [(False, pickle.UnpicklingError), (True, FileNotFoundError)]
)
def test_pickled_weights_are_not_unpickled(
    is_adapter: bool, kind: type[Exception], folder: Path, tmp_path: Path
) -> None:
    stolen, model = tmp_path / "stolen", tmp_path / "model"
    if is_adapter:
        add_lora(load_model(str(folder)), rank=2, seed=0).save_pretrained(model)
    else:
        shutil.copytree(folder, model)
    [weights] = model.glob("*model.safetensors")
    weights.unlink()
    name = "adapter_model.bin" if is_adapter else "pytorch_model.bin"
    torch.save({"weight": Pickled(stolen)}, model / name)
    with pytest.raises(kind, match=r"Weights only load failed|adapter_model\.safetensors"):
        load_model(str(model))
    assert not stolen.exists()
    torch.load(model / name, weights_only=False)  # what the pickle would do
    assert stolen.exists()


def test_the_command_writes_a_model(tiny: Loaded, tmp_path: Path) -> None:
    assert main([str(tmp_path / "new"), "--seed", "3", "--tokens-per-frame", "2"]) == 0
    assert num_weights(load_model(str(tmp_path / "new"))) == num_weights(tiny.model)
    assert load_processor(str(tmp_path / "new")).image_processor.size["longest_edge"] == 1568


def test_the_template_marks_what_the_model_says(tiny: Loaded) -> None:
    tokenizer = tiny.processor.tokenizer
    call = {"function": {"name": "video_zoom", "arguments": {"segment": [1, 2], "fps": 2}}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Rules."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What?"}]},
        {"role": "assistant", "content": "Look.", "tool_calls": [call]},
        {"role": "tool", "content": "Seen."},
        {"role": "assistant", "content": [{"type": "text", "text": "<answer>B</answer>"}]},
    ]
    read = tokenizer.apply_chat_template(
        messages, return_dict=True, return_assistant_tokens_mask=True
    )
    pairs = list(zip(read["input_ids"], read["assistant_masks"], strict=True))
    assert tokenizer.decode([i for i, _ in pairs]) == (
        "<|im_start|>system\nRules.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>What?<|im_end|>\n"
        '<|im_start|>assistant\nLook.<video_zoom>{"segment": [1, 2], "fps": 2}</video_zoom>'
        "<|im_end|>\n<|im_start|>user\n<tool_response>\nSeen.\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n<answer>B</answer><|im_end|>\n"
    )
    assert tokenizer.decode([i for i, is_said in pairs if is_said]) == (
        'Look.<video_zoom>{"segment": [1, 2], "fps": 2}</video_zoom><|im_end|>'
        "<answer>B</answer><|im_end|>"
    )
