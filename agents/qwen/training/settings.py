"""Settings of a training run, and the command line that gives them."""

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import PartialState

from agents.arguments import add_fields, fields_given, first_paragraph
from agents.qwen.environment import ARGUMENTS, read_arguments
from agents.qwen.model.loading import add_lora, freeze_vision, load_model
from zoomgym.errors import ZoomGymError
from zoomgym.io.commands import Parser, ends_quietly

VLLM_MODES = ("colocate", "server")
SHARING_KERNELS = ("sdpa", "eager")
"""Attention kernels with which a shared prompt is learned from once."""

Settings = TypeVar("Settings", bound="TrainingSettings")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """Settings that every training has. They are saved beside the model."""

    model: str
    """Model to start from: a folder or a hub id."""
    out: Path
    """Folder to write."""
    learning_rate: float
    """Learning rate of AdamW, at its highest."""
    micro_batch: int
    """Episodes that a process holds in one forward and backward pass."""
    freeze_vision: bool
    """Whether the vision encoder stays as it is."""
    save_steps: int
    """Steps between checkpoints."""
    max_grad_norm: float = 1.0
    """Largest norm of a gradient; longer ones are cut to it."""
    lora_rank: int = 0
    """Rank of LoRA's adapters, which then are the only weights trained; 0 trains all weights."""
    gradient_checkpointing: bool = False
    """Whether activations are recomputed, to save memory."""
    attention: str = "sdpa"
    """Attention kernel: sdpa, eager or flash_attention_2."""
    num_threads: int = 0
    """Threads of PyTorch; 0 lets PyTorch choose."""
    seed: int = 0
    """Seed of everything random."""

    def check_counts(self, *names: str) -> None:
        """Raises ValueError if one of these fields is below 1."""
        for name in names:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs at least 1, got {getattr(self, name)}")

    def check_pictures(self, num_processes: int, are_everywhere: bool) -> None:
        """Raises ValueError if several processes train on episodes of which some have no picture.

        A process whose episodes have none does not run the vision encoder, and those that do would
        wait for it forever.
        """
        if num_processes > 1 and not are_everywhere:
            raise ValueError(
                f"{num_processes} processes need a picture in every episode, got some that may "
                "have none: train in one process, or with overviews of one frame or more"
            )

    def trl_arguments(self, folder: Path) -> dict[str, Any]:
        """Returns the arguments of TRL's configs that every training has."""
        has_gpu = torch.cuda.is_available()
        return {
            "output_dir": str(folder),
            "learning_rate": self.learning_rate,
            "max_grad_norm": self.max_grad_norm,
            "per_device_train_batch_size": self.micro_batch,
            "gradient_checkpointing": None,  # TRL's default under the old name would win
            "activation_checkpointing": self.gradient_checkpointing,
            "bf16": has_gpu,
            "use_cpu": not has_gpu,  # without it, processes on CPUs train alone
            "dataloader_pin_memory": has_gpu,
            "save_steps": self.save_steps,
            "save_total_limit": 2,
            "report_to": ["tensorboard"],
            "seed": self.seed,
            "remove_unused_columns": False,
        }

    def load_model(self, path: str, dtype: torch.dtype | str, device: torch.device) -> Any:
        """Returns the model at path, ready to train. Raises OSError if there is none."""
        model: Any = load_model(path, dtype=dtype, attention=self.attention, device=device)
        if self.freeze_vision or self.lora_rank:  # adapters are in the language model only
            freeze_vision(model)
        return add_lora(model, self.lora_rank, self.seed) if self.lora_rank else model


@dataclass(frozen=True, slots=True, kw_only=True)
class SFTSettings(TrainingSettings):
    """Settings of a cold start. The learning rate is that of each stage."""

    demonstrations: tuple[Path, ...]
    """Files of demonstrations, one a stage."""
    tasks: str = ""
    """Task set they were played on, to open its files; empty if it is synthetic."""
    num_epochs: float = 1.0
    """Epochs of each stage."""
    batch_size: int = 64
    """Demonstrations a step, of all processes."""
    micro_batch: int = 1
    learning_rate: float = 5e-6
    schedule: str = "cosine"
    """How the learning rate falls: one of transformers' names."""
    warmup: float = 0.1
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = 0.0
    """Weight decay of AdamW."""
    adam_beta2: float = 0.999
    """Second beta of AdamW."""
    freeze_vision: bool = True
    validation_share: float = 0.0
    """Share of each file held out for validation; above 0, the best checkpoint is kept."""
    patience: int = 0
    """Validations without a lower loss after which a stage ends; 0 runs every epoch."""
    save_steps: int = 100
    """Steps between validations, and checkpoints."""
    cache_gb: float = 2.0
    """Gigabytes of encoded frames that a process may keep; the rest are made again each time."""
    num_workers: int = 0
    """Processes that make frames, each with its own cache; 0 makes them in the trainer."""

    def __post_init__(self) -> None:
        """Raises ValueError if the settings do not fit together."""
        self.check_counts("batch_size", "micro_batch", "save_steps")
        if not self.demonstrations:
            raise ValueError("demonstrations need at least one file")
        if not 0 <= self.validation_share < 1:
            raise ValueError(f"validation_share needs [0, 1), got {self.validation_share}")
        if self.patience and not self.validation_share:
            raise ValueError("patience needs a validation_share: there is no loss to watch")

    def num_accumulated(self, num_processes: int) -> int:
        """Returns how many micro-batches a process adds up to a step.

        Raises ValueError if the processes cannot share a step evenly.
        """
        at_once = self.micro_batch * num_processes
        if self.batch_size % at_once:
            raise ValueError(
                f"batch_size {self.batch_size} needs to be a multiple of micro_batch "
                f"{self.micro_batch} x {num_processes} processes: change one of them"
            )
        return self.batch_size // at_once


@dataclass(frozen=True, slots=True, kw_only=True)
class GRPOSettings(TrainingSettings):
    """Settings of reinforcement learning. A step is an update of the weights."""

    env: Mapping[str, Any] = field(
        default_factory=lambda: dict(ARGUMENTS), metadata={"type": read_arguments}
    )
    """Arguments of ZoomEnv, as JSON."""
    num_tasks: int = 10_000
    """Number of tasks: the first ones of the set, in random order."""
    steps: int = 100
    """Updates of the weights."""
    learning_rate: float = 1e-6
    warmup_steps: int = 0
    """Updates in which the learning rate rises."""
    group_size: int = 16
    """Rollouts of a task."""
    tasks_per_generation: int = 128
    """Tasks played before the updates that learn from them."""
    tasks_per_update: int = 32
    """Tasks that an update learns from."""
    micro_batch: int = 8
    rows: int = 64
    """Episodes that a process plays at once."""
    max_tokens: int = 1024
    """Tokens at which a reply is cut."""
    max_redraws: int = 4
    """How often a group with equal rewards is replaced with another task, at most."""
    temperature: float = 1.0
    """Temperature of sampling."""
    clip_low: float = 0.2
    """How far a token's ratio may fall below 1."""
    clip_high: float = 0.27
    """How far a token's ratio may rise above 1."""
    kl: float = 1e-3
    """Weight of the distance (KL) to the model that the run started from."""
    entropy: float = 1e-3
    """Weight of the entropy bonus."""
    share_prompt: bool = True
    """Whether rollouts of a task in a micro-batch learn from their prompt and overview once."""
    freeze_vision: bool = False
    vllm: str = ""
    """Place of vLLM: `colocate` (in each process), `server` (at vllm_url); empty: not used."""
    vllm_url: str = "http://localhost:8000"
    """Address of the server, for vllm=server."""
    vllm_memory: float = 0.3
    """Share of a GPU's memory that vLLM takes in each process."""
    vllm_context: int = 32_768
    """Most tokens of an episode in vLLM."""
    dtype: str = "float32"
    """Type of the weights; a GPU computes in bfloat16 either way."""
    keep_records: bool = True
    """Whether the episodes of each generation are written to a file of records."""
    save_steps: int = 48
    """Updates between checkpoints: whole generations, as checkpoints hold no episodes."""

    def __post_init__(self) -> None:
        """Raises ValueError if the settings do not fit together."""
        if self.group_size < 2:
            raise ValueError(f"group_size needs at least 2 rollouts, got {self.group_size}")
        self.check_counts("tasks_per_generation", "tasks_per_update", "micro_batch")
        self.check_counts("steps", "rows", "save_steps")
        if self.share_prompt and self.attention not in SHARING_KERNELS:
            raise ValueError(
                f"share_prompt needs an attention kernel of {SHARING_KERNELS}, got "
                f"{self.attention!r}, which takes no layout of a shared prompt: choose another "
                "kernel, or turn share_prompt off"
            )
        if self.vllm not in ("", *VLLM_MODES):
            raise ValueError(f"vllm needs one of {VLLM_MODES}, or nothing, got {self.vllm!r}")
        if self.tasks_per_generation % self.tasks_per_update:
            raise ValueError(
                f"tasks_per_generation needs to be a multiple of tasks_per_update, "
                f"{self.tasks_per_update}, got {self.tasks_per_generation}"
            )
        num_updates = self.tasks_per_generation // self.tasks_per_update
        if self.save_steps % num_updates:
            nearest = math.ceil(self.save_steps / num_updates) * num_updates
            raise ValueError(
                f"save_steps needs to be a multiple of the {num_updates} updates of a generation, "
                f"got {self.save_steps}: take {nearest}"
            )

    def batches(self, num_processes: int) -> tuple[int, int]:
        """Returns (accumulation steps, micro-batches a generation) of each process.

        Raises ValueError if the processes cannot share updates or groups evenly.
        """
        per_update = self.tasks_per_update * self.group_size
        at_once = self.micro_batch * num_processes
        if per_update % at_once or self.tasks_per_generation % num_processes:
            raise ValueError(
                f"{self.tasks_per_update} tasks x {self.group_size} rollouts an update, and "
                f"{self.tasks_per_generation} tasks a generation, need to be shared evenly by "
                f"{num_processes} processes x micro_batch {self.micro_batch}: change one of them"
            )
        per_generation = self.tasks_per_generation * self.group_size
        return per_update // at_once, per_generation // at_once


def read_settings(
    parser: argparse.ArgumentParser, kind: type[Settings], argv: Sequence[str] | None
) -> tuple[Settings, argparse.Namespace]:
    """Parses a command line into settings and other arguments; invalid settings end the program."""
    add_fields(parser, kind)
    args = parser.parse_args(argv)
    try:
        return kind(**fields_given(args, kind)), args
    except ValueError as error:
        parser.error(str(error))


@ends_quietly
def run_training(
    train: Callable[..., Any],
    kind: type[Settings],
    name: str,
    doc: str | None,
    argv: Sequence[str] | None,
) -> int:
    """Runs the command of the training module that has this name and docstring."""
    parser = Parser(
        prog=f"python -m agents.qwen.training.{name}",
        description=first_paragraph(doc),
        epilog="docs/training.md says more, with commands to start from.",
    )
    parser.add_argument("--resume", action="store_true", help="resume from the last checkpoint")
    settings, args = read_settings(parser, kind, argv)
    try:
        train(settings, resume=args.resume)
    except (OSError, ValueError, ZoomGymError) as error:
        parser.fail(error)
    part_from_others()
    return 0


def part_from_others() -> None:
    """Ends the group of processes that trained together, once all are done.

    A process that just leaves may be aborted by the threads that talk to the others.
    """
    state = PartialState()
    state.wait_for_everyone()
    state.destroy_process_group()
