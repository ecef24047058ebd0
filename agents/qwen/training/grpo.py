"""Reinforcement learning with GRPO, on TRL's trainer and this package's environment.

    python -m agents.qwen.training.grpo --model runs/sft --out runs/grpo --env '{"tasks": ..}'

TRL keeps what it is good at: groups, advantages, clipping, KL, the optimizer, processes. Its
generation is replaced: TRL's own tool loop parses calls itself and ends at the first reply without
one, while here the raw replies go to the environment until the episode has ended. What was read
stays in memory, so no frame is read twice; rewards are those that the environment gives.

Defaults are the paper's (arXiv 2512.22315, section 4.1, and the released scripts): clip 0.2 and
0.27, KL 0.001, entropy 0.001, temperature 1, 16 rollouts a task, 128 tasks a generation, 32 an
update, learning rate 1e-6, dynamic sampling. Departures:

- A group whose rewards are all alike is not only dropped: its task is drawn anew, up to
  `max_redraws` times. What is still flat then has no advantage, but its tokens count in the mean:
  the less is left to learn, the smaller the steps, where a few groups would else make whole ones.
- The tool bonus is paid (weight 0.5, as the paper says; the released script has it at 0).
- The loss is `dapo`: all tokens count alike, as in the paper's framework (verl's `token-mean`), but
  an update divides by the tokens of its generation over the number of its updates, not by its own;
  KL is TRL's estimator (k3) without importance weights.
- `max_tokens` bounds each reply, not the episode: frames don't count against it.

On many GPUs it is started by `accelerate launch` with one of the files in `accelerate/`.
Processes play whole groups of their own, the same episodes that one process would play, and learn
the same from them. (Which episodes of a generation go into which of its updates depends on their
number.) With `vllm`, vLLM plays through TRL, which then weighs tokens by how likely the trainer
finds what vLLM has said; this was not run against a real vLLM yet.
"""

import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from accelerate.utils import gather_object
from datasets import Dataset
from torch import nn
from transformers import BatchFeature, TrainerCallback
from trl import GRPOConfig, GRPOTrainer
from trl.import_utils import is_vllm_available
from trl.models import unwrap_model_for_generation

from agents.arguments import first_paragraph
from agents.qwen.environment import ARGUMENTS
from agents.qwen.model.loading import (
    add_lora,
    freeze_vision,
    load_model,
    load_processor,
    restore_weights,
)
from agents.qwen.model.speakers import ModelSpeaker, Speaker, VLLMSpeaker
from agents.qwen.training.checkpoints import has_ended, last_checkpoint
from agents.qwen.training.monitors import Monitor, summarise
from agents.qwen.training.rollouts import Group, Picture, Player
from agents.qwen.training.settings import keep_settings, read_settings
from agents.threads import use_threads
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import ZoomGymError
from zoomgym.io.commands import Parser, ends_quietly
from zoomgym.records import Record, write_records

__all__ = [
    "GRPOSettings",
    "ZoomTrainer",
    "environment_reward",
    "main",
    "make_trainer",
    "train_grpo",
    "trl_config",
]

RECORDS = "episodes"
"""The folder with the records of each generation, a file each."""
HISTORY = "history.jsonl"

VLLM_MODES = ("colocate", "server")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GRPOSettings:
    """Everything that a run depends on; it stands beside the model that comes of it.

    Raises:
        ValueError: the numbers do not fit together.
    """

    model: str
    """Model to start from: a folder or a hub id."""
    out: Path
    """Folder to write."""
    env: Mapping[str, Any] = field(default_factory=lambda: dict(ARGUMENTS))
    """Arguments of ZoomEnv."""
    num_tasks: int = 10_000
    """The first ones of the task set, in random order."""
    steps: int = 100
    """Updates of the weights."""
    learning_rate: float = 1e-6
    """Step size of AdamW."""
    warmup_steps: int = 0
    """Updates in which the learning rate rises."""
    group_size: int = 16
    """Rollouts of a task."""
    tasks_per_generation: int = 128
    """Tasks that are played before the updates that learn from them."""
    tasks_per_update: int = 32
    """Tasks that an update learns from."""
    micro_batch: int = 8
    """Episodes that a process holds in one forward and backward pass."""
    rows: int = 64
    """Episodes that a process plays at once."""
    max_tokens: int = 1024
    """Longest reply, in tokens: it is cut there."""
    max_redraws: int = 4
    """How often a group whose rewards are all alike is replaced by another task."""
    temperature: float = 1.0
    """How randomly replies are sampled."""
    clip_low: float = 0.2
    """How far a token's ratio may fall below 1."""
    clip_high: float = 0.27
    """How far a token's ratio may rise above 1."""
    kl: float = 1e-3
    """Weight of the distance to the model that the run began with."""
    entropy: float = 1e-3
    """Weight of the entropy bonus."""
    max_grad_norm: float = 1.0
    """Longer gradients are cut to it."""
    freeze_vision: bool = False
    """Whether the vision encoder stays as it is."""
    lora_rank: int = 0
    """Rank of LoRA's adapters, which are then all that learns; 0 trains all weights."""
    gradient_checkpointing: bool = False
    """Whether activations are computed again, to save memory."""
    vllm: str = ""
    """Who plays: `colocate`, vLLM in each process; `server`, vLLM at vllm_url; "", the model."""
    vllm_url: str = "http://localhost:8000"
    """Address of the server, for vllm=server."""
    vllm_memory: float = 0.3
    """The share of a GPU's memory that vLLM takes in each process."""
    vllm_context: int = 32_768
    """The most tokens of an episode in vLLM."""
    attention: str = "sdpa"
    """The kernel: sdpa, eager or flash_attention_2."""
    dtype: str = "float32"
    """Of the weights; on a GPU, sums are in bfloat16 either way."""
    keep_records: bool = True
    """Whether episodes are written, as a file of records for each generation."""
    save_steps: int = 48
    """Updates between checkpoints: whole generations, as what was played is not kept in them."""
    num_threads: int = 0
    """Threads of PyTorch; 0 leaves the number to it."""
    seed: int = 0
    """Seed of everything that is random."""

    def __post_init__(self) -> None:
        """Refuses numbers that do not fit together."""
        if self.group_size < 2:
            raise ValueError(f"group_size needs at least 2 rollouts, got {self.group_size}")
        tasks = ("tasks_per_generation", "tasks_per_update")
        for name in (*tasks, "micro_batch", "steps", "rows", "save_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} needs at least 1, got {getattr(self, name)}")
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

        Raises:
            ValueError: updates or groups cannot be shared evenly between so many processes.
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


class ZoomTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's GRPO, whose episodes are played by the environment's rules.

    Args:
        model: the policy, loaded from a folder (the reference is loaded from there again).
        processor: of the model.
        player: plays the groups.
        settings: of the run.
        args: of TRL.
        task_ids: to train on.
    """

    def __init__(
        self,
        model: nn.Module,
        processor: Any,
        player: Player,
        settings: GRPOSettings,
        args: GRPOConfig,
        task_ids: Sequence[str],
    ) -> None:
        order = _in_order(task_ids, settings)
        rows = [{"prompt": [{"role": "user", "content": task_id}]} for task_id in order]
        super().__init__(
            model=model,
            reward_funcs=[environment_reward],
            args=args,
            train_dataset=Dataset.from_list(rows),
            processing_class=processor,
        )
        self.tools = [zoom]  # TRL reads pictures of later turns only beside a tool
        self._player, self._settings = player, settings
        self._task_ids: list[str] = list(task_ids)
        self._monitor = Monitor()
        self.groups: list[Group] = []
        """Of the last generation, on this process: those that are learned from."""
        self._played: list[Group] = []
        """All of it: the groups as they were drawn, and then those that were drawn instead."""

    # generation ----------------------------------------------------------------------------------

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        """Plays the groups of a generation: what TRL calls with one prompt a rollout.

        Source: the values that `GRPOTrainer._generate` of trl 1.16 returns.
        """
        size = self._player.group_size
        task_ids = [prompt[-1]["content"] for prompt in prompts]
        if any(len(set(task_ids[i : i + size])) > 1 for i in range(0, len(task_ids), size)):
            raise ValueError(f"each process needs whole groups of {size}, got {task_ids}")
        started_s, num_before = time.perf_counter(), self._player.num_tokens
        with self._speaker() as speaker:
            self.groups = self._play(speaker, task_ids[::size])
        self._report(time.perf_counter() - started_s, self._player.num_tokens - num_before)
        rollouts = [rollout for group in self.groups for rollout in group.rollouts]
        masks = [
            [int(said and rollout.record is not None) for said in rollout.is_said]
            for rollout in rollouts
        ]
        pictures = [rollout.pictures for rollout in rollouts]
        records = [rollout.record for rollout in rollouts]
        return (
            [rollout.prompt_ids for rollout in rollouts],
            [rollout.completion_ids for rollout in rollouts],
            masks,
            [_said(record) for record in records],
            [rollout.log_probs for rollout in rollouts],
            {"record": records},
            pictures,
            pictures,
        )

    def _play(self, speaker: Speaker, task_ids: Sequence[str]) -> list[Group]:
        """Returns a group for each task; where one is flat, of another task, if that helps."""
        step = self.state.global_step
        groups = self._player.play(speaker, task_ids, step, self._other)
        self._played = list(groups)
        self._num_flat = sum(group.is_flat for group in groups)
        for attempt in range(1, self._settings.max_redraws + 1):
            flat = [index for index, group in enumerate(groups) if group.is_flat]
            if not flat:
                break
            drawn = [self._redraw(task_ids[index], attempt) for index in flat]
            others = self._player.play(speaker, drawn, step, self._other)
            self._played += others
            for index, group in zip(flat, others, strict=True):
                groups[index] = group
        return groups

    def _other(self, task_id: str) -> str:
        """Returns the task that follows one whose video cannot be shown."""
        index = self._task_ids.index(task_id) + 1
        other: str = self._task_ids[index % len(self._task_ids)]
        return other

    def _redraw(self, task_id: str, attempt: int) -> str:
        """Returns another task: by the first one's place, so that processes agree."""
        num_tasks = len(self._task_ids)
        stride = 1 + (self.state.global_step * 7919 + attempt * 104_729) % max(1, num_tasks - 1)
        drawn: str = self._task_ids[(self._task_ids.index(task_id) + stride) % num_tasks]
        return drawn

    @contextmanager
    def _speaker(self) -> Iterator[Speaker]:
        """Lends who speaks in episodes, with the weights as they stand."""
        if self.use_vllm:
            if self.state.global_step != self._last_loaded_step:
                self.vllm_generation.sync_weights()
                self._last_loaded_step: int = self.state.global_step
            speaker = VLLMSpeaker(self.vllm_generation, self._player.processor)
            yield speaker
            speaker.wait()
        else:
            with self._policy() as policy:
                yield ModelSpeaker(policy, self._tokenizer)

    @contextmanager
    def _policy(self) -> Iterator[nn.Module]:
        """Lends the model, whole and ready to generate, as TRL's own generation has it."""
        with unwrap_model_for_generation(
            self.model_wrapped,
            self.accelerator,
            gather_deepspeed3_params=self.args.ds3_gather_for_generation,
            gradient_checkpointing_kwargs=self.args.gradient_checkpointing_kwargs,
        ) as policy:
            was_training = policy.training
            policy.eval()
            try:
                yield policy
            finally:
                policy.train(was_training)

    # learning ------------------------------------------------------------------------------------

    def _generate_and_score_completions(self, inputs: list[Any]) -> dict[str, Any]:
        """Makes the batch, from the pictures that the rollouts have read."""
        processor: Any = self.processing_class
        self.processing_class: Any = SimpleNamespace(image_processor=ReadPictures())
        try:
            batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        finally:
            self.processing_class = processor
        torch.manual_seed(hash((self._settings.seed, self.state.global_step)))  # TRL shuffles next
        image_token = processor.image_token_id
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        num_tokens = int((ids == image_token).sum())
        merge = processor.image_processor.merge_size**2
        num_patches = len(batch.get("pixel_values", ()))
        if num_patches != num_tokens * merge:
            raise ValueError(
                f"{num_tokens} image tokens need {num_tokens * merge} patches, got {num_patches}: "
                "TRL has dropped pictures"
            )
        return batch

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        """Weighs every token's entropy alike, as all else in the loss.

        Source: trl 1.16 takes the entropy's mean in each micro-batch, so that tokens among few
        count more, and the loss depends on the number of processes.
        """
        num_tokens = (inputs["completion_mask"] * inputs["tool_mask"]).sum()
        num_batches = self.args.steps_per_generation * self.accelerator.num_processes
        share = num_tokens * num_batches / inputs["num_items_in_batch"].clamp(min=1)
        self.entropy_coef = self.args.entropy_coef * share
        loss = super()._compute_loss(model, inputs)
        self._metrics["train"].pop("entropy_coef", None)
        return loss

    def _run_epoch(self, **given: Any) -> None:
        """Runs an epoch, unless the run that is resumed had come to its end."""
        if has_ended(self.state):
            self.control.should_training_stop = True
        else:
            super()._run_epoch(**given)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Takes up the weights of a checkpoint."""
        if self.is_deepspeed_enabled or self.is_fsdp_enabled or self._settings.lora_rank:
            super()._load_from_checkpoint(resume_from_checkpoint, model)
        else:
            restore_weights(self.accelerator.unwrap_model(self.model), resume_from_checkpoint)

    # telling -------------------------------------------------------------------------------------

    def _report(self, seconds: float, num_tokens: int) -> None:
        """Adds what was played to the trainer's metrics, over all processes, and warns."""
        num_groups = len(self.groups)
        first, again = [
            [rollout.record for group in groups for rollout in group.rollouts]
            for groups in (self._played[:num_groups], self._played[num_groups:])
        ]
        counts = [num_groups, self._num_flat, len(self._played) - num_groups, num_tokens]
        counts += [sum(group.is_flat for group in self.groups), (first + again).count(None)]
        firsts, agains, sums = map(gather_object, (first, again, [counts]))
        drawn = [record for record in firsts if record is not None]
        redrawn_too = [record for record in agains if record is not None]
        groups, flat, redrawn, tokens, unlearned, lost = map(sum, zip(*sums, strict=True))
        means = summarise(drawn)  # groups that are drawn instead were chosen by their rewards
        means |= {"flat_groups": flat / groups, "flat_after_redraws": unlearned / groups}
        metrics = {f"zoom/{name}": value for name, value in means.items()}
        metrics |= {"zoom/redrawn": float(redrawn), "zoom/lost": float(lost)}
        metrics |= {"time/generation": seconds, "time/tokens_per_s": tokens / seconds}
        for name, value in metrics.items():
            self._metrics["train" if self.model.training else "eval"][name].append(value)
        if not self.accelerator.is_main_process:
            return
        if drawn:
            for warning in self._monitor.watch(means):
                logger.warning("step %d: %s", self.state.global_step, warning)
        if self._settings.keep_records:
            folder = self._settings.out / RECORDS
            folder.mkdir(exist_ok=True)
            write_records(folder / f"{self.state.global_step:06d}.jsonl", drawn + redrawn_too)


class ReadPictures:
    """Stands for an image processor where pictures have been processed already."""

    merge_size = 2

    def __call__(self, images: Sequence[Picture], return_tensors: str) -> BatchFeature:
        """Returns pictures as one batch."""
        pixels = torch.cat([picture.pixels for picture in images])
        grids = torch.tensor([picture.grid for picture in images])
        return BatchFeature({"pixel_values": pixels, "image_grid_thw": grids})


def environment_reward(record: Sequence[Record | None], **_: Any) -> list[float | None]:
    """Returns the rewards that the environment gave; None for an episode that has none."""
    return [None if one is None else one.reward for one in record]


def _in_order(task_ids: Sequence[str], settings: GRPOSettings) -> list[str]:
    """Returns the tasks of the whole run: all in random order, again and again.

    (The trainer would draw an order for each epoch, and a resumed run the first one once more.)
    """
    rng = np.random.default_rng(settings.seed)
    per_generation = settings.tasks_per_generation
    num_generations = math.ceil(settings.steps * settings.tasks_per_update / per_generation)
    order: list[str] = []
    while len(order) < num_generations * per_generation:
        order += [task_ids[index] for index in rng.permutation(len(task_ids))]
    return order[: num_generations * per_generation]


def zoom() -> None:
    """Stands for a tool; nothing calls it."""


def _said(record: Record | None) -> list[dict[str, str]]:
    """Returns the replies of an episode, for TRL's logs."""
    turns = record.turns if record else ()
    return [{"role": "assistant", "content": turn.reply} for turn in turns]


class History(TrainerCallback):
    """Writes every log of the trainer as a line, as it comes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Drops the lines of steps that will be taken again."""
        if state.is_world_process_zero and self._path.exists():
            lines = self._path.read_text(encoding="ascii").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            self._path.write_text("".join(kept) if state.global_step else "", encoding="ascii")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Adds a line."""
        if state.is_world_process_zero and logs:
            with self._path.open("a", encoding="ascii") as file:
                file.write(json.dumps({"step": state.global_step, **logs}) + "\n")


def train_grpo(settings: GRPOSettings, *, resume: bool = False) -> ZoomTrainer:
    """Trains a policy, and writes it, its processor, checkpoints and logs into `settings.out`.

    Args:
        settings: of the run.
        resume: go on from the last checkpoint in `settings.out`.

    Raises:
        OSError: no model stands at `settings.model`.
        ValueError: settings do not fit together, or the folder holds another run.
        TaskError: `settings.env` names no tasks.
    """
    use_threads(settings.num_threads)
    keep_settings(settings.out, settings, resume=resume)
    trainer = make_trainer(settings)
    trainer.train(resume_from_checkpoint=last_checkpoint(settings.out))
    trainer.save_model(str(settings.out))
    return trainer


def trl_config(settings: GRPOSettings) -> GRPOConfig:
    """Returns what TRL needs to know of a run. Raises ValueError."""
    if settings.vllm and not is_vllm_available():
        raise ValueError(f"vllm {settings.vllm} needs the package vllm: pip install 'trl[vllm]'")
    if os.environ.get("ACCELERATE_USE_FSDP") == "true" and not settings.vllm:
        raise ValueError(
            "FSDP fetches weights whenever the model reads, and processes read a different number "
            "of times: use DDP or DeepSpeed, or let vLLM play"
        )
    num_processes = int(os.environ.get("WORLD_SIZE", "1"))
    accumulation, per_generation = settings.batches(num_processes)
    return GRPOConfig(
        output_dir=str(settings.out),
        max_steps=settings.steps,
        learning_rate=settings.learning_rate,
        warmup_steps=settings.warmup_steps,
        lr_scheduler_type="constant_with_warmup",
        weight_decay=0.0,
        max_grad_norm=settings.max_grad_norm,
        per_device_train_batch_size=settings.micro_batch,
        gradient_accumulation_steps=accumulation,
        steps_per_generation=per_generation,
        use_vllm=bool(settings.vllm),
        vllm_mode=settings.vllm or "colocate",
        vllm_server_base_url=settings.vllm_url,
        vllm_gpu_memory_utilization=settings.vllm_memory,
        vllm_max_model_length=settings.vllm_context,
        vllm_importance_sampling_mode="token_truncate",  # a ratio of whole episodes is far from 1
        num_generations=settings.group_size,
        temperature=settings.temperature,
        epsilon=settings.clip_low,
        epsilon_high=settings.clip_high,
        beta=settings.kl,
        entropy_coef=settings.entropy,
        loss_type="dapo",
        use_bias_correction_kl=False,
        max_completion_length=None,
        gradient_checkpointing=None,  # TRL's default under the old name would win
        activation_checkpointing=settings.gradient_checkpointing,
        dataloader_pin_memory=torch.cuda.is_available(),
        bf16=torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),  # unasked, processes on CPUs would train alone
        ddp_timeout=7200,  # seconds that processes wait for one that still plays
        logging_steps=1,
        save_steps=settings.save_steps,
        save_total_limit=2,
        report_to=["tensorboard"],
        seed=settings.seed,
        shuffle_dataset=False,
        remove_unused_columns=False,
    )


def make_trainer(
    settings: GRPOSettings, make_env: Callable[[], ZoomEnv] | None = None
) -> ZoomTrainer:
    """Returns a trainer that is ready to train.

    Args:
        settings: of the run.
        make_env: makes environments that are alike; None: as `settings.env` says.

    Raises:
        OSError: no model stands at `settings.model`.
        ValueError: settings do not fit together.
    """
    args = trl_config(settings)
    processor = load_processor(settings.model)
    kernel = {"dtype": settings.dtype, "attention": settings.attention}
    model: Any = load_model(settings.model, **kernel, device=args.device)
    if settings.freeze_vision:
        freeze_vision(model)
    if settings.lora_rank:
        model = add_lora(model, settings.lora_rank, settings.seed)
    make_env = make_env or partial(ZoomEnv, **{"on_video_error": "skip", **settings.env})
    player = Player(
        processor,
        make_env,
        group_size=settings.group_size,
        temperature=settings.temperature,
        max_tokens=settings.max_tokens,
        rows=settings.rows,
        seed=settings.seed,
    )
    tasks = make_env().tasks
    task_ids = [tasks[index].id for index in range(min(settings.num_tasks, len(tasks)))]
    trainer = ZoomTrainer(model, processor, player, settings, args, task_ids)
    trainer.add_callback(History(settings.out / HISTORY))
    return trainer


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Parses; train_grpo() does the work."""
    parser = Parser(
        prog="python -m agents.qwen.training.grpo",
        description=first_paragraph(__doc__),
        epilog="docs/training.md says more, with commands to start from.",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    settings, args = read_settings(parser, GRPOSettings, argv)
    try:
        train_grpo(settings, resume=args.resume)
    except (OSError, ValueError, ZoomGymError) as error:
        parser.fail(error)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
