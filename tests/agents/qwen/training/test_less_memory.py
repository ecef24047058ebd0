"""What saves memory: adapters, activations that are made anew, an encoder that stays as it is."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from agents.qwen.model.attention import bare
from agents.qwen.model.chunks import encode
from agents.qwen.model.generation import Conversation, read
from agents.qwen.model.loading import add_lora, load_model, load_processor
from agents.qwen.model.policy import QwenAgent
from agents.qwen.training.grpo_trainer import ZoomTrainer
from agents.qwen.training.settings import GRPOSettings
from tests.agents.qwen.noise import scripted_env
from tests.agents.qwen.small import Loaded
from tests.agents.qwen.training import launched
from zoomgym.conversation import to_messages

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*gradient_checkpointing.*:FutureWarning"  # TRL asks, and turns it off, by the old name
)

SMALL = {"tasks_per_generation": 2, "tasks_per_update": 2, "group_size": 2}


def run(folder: Path, out: Path, **given: Any) -> ZoomTrainer:
    """Trains on noise: one update, if nothing else is said."""
    return launched.grpo(str(folder), str(out), **{"steps": 1, **SMALL, **given})


def next_logits(model: Any, folder: Path) -> torch.Tensor:
    """Returns what a model expects after the opening of an episode."""
    env = scripted_env()
    env.reset(options={"task_id": "q0"})
    talk = Conversation()
    read(model, [talk], [encode(load_processor(str(folder)), to_messages(env.observation))])
    assert talk.next_logits is not None
    return talk.next_logits


@pytest.fixture(scope="module")
def adapted(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ZoomTrainer:
    """A run of two updates with adapters."""
    out = tmp_path_factory.mktemp("adapted")
    return run(folder, out, steps=2, save_steps=1, lora_rank=4)


@pytest.mark.long
def test_adapters_learn_and_nothing_else(adapted: ZoomTrainer, tiny: Loaded) -> None:
    before = tiny.model.state_dict()
    now = adapted.model.get_base_model().state_dict()
    kept = {name.replace(".base_layer", ""): now[name] for name in now if "lora" not in name}
    assert kept.keys() == before.keys()
    assert all(torch.equal(kept[name], before[name]) for name in before)
    learned = {name for name, value in adapted.model.named_parameters() if value.requires_grad}
    assert all("lora" in name and "visual" not in name for name in learned)
    changed = [name for name in now if "lora_B" in name and bool(now[name].any())]
    assert len(changed) == len(learned) // 2


@pytest.mark.long
def test_adapters_are_all_that_is_saved_and_play_as_they_were_trained(
    adapted: ZoomTrainer, tiny: Loaded
) -> None:
    out = Path(adapted.args.output_dir)
    assert (out / "adapter_model.safetensors").exists()
    assert not (out / "model.safetensors").exists()
    trained = next_logits(adapted.model.eval(), out)
    loaded = next_logits(load_model(str(out)), out)
    assert not torch.equal(trained, next_logits(tiny.model, out))
    assert torch.equal(trained, loaded)  # the same weights in the same sums
    agent = QwenAgent(str(out), max_tokens=2)
    agent.reset(0)
    env = scripted_env()
    env.reset(options={"task_id": "q1"})
    assert isinstance(agent.act(env.observation), str)


def test_adapters_are_resumed_where_they_stood(
    adapted: ZoomTrainer, folder: Path, tmp_path: Path
) -> None:
    whole = Path(adapted.args.output_dir)
    run(folder, tmp_path, steps=2, save_steps=1, lora_rank=4, resume=str(whole / "checkpoint-1"))
    one, other = (load_file(out / "adapter_model.safetensors") for out in (whole, tmp_path))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_seed_makes_the_same_adapters(folder: Path) -> None:
    models = [add_lora(load_model(str(folder)), 4, seed) for seed in (1, 1, 2)]
    one, same, other = (model.state_dict() for model in models)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.long
def test_activations_that_are_made_anew_change_nothing(folder: Path, tmp_path: Path) -> None:
    plain = run(folder, tmp_path / "plain")
    saving = run(folder, tmp_path / "saving", gradient_checkpointing=True)
    assert saving.model.is_activation_checkpointing
    for name in ("loss", "grad_norm"):
        [one, other] = [trainer.state.log_history[0][name] for trainer in (plain, saving)]
        assert one == other  # exactly: they come of the same sums, some of them done twice
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("plain", "saving"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_frozen_encoder_stays_as_it_is(folder: Path, tmp_path: Path) -> None:
    run(folder, tmp_path, freeze_vision=True)
    before, after = (load_file(path / "model.safetensors") for path in (folder, tmp_path))
    assert before.keys() == after.keys()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith("visual")} <= same
    assert any(name not in same for name in before if name.startswith("model."))


@pytest.mark.parametrize("given", [{"freeze_vision": True}, {"lora_rank": 4}])
def test_a_frozen_encoder_is_not_passed_backward(
    folder: Path, tiny: Loaded, tmp_path: Path, given: dict[str, Any]
) -> None:
    settings = GRPOSettings(model=str(folder), out=tmp_path, **given)
    model = settings.load_model(str(folder), torch.float64, torch.device("cpu"))
    model.train()
    bare(model).activation_checkpointing_enable()  # asks for gradients of all embeddings
    env = scripted_env()
    env.reset(options={"task_id": "q0"})
    chunk = encode(tiny.processor, to_messages(env.observation))
    seen = bare(model).model.visual(chunk.pixels, grid_thw=torch.tensor(chunk.grids))
    assert not seen.pooler_output.requires_grad
