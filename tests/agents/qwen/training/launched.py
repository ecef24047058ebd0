"""Runs that tests start in processes of their own, each of which writes down what it played.

accelerate launch --config_file .. -m tests.agents.qwen.training.launched grpo '{"model": ..}'
"""

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from trl.trainer import grpo_trainer

from agents.qwen.training import grpo as train_grpo
from agents.qwen.training import sft as train_sft
from agents.qwen.training.grpo import make_trainer
from agents.qwen.training.grpo_trainer import ZoomTrainer
from agents.qwen.training.settings import GRPOSettings, SFTSettings, part_from_others
from tests.agents.qwen.model.vllm import MadeUpVLLM
from tests.agents.qwen.noise import scripted_env


def grpo(
    model: str, out: str, resume: str | None = None, num_overview: int = 3, **given: Any
) -> ZoomTrainer:
    """Trains on noise: four tasks, four rollouts each, two updates."""
    settings: dict[str, Any] = {
        "steps": 2,
        "learning_rate": 1e-3,
        "group_size": 4,
        "tasks_per_generation": 4,
        "tasks_per_update": 4,
        "micro_batch": 4,
        "max_tokens": 6,
        "max_redraws": 0,
        "kl": 0.01,
        "save_steps": 1,
        "dtype": "float64",
    }
    trainer = make_trainer(
        GRPOSettings(model=model, out=Path(out), **{**settings, **given}),
        partial(scripted_env, num_overview=num_overview),
    )
    trainer.train(resume_from_checkpoint=resume)
    trainer.save_model(out)
    played = [
        [group.task_id, [rollout.completion_ids for rollout in group.rollouts]]
        for group in trainer.groups
    ]
    rank = trainer.accelerator.process_index
    (Path(out) / f"played{rank}.json").write_text(json.dumps(played), encoding="ascii")
    if given.get("vllm"):
        asked = trainer.vllm_generation.asked
        blank = sum(images is None for _, images in asked)
        calls = {"calls": trainer.vllm_generation.num_calls, "blank": blank}
        (Path(out) / f"calls{rank}.json").write_text(json.dumps(calls), encoding="ascii")
    return trainer


def sft(model: str, out: str, demonstrations: list[str], **given: Any) -> None:
    """Trains on demonstrations, a stage a file."""
    files = tuple(Path(file) for file in demonstrations)
    train_sft.train_sft(SFTSettings(model=model, out=Path(out), demonstrations=files, **given))


def install_made_up_vllm() -> None:
    """Has TRL find vLLM, and use what stands for it."""
    train_grpo.is_vllm_available = lambda: True
    grpo_trainer.VLLMGeneration = MadeUpVLLM


def let_deepspeed_run_on_cpus() -> None:
    """Names the backend alone: told of CPUs, accelerate leaves DeepSpeed out."""
    for module, name in ((train_grpo, "GRPOConfig"), (train_sft, "SFTConfig")):
        config = getattr(module, name)
        setattr(module, name, partial(_with_gloo, config))


def _with_gloo(config: Any, **given: Any) -> Any:
    return config(**{**given, "use_cpu": False, "ddp_backend": "gloo"})


if __name__ == "__main__":
    torch.set_num_threads(1)
    if os.environ.get("DS_ACCELERATOR") == "cpu":
        let_deepspeed_run_on_cpus()
    install_made_up_vllm()  # nobody uses it unasked
    {"grpo": grpo, "sft": sft}[sys.argv[1]](**json.loads(sys.argv[2]))
    assert PartialState().num_processes == int(os.environ["WORLD_SIZE"]), "each trained alone"
    part_from_others()
    assert not torch.distributed.is_initialized(), "the group of processes is still there"
