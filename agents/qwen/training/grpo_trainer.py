"""TRL's GRPO trainer, on episodes played by the environment's rules.

TRL keeps what it is good at: groups, advantages, clipping, KL, the optimizer, processes. Its
generation is replaced: TRL's own tool loop parses calls itself and ends at the first reply without
one, while here the raw replies go to the environment until the episode has ended. What was read
stays in memory, so no frame is read twice; rewards are those that the environment gives.
"""

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from torch import nn
from transformers import BatchFeature, TrainerCallback
from trl import GRPOConfig, GRPOTrainer
from trl.models import unwrap_model_for_generation
from trl.trainer.utils import (
    split_pixel_values_by_grid,
    split_tensor_dict,
    unsplit_pixel_values_by_grid,
)

from agents.qwen.model.attention import bare
from agents.qwen.model.speakers import ModelSpeaker, Speaker, VLLMSpeaker
from agents.qwen.training.monitors import Monitor, summarize
from agents.qwen.training.order import TaskIds, in_order
from agents.qwen.training.resuming import Resumable
from agents.qwen.training.rollouts import Picture, Player, RolloutGroup
from agents.qwen.training.settings import GRPOSettings
from agents.qwen.training.tree import plant, read_rows, score
from zoomgym.records import Record, write_records

RECORDS = "episodes"
"""Folder with the records of each generation, a file each."""

logger = logging.getLogger(__name__)


class ZoomTrainer(Resumable, GRPOTrainer):  # type: ignore[misc]
    """TRL's GRPO, on groups that a player plays by the environment's rules.

    The reference model is loaded again from the folder that the policy came from.
    """

    def __init__(
        self,
        model: nn.Module,
        processor: Any,
        player: Player,
        settings: GRPOSettings,
        args: GRPOConfig,
        task_ids: TaskIds,
    ) -> None:
        order = in_order(task_ids, settings)
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
        self._task_ids = task_ids
        self._monitor = Monitor()
        self.groups: list[RolloutGroup] = []
        """Groups of the last generation, on this process, that the model learns from."""
        self._buffered_inputs: list[Any] | None
        self._marks: list[list[bool]] = []
        """Marks of what is scored in the rows that come next."""
        self._played: list[RolloutGroup] = []
        """Groups of the last generation as drawn first, and then those drawn instead."""

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
        self._marks = [[bool(mark) for mark in row] for row in masks]
        pictures = [rollout.pictures for rollout in rollouts]
        records = [rollout.record for rollout in rollouts]
        return (
            [rollout.prompt_ids for rollout in rollouts],
            [rollout.completion_ids for rollout in rollouts],
            masks,
            [_said(record) for record in records],
            [rollout.log_probs for rollout in rollouts],
            {"record": records},
            pictures if any(pictures) else None,
            pictures,
        )

    def _play(self, speaker: Speaker, task_ids: Sequence[str]) -> list[RolloutGroup]:
        """Returns a group for each task; a flat group is replaced by one of another task."""
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
        return self._task_ids[index % len(self._task_ids)]

    def _redraw(self, task_id: str, attempt: int) -> str:
        """Returns another task: by the first one's place, so that processes agree."""
        num_tasks = len(self._task_ids)
        stride = 1 + (self.state.global_step * 7919 + attempt * 104_729) % max(1, num_tasks - 1)
        return self._task_ids[(self._task_ids.index(task_id) + stride) % num_tasks]

    @contextmanager
    def _speaker(self) -> Iterator[Speaker]:
        """Lends the speaker of episodes, with the current weights."""
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
        merge = processor.image_processor.merge_size
        self.processing_class: Any = SimpleNamespace(image_processor=ReadPictures(merge))
        try:
            batch: dict[str, Any] = super()._generate_and_score_completions(inputs)
        finally:
            self.processing_class = processor
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        self._check_pictures(ids, batch.get("pixel_values"))
        return batch

    def _check_pictures(self, ids: Any, pixels: Any) -> None:
        """Raises ValueError if TRL has dropped pictures."""
        processor = self._player.processor
        num_tokens = int((ids == processor.image_token_id).sum())
        num_needed = num_tokens * processor.image_processor.merge_size**2
        num_patches = 0 if pixels is None else len(pixels)
        if num_patches != num_needed:
            raise ValueError(
                f"{num_tokens} image tokens need {num_needed} patches, got {num_patches}: "
                "TRL has dropped pictures"
            )

    def _prepare_inputs(self, generation_batch: Any) -> dict[str, Any]:
        """Returns the next micro-batch, after playing where the last generation is used up.

        Source: trl 1.16 shuffles the episodes of a generation; here the tasks are in random order
        already, and groups stay together, so that a beginning is shared by as many as possible.
        """
        num_batches = self.args.steps_per_generation
        if self._step % (num_batches * self.num_iterations) == 0 or self._buffered_inputs is None:
            batch = self._generate_and_score_completions(generation_batch)
            parts = split_tensor_dict(split_pixel_values_by_grid(batch), num_batches)
            self._buffered_inputs = [unsplit_pixel_values_by_grid(part) for part in parts]
        inputs: dict[str, Any] = self._buffered_inputs[self._step % num_batches]
        return inputs

    def _get_per_token_logps_and_entropies(
        self, model: Any, input_ids: Any, attention_mask: Any, logits_to_keep: int, **given: Any
    ) -> tuple[Any, Any, Any]:
        """Scores rows; where beginnings are shared, what the model has not said scores 0."""
        if not self._settings.share_prompt:
            hook = bare(model).register_forward_pre_hook(_without_no_pictures, with_kwargs=True)
            try:
                plain: tuple[Any, Any, Any] = super()._get_per_token_logps_and_entropies(
                    model, input_ids, attention_mask, logits_to_keep, **given
                )
            finally:
                hook.remove()
            return plain
        pixels = given.get("pixel_values")
        self._check_pictures(input_ids, pixels)
        rows = read_rows(
            input_ids,
            attention_mask,
            logits_to_keep,
            self._player.processor,
            pixels,
            given.get("image_grid_thw"),
            given.get("num_images"),
        )
        marks = [
            marks[: len(following.ids)]
            for marks, (_, following) in zip(self._marks, rows, strict=True)
        ]
        size = given.get("batch_size") or len(rows)
        trees = [
            plant(rows[first : first + size], marks[first : first + size])
            for first in range(0, len(rows), size)
        ]
        with self.accelerator.autocast():
            scores = [score(model, tree) for tree in trees]
        is_said = torch.zeros(len(rows), logits_to_keep, dtype=torch.bool)
        for row, row_marks in enumerate(marks):
            is_said[row, : len(row_marks)] = torch.tensor(row_marks)
        is_said = is_said.to(input_ids.device)
        log_probs, entropies = (
            torch.cat(parts).new_zeros(is_said.shape).masked_scatter(is_said, torch.cat(parts))
            if parts[0] is not None
            else None
            for parts in zip(*scores, strict=True)
        )
        return log_probs, entropies, None

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
        """Weighs every token's entropy alike, as all else in the loss.

        Source: trl 1.16 takes the entropy's mean in each micro-batch, so that tokens among few
        count more, and the loss depends on the number of processes.
        """
        is_said = inputs["completion_mask"] * inputs["tool_mask"]
        self._marks = is_said.bool().tolist()
        num_tokens = is_said.sum()
        num_batches = self.args.steps_per_generation * self.accelerator.num_processes
        share = num_tokens * num_batches / inputs["num_items_in_batch"].clamp(min=1)
        self.entropy_coef = self.args.entropy_coef * share
        loss = super()._compute_loss(model, inputs)
        self._metrics["train"].pop("entropy_coef", None)
        return loss

    # reports -------------------------------------------------------------------------------------

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
        means = summarize(drawn)  # groups that are drawn instead were chosen by their rewards
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
    """An image processor for pictures that have been processed already."""

    def __init__(self, merge_size: int) -> None:
        self.merge_size = merge_size

    def __call__(self, images: Sequence[Picture], return_tensors: str) -> BatchFeature:
        """Returns pictures as one batch."""
        pixels = torch.cat([picture.pixels for picture in images])
        grids = torch.tensor([picture.grid for picture in images])
        return BatchFeature({"pixel_values": pixels, "image_grid_thw": grids})


def _without_no_pictures(_: nn.Module, given: Any, named: dict[str, Any]) -> Any:
    """Takes empty pictures out of the arguments of a model, which cannot read them.

    TRL hands them to it where no row of a batch has an overview or a clip.
    """
    pixels = named.get("pixel_values")
    if pixels is not None and len(pixels) == 0:
        named = {**named, "pixel_values": None, "image_grid_thw": None}
    return given, named


def environment_reward(record: Sequence[Record | None], **_: Any) -> list[float | None]:
    """Returns the rewards that the environment gave; None for an episode that has none."""
    return [None if one is None else one.reward for one in record]


def zoom() -> None:
    """Does nothing: TRL needs a tool, but never calls it."""


def _said(record: Record | None) -> list[dict[str, str]]:
    """Returns the replies of an episode, for TRL's logs."""
    turns = record.turns if record else ()
    return [{"role": "assistant", "content": turn.reply} for turn in turns]


class History(TrainerCallback):
    """Writes every log of the trainer as a line of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Drops the lines of steps that are repeated."""
        if state.is_world_process_zero and self._path.exists():
            lines = self._path.read_text(encoding="ascii").splitlines(keepends=True)
            kept = [line for line in lines if json.loads(line)["step"] <= state.global_step]
            self._path.write_text("".join(kept) if state.global_step else "", encoding="ascii")

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Writes a log."""
        if state.is_world_process_zero and logs:
            with self._path.open("a", encoding="ascii") as file:
                file.write(json.dumps({"step": state.global_step, **logs}) + "\n")
