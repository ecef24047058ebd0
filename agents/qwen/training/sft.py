r"""Cold start: a model learns the replies of demonstrations, on TRL's trainer.

    python -m agents.qwen.training.sft --model Qwen/Qwen2.5-VL-7B-Instruct \
        --demonstrations runs/exemplars.jsonl runs/reflections.jsonl --out runs/sft

Each file of demonstrations is a stage that starts from the model of the last one: exemplars, then
reflections; or, for a model from scratch, longer and longer overviews. In the end the folder `out`
holds model, processor, settings, `trainer_state.json` with the losses, and TensorBoard's `runs/`.

The model reads what the policy agent reads when it plays, chunk for chunk. Frames are not stored:
episodes are played again. The model learns the replies, with the token that ends them, and nothing
else.

Defaults are the paper's (arXiv 2512.22315, section 4.1): one epoch, batch 64, learning rate 5e-6,
cosine schedule, warm-up 0.1, vision encoder frozen. Departures:

- The paper mixes its two kinds of data; here they are files, in an order that you choose.
- A step takes the mean over all learned tokens of its batch, however that is cut into
  micro-batches; the paper's LLaMA-Factory takes the mean of the micro-batches' means.
- Validation and early stopping (off) are ours, for models from scratch, which see data many times.
- Full training keeps weights in float32 (bfloat16 rounds steps of 5e-6 away) and computes in
  bfloat16 on a GPU; the released scripts leave that to DeepSpeed.
- LoRA (off) is ours. Its adapters are merged into the weights that are written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch import Tensor
from torch.nn.functional import cross_entropy, pad
from transformers import EarlyStoppingCallback
from trl import SFTConfig, SFTTrainer

from agents.qwen.demonstrations import Demonstration, Watcher, read_demonstrations
from agents.qwen.model.chunks import Chunk, encode_turns, join, num_said
from agents.qwen.model.generation import widened
from agents.qwen.model.loading import Processor, load_processor
from agents.qwen.training.resuming import Resumable, keep_settings, last_checkpoint
from agents.qwen.training.settings import SFTSettings, run_training
from agents.threads import use_threads

STATE = "trainer_state.json"
"""File that is written last, so it marks a finished stage."""
IGNORED = -100
"""Label of a token that is read but not learned."""


@dataclass(frozen=True, slots=True, eq=False)
class LabeledEpisode:
    """A demonstration as a model reads it."""

    chunk: Chunk
    labels: tuple[int, ...]
    """Ids to learn; IGNORED elsewhere."""


class LabeledEpisodes:
    """Demonstrations as a model reads them, made on request.

    The first ones are kept, up to max_cached_bytes of frames; as every epoch takes each once in
    random order, any others would do as well. Files of the set tasks may be opened.
    """

    def __init__(
        self,
        processor: Processor,
        demonstrations: Sequence[Demonstration],
        max_cached_bytes: float = 0,
        tasks: str | None = None,
    ) -> None:
        self._processor, self._demonstrations = processor, demonstrations
        self._watcher, self._bytes_left = Watcher(tasks), max_cached_bytes
        self._kept: dict[int, LabeledEpisode] = {}

    def __len__(self) -> int:
        """Returns how many episodes there are."""
        return len(self._demonstrations)

    def __getitem__(self, index: int) -> LabeledEpisode:
        """Returns a row. Raises RecordError or VideoError if its episode cannot be played again."""
        if index in self._kept:
            return self._kept[index]
        row = self._make(self._demonstrations[index])
        num_bytes = 0 if row.chunk.pixels is None else row.chunk.pixels.nbytes
        if num_bytes <= self._bytes_left:
            self._bytes_left -= num_bytes
            self._kept[index] = row
        return row

    def _make(self, demonstration: Demonstration) -> LabeledEpisode:
        """Plays a demonstration again and encodes it."""
        opening, *turns = encode_turns(self._processor, self._watcher.messages(demonstration))
        chunks, labels = [opening], [IGNORED] * len(opening.ids)
        for index, turn in enumerate(turns):
            said = num_said(self._processor, turn)
            if index == len(turns) - 1:
                turn = replace(turn, ids=turn.ids[:said])  # nothing comes back after the last reply
            learned = said if index >= demonstration.first_turn else 0
            labels += [*turn.ids[:learned], *[IGNORED] * (len(turn.ids) - learned)]
            chunks.append(turn)
        return LabeledEpisode(join(chunks), tuple(labels))


def collate(rows: Sequence[LabeledEpisode], pad_id: int) -> dict[str, Tensor]:
    """Returns a batch, padded on the right.

    It has no attention mask: a causal model never looks to the right, and attention without a mask
    is faster. Positions are those of the agent.
    """
    longest = max(len(row.labels) for row in rows)
    ids = torch.full((len(rows), longest), pad_id)
    labels = torch.full((len(rows), longest), IGNORED)
    positions = torch.zeros(3, len(rows), longest, dtype=torch.long)
    for index, row in enumerate(rows):
        length = len(row.labels)
        ids[index, :length] = torch.tensor(row.chunk.ids)
        labels[index, :length] = torch.tensor(row.labels)
        positions[:, index, :length] = row.chunk.positions(0)
    pixels = [row.chunk.pixels for row in rows if row.chunk.pixels is not None]
    grids = [grid for row in rows for grid in row.chunk.grids]
    batch = {"input_ids": ids, "labels": labels, "position_ids": positions}
    if not pixels:  # no row has an overview or a clip
        return batch
    return {**batch, "pixel_values": torch.cat(pixels), "image_grid_thw": torch.tensor(grids)}


def reply_log_probs(model: Any, batch: Mapping[str, Tensor]) -> Tensor:
    """Returns the log-probs of all learned tokens of a batch, in order."""
    inputs = dict(batch)
    labels = inputs.pop("labels")[:, 1:]
    is_learned = labels != IGNORED
    output = model(**inputs, use_cache=False, logits_to_keep=pad(is_learned, (0, 1)))
    return -cross_entropy(widened(output.logits), labels[is_learned], reduction="none")


# training ----------------------------------------------------------------------------------------


class ReplyTrainer(Resumable, SFTTrainer):  # type: ignore[misc]
    """TRL's SFT trainer, with the logits of replies only.

    Source: without Triton, trl 1.16 computes the logits of every token, frames included: a third of
    a step of a tiny model on a CPU.
    """

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.model_accepts_loss_kwargs = True  # this loss does, the models' own does not

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """Returns minus the mean log-prob of learned tokens: those of a step, or of this batch."""
        log_probs = reply_log_probs(model, inputs)
        if num_items_in_batch is None:
            loss = -log_probs.mean()
        else:  # gradients are averaged over processes, each of which has counted all tokens
            loss = -log_probs.sum() * self.accelerator.num_processes / num_items_in_batch
        return (loss, {}) if return_outputs else loss


def train_sft(settings: SFTSettings, *, resume: bool = False) -> None:
    """Trains a model and writes it into `settings.out`, or resumes from the last checkpoint there.

    Raises:
        OSError: there is no model or file where settings say.
        ValueError: settings do not fit together, or the folder holds another run.
        RecordError: a line is no demonstration.
    """
    use_threads(settings.num_threads)
    num_before = len(settings.demonstrations) - 1
    folders = [settings.out / f"stage{number + 1}" for number in range(num_before)]
    keep_settings(settings.out, settings, resume=resume, stages=folders)
    start = settings.model
    for file, folder in zip(settings.demonstrations, [*folders, settings.out], strict=True):
        if not (resume and (folder / STATE).exists()):
            _train_stage(start, list(read_demonstrations(file)), folder, settings)
        start = str(folder)


def _train_stage(
    start: str,
    demonstrations: Sequence[Demonstration],
    folder: Path,
    settings: SFTSettings,
) -> None:
    """Trains the model at start on demonstrations and writes it into a folder."""
    trainer = make_trainer(start, demonstrations, folder, settings)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    if settings.lora_rank:
        trainer.model = trainer.model.merge_and_unload()
    trainer.save_model(str(folder))
    trainer.save_state()
    trainer.accelerator.wait_for_everyone()  # the next stage starts from what one process wrote


def make_trainer(
    start: str,
    demonstrations: Sequence[Demonstration],
    folder: Path,
    settings: SFTSettings,
) -> ReplyTrainer:
    """Returns a trainer of the model at start, for one stage.

    Raises OSError if there is no model, and ValueError if settings do not fit together.
    """
    args = _arguments(folder, settings)
    settings.check_pictures(args.world_size, all(one.record.frames_used for one in demonstrations))
    processor = load_processor(start)
    dtype = "auto" if settings.lora_rank else torch.float32
    model = settings.load_model(start, dtype, args.device)
    rows = LabeledEpisodes(
        processor, demonstrations, settings.cache_gb * 1e9, tasks=settings.tasks or None
    )
    learned, held_out = _split(len(rows), settings)
    return ReplyTrainer(
        model=model,
        args=args,
        data_collator=lambda picked: collate(
            [rows[one["row"]] for one in picked], processor.tokenizer.pad_token_id
        ),
        train_dataset=Dataset.from_dict({"row": learned}),
        eval_dataset=Dataset.from_dict({"row": held_out}) if held_out else None,
        processing_class=processor,
        callbacks=[EarlyStoppingCallback(settings.patience)] if settings.patience else [],
    )


def _split(num_rows: int, settings: SFTSettings) -> tuple[list[int], list[int]]:
    """Returns the rows to train on, and to validate on. Raises ValueError if either is empty."""
    num_held_out = round(num_rows * settings.validation_share)
    if (settings.validation_share and num_held_out == 0) or num_held_out >= num_rows:
        raise ValueError(
            f"{num_rows} demonstrations are too few to hold out {settings.validation_share:g} of "
            "them: collect more"
        )
    shuffled = torch.randperm(num_rows, generator=torch.Generator().manual_seed(settings.seed))
    order: list[int] = shuffled.tolist()
    return order[num_held_out:], order[:num_held_out]


def _arguments(folder: Path, settings: SFTSettings) -> SFTConfig:
    """Returns the settings in TRL's form."""
    when = "steps" if settings.validation_share else "no"
    args = SFTConfig(
        **settings.trl_arguments(folder),
        num_train_epochs=settings.num_epochs,
        per_device_eval_batch_size=settings.micro_batch,
        lr_scheduler_type=settings.schedule,
        warmup_steps=settings.warmup,
        weight_decay=settings.weight_decay,
        adam_beta2=settings.adam_beta2,
        eval_strategy=when,
        eval_steps=settings.save_steps,
        load_best_model_at_end=bool(settings.validation_share),
        restore_callback_states_from_checkpoint=True,  # such as patience's count
        logging_steps=10,
        dataloader_num_workers=settings.num_workers,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    args.gradient_accumulation_steps = settings.num_accumulated(args.world_size)
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. train_sft() does the work."""
    return run_training(train_sft, SFTSettings, "sft", __doc__, argv)


if __name__ == "__main__":
    raise SystemExit(main())
