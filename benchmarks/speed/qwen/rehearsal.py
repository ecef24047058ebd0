"""Rehearses a step of SFT and of GRPO at full size without a GPU, and adds up its memory.

The trainers are those of `agents.qwen.training`, with the settings of the recipe for one GPU; the
device is `fake_device`. Replaced are: weights, which nobody loads; the samples of GRPO, which
nobody could draw from them; and the video, which is noise.
"""

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from rich.console import Console
from transformers import ProgressCallback, TrainerCallback
from transformers.integrations.integration_utils import TensorBoardCallback
from transformers.trainer_utils import SaveStrategy

from agents.qwen.demonstrations import Demonstration
from agents.qwen.demonstrations import demonstration as demonstrations_module
from agents.qwen.model.attention import bare
from agents.qwen.model.chunks import Chunk
from agents.qwen.model.generation import Conversation, Reply, Sampling, end_reply
from agents.qwen.model.tiny import SIZES, make_model, make_processor
from agents.qwen.training import grpo, sft
from agents.qwen.training import settings as settings_module
from agents.qwen.training.grpo_trainer import ZoomTrainer
from agents.qwen.training.settings import GRPOSettings, SFTSettings, TrainingSettings
from benchmarks.speed.decoding.measure import fresh
from benchmarks.speed.qwen import fake_device
from benchmarks.speed.qwen.episodes import TASK_ID, Load, make_env, title_of
from benchmarks.speed.qwen.fake_device import Meter, stand_in
from benchmarks.speed.qwen.stock import ending_ids
from benchmarks.speed.tables import number_table
from zoomgym.envs import ZoomEnv
from zoomgym.rollout import to_record

STAGES = ("sft", "grpo")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """How a step is rehearsed."""

    load: Load
    micro_batch: int = 1
    lora_rank: int = 64


def rehearse(rehearsal: Rehearsal, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Takes a step of each training, each in its own process, and returns all numbers."""
    rows = {}
    for stage in STAGES:
        rows[stage] = fresh(rehearse_step, rehearsal, stage)
        say(f"{rehearsal.load.name}: {stage} rehearsed in {rows[stage]['seconds']:.0f} s")
    load = rehearsal.load.row(torch.bfloat16)
    return {"rehearsal": {**asdict(rehearsal), "load": load}, "stages": rows}


def print_rehearsal(console: Console, measured: Mapping[str, Any]) -> None:
    """Prints what memory is for, in GB."""
    rehearsal = measured["rehearsal"]
    title = (
        f"{title_of(rehearsal['load'])}, adapters of rank {rehearsal['lora_rank']}, "
        f"micro-batches of {rehearsal['micro_batch']} (GB)"
    )
    parts = ("weights", "gradients", "optimizer")
    table = number_table(title, ("",), (*parts, "kept", "working", "peak"))
    for stage, row in measured["stages"].items():
        held = [row[f"{part}_bytes"] for part in parts]
        held.append(row["passes"][-1]["kept_bytes"])
        cells = [*held, row["peak_bytes"] - sum(held), row["peak_bytes"]]
        table.add_row(stage, *(f"{one / 1e9:.2f}" for one in cells))
    console.print(table)
    for stage, row in measured["stages"].items():
        last = row["passes"][-1]
        console.print(
            f"{stage}: a pass reads {last['tokens']:,} tokens, {last['pictures']} pictures"
        )


def rehearse_step(rehearsal: Rehearsal, stage: str) -> dict[str, Any]:
    """Takes a step of one training on the fake device, and returns its numbers."""
    started_s = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, _replaced(rehearsal.load), stand_in() as meter:
        make = {"sft": _sft_trainer, "grpo": _grpo_trainer}[stage]
        trainer = make(rehearsal, Path(folder))
        trainer.args.save_strategy = SaveStrategy.NO
        trainer.args.logging_nan_inf_filter = False  # it looks into losses
        for shows_progress in (ProgressCallback, TensorBoardCallback):
            trainer.pop_callback(shows_progress)
        step = _Step(trainer, meter)
        trainer.add_callback(step)
        trainer.train()
        return {**step.numbers, "seconds": time.perf_counter() - started_s}


def _sft_trainer(rehearsal: Rehearsal, folder: Path) -> Any:
    load = rehearsal.load
    tokenizer = make_processor(load.tokens_per_frame).tokenizer
    env = make_env(load.course, obeys=True)
    env.reset(seed=0, options={"task_id": TASK_ID})
    while not env.episode.is_over:
        reply = load.course.reply(len(env.episode.turns), "")
        num_missing = load.num_tokens - len(tokenizer.encode(reply)) - 1  # the last one ends it
        env.step(reply.replace("<think>", "<think>" + "0" * num_missing))  # a token each
    record = to_record(env, agent_name="script", seed=0, agent_s=0.0)
    settings = SFTSettings(
        model=str(folder),
        out=folder / "out",
        demonstrations=(folder / "unread.jsonl",),
        batch_size=rehearsal.load.group_size,
        learning_rate=1e-4,
        **_recipe(rehearsal),
    )
    demonstrations = [Demonstration(record, 0)] * rehearsal.load.group_size
    return sft.make_trainer(settings.model, demonstrations, settings.out, settings)


def _grpo_trainer(rehearsal: Rehearsal, folder: Path) -> Any:
    load = rehearsal.load
    settings = GRPOSettings(
        model=str(folder),
        out=folder / "out",
        steps=1,
        group_size=load.group_size,
        tasks_per_generation=1,
        tasks_per_update=1,
        rows=load.group_size,
        max_tokens=load.num_tokens,
        max_redraws=0,
        learning_rate=1e-5,
        dtype="bfloat16",
        keep_records=False,
        **_recipe(rehearsal),
    )
    settings.out.mkdir()
    return grpo.make_trainer(settings, partial(make_env, load.course))


def _recipe(rehearsal: Rehearsal) -> dict[str, Any]:
    """Returns the settings of the recipe for one GPU that both trainings have."""
    return {
        "micro_batch": rehearsal.micro_batch,
        "lora_rank": rehearsal.lora_rank,
        "gradient_checkpointing": True,
        "attention": rehearsal.load.attention,
    }


# what is replaced --------------------------------------------------------------------------------


@contextmanager
def _replaced(load: Load) -> Iterator[None]:
    """Puts something in the place of what only a GPU, or somebody with 16 GB of weights, has."""
    processor = make_processor(load.tokens_per_frame)
    arguments = TrainingSettings.trl_arguments
    launched = {"ACCELERATE_MIXED_PRECISION": "bf16"}  # as by accelerate/1-gpu.yaml
    launched["ACCELERATE_TORCH_DEVICE"] = fake_device.NAME

    def load_model(path: str, *, dtype: Any, attention: str, device: Any) -> Any:
        """Makes the model on the fake device, in the type in which the 7B is saved."""
        with torch.device(device):
            model = make_model(SIZES[load.size], processor, 0, torch.bfloat16)
        model.set_attn_implementation(attention)
        return model

    def on_device(settings: TrainingSettings, folder: Path) -> dict[str, Any]:
        """Lets transformers take accelerate's device, where it sees no GPU."""
        return {**arguments(settings, folder), "use_cpu": False}

    def watch(*_: Any, **__: Any) -> ZoomEnv:
        """Opens the video of noise, which is in no task set."""
        return make_env(load.course, obeys=True)

    with (
        mock.patch.dict(os.environ, launched),
        mock.patch.object(sft, "load_processor", return_value=processor),
        mock.patch.object(grpo, "load_processor", return_value=processor),
        mock.patch.object(settings_module, "load_model", load_model),
        mock.patch.object(TrainingSettings, "trl_arguments", on_device),
        mock.patch.object(demonstrations_module, "env_to_watch", watch),
        mock.patch("trl.trainer.grpo_trainer.nanmin", torch.min),  # for logs; they look for nan
        mock.patch("trl.trainer.grpo_trainer.nanmax", torch.max),
        mock.patch.object(ZoomTrainer, "_speaker", partial(_scripted, processor)),
    ):
        yield


@contextmanager
def _scripted(processor: Any) -> Iterator[Any]:
    """Lends the speaker of episodes that needs no weights."""
    yield _AnyTokens(processor)


class _AnyTokens:
    """Says any tokens, as many as allowed; the environment plays a course whatever is said."""

    def __init__(self, processor: Any) -> None:
        self._tokenizer = processor.tokenizer
        banned = {processor.image_token_id, *ending_ids(processor)}
        self._ids = [id_ for id_ in range(len(processor.tokenizer)) if id_ not in banned]

    def read(self, talks: Sequence[Conversation], chunks: Sequence[Chunk], _: Any) -> None:
        """Lets each conversation read its chunk."""
        for talk, chunk in zip(talks, chunks, strict=True):
            talk.hear(chunk)

    def say(
        self,
        talks: Sequence[Conversation],
        rngs: Sequence[np.random.Generator],
        sampling: Sampling,
    ) -> list[Reply]:
        """Replies in each conversation."""
        replies = []
        for talk, rng in zip(talks, rngs, strict=True):
            ids = rng.choice(self._ids, sampling.max_tokens).tolist()
            reply = end_reply(self._tokenizer, ids, [-1.0] * len(ids), "")
            talk.answer(reply)
            replies.append(reply)
        return replies


# what is reported --------------------------------------------------------------------------------


class _Step(TrainerCallback):
    """Keeps the numbers of a step."""

    def __init__(self, trainer: Any, meter: Meter) -> None:
        self._meter, self._passes = meter, list[dict[str, Any]]()
        self.numbers: dict[str, Any] = {}
        model = bare(trainer.model)
        model.model.visual.register_forward_pre_hook(self._see, with_kwargs=True)
        model.model.language_model.register_forward_pre_hook(self._read, with_kwargs=True)
        compute_loss = trainer.compute_loss

        def compute_loss_and_look(*given: Any, **named: Any) -> Any:
            num_before = meter.num_bytes
            loss = compute_loss(*given, **named)
            self._passes[-1]["kept_bytes"] = meter.num_bytes - num_before
            return loss

        trainer.compute_loss = compute_loss_and_look

    def on_train_begin(
        self,
        args: Any,
        state: Any,
        control: Any,
        model: Any = None,
        optimizer: Any = None,
        **_: Any,
    ) -> None:
        """Gives the optimizer the state that it has after its first step."""
        for one in model.parameters():
            one.grad = torch.zeros_like(one) if one.requires_grad else None
        optimizer.step()
        optimizer.zero_grad()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Starts to look for the peak."""
        self._meter.forget_peak()

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, model: Any = None, **_: Any
    ) -> None:
        """Looks at weights and gradients."""
        weights = dict(model.named_parameters())
        learned = {name: one for name, one in weights.items() if one.requires_grad}
        gradients = {name: one.grad for name, one in learned.items() if one.grad is not None}
        self.numbers |= {
            "num_weights": sum(one.numel() for one in weights.values()),
            "num_learned": sum(one.numel() for one in learned.values()),
            "without_gradient": sorted(learned.keys() - gradients.keys()),
            "of_another_type": sorted(
                name for name, one in gradients.items() if one.dtype != learned[name].dtype
            ),
            "types": _counts(str(one.dtype) for one in weights.values()),
            "types_of_gradients": _counts(str(one.dtype) for one in gradients.values()),
            "devices": _counts(
                one.device.type
                for one in (*weights.values(), *model.buffers(), *gradients.values())
            ),
            "weights_bytes": sum(map(_num_bytes, weights.values())),
            "gradients_bytes": sum(map(_num_bytes, gradients.values())),
        }

    def on_step_end(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        """Keeps what was counted."""
        state = [
            one
            for values in optimizer.state.values()
            for one in values.values()
            if isinstance(one, torch.Tensor) and one.dim()
        ]
        self.numbers |= {
            "optimizer_bytes": sum(map(_num_bytes, state)),
            "passes": [*self._passes],
            "peak_bytes": self._meter.peak_bytes,
        }

    def _see(self, _: Any, given: Any, named: Mapping[str, Any]) -> None:
        self._passes.append({"pictures": len(named["grid_thw"]), "learns": torch.is_grad_enabled()})

    def _read(self, _: Any, given: Any, named: Mapping[str, Any]) -> None:
        self._passes[-1]["tokens"] = named["inputs_embeds"].shape[:2].numel()


def _counts(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def _num_bytes(tensor: torch.Tensor) -> int:
    return tensor.numel() * tensor.itemsize
