"""TRL's own tool loop, with scripted replies instead of sampled ones."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from trl import GRPOConfig, GRPOTrainer, chat_template_utils

from agents.qwen.model.loading import load_model, load_processor
from zoomgym.integrations.trl import ZoomSpec


class TensorImages(Qwen2VLImageProcessorPil):
    """An image processor that needs no torchvision, and always returns tensors, as TRL expects."""

    def preprocess(self, *args: Any, **given: Any) -> Any:
        return super().preprocess(*args, **(given | {"return_tensors": "pt"}))


class ScriptedTrainer(GRPOTrainer):
    """A trainer of TRL whose rollouts, all of one task, say what is scripted.

    Only sampling is replaced: TRL reads the replies, calls the tools, builds the conversation, gets
    log-probs, gradients and rewards.
    """

    def __init__(
        self, folder: Path, spec: ZoomSpec, task_id: str, scripts: list[list[str]], **config: Any
    ) -> None:
        processor = load_processor(str(folder))
        processor.image_processor = TensorImages.from_dict(processor.image_processor.to_dict())
        processor.chat_template = chat_template_utils.qwen3_vl_chat_template
        self.scripts = scripts
        self.outcome: tuple[Any, ...] = ()
        """What a generation returned: see `GRPOTrainer._generate`."""
        self.batch: dict[str, Any] = {}
        """What the loss was made of."""
        row = spec.train_dataset[0] | {"task_id": task_id}
        super().__init__(
            model=load_model(str(folder), dtype=torch.float32, device="cpu"),
            processing_class=processor,
            args=GRPOConfig(
                output_dir=str(folder / "out"),
                use_cpu=True,
                bf16=False,
                per_device_train_batch_size=len(scripts),
                num_generations=len(scripts),
                max_steps=1,
                beta=0.0,
                gradient_checkpointing=False,
                report_to=[],
                save_strategy="no",
                logging_steps=1,
                disable_tqdm=True,
                generation_kwargs={"max_new_tokens": 2},
                **{"max_completion_length": 2000, **config},
            ),
            train_dataset=Dataset.from_list([row]),
            environment_factory=spec.environment_factory,
            reward_funcs=spec.reward_funcs,
        )

    def _generate(self, prompts: list[Any]) -> Any:
        self._read = [list[int]() for _ in prompts]
        self._turns = [0 for _ in prompts]
        self.outcome = super()._generate(prompts)
        return self.outcome

    def _generate_single_turn(self, prompt_ids: Any, *args: Any, **given: Any) -> Any:
        """Runs the model on what it would read, and returns the next replies of the scripts."""
        super()._generate_single_turn(prompt_ids, *args, **given)
        rows = iter(range(len(self.scripts)))
        said = []
        for ids in prompt_ids:  # rollouts that have ended are left out
            row = next(row for row in rows if ids[: len(self._read[row])] == self._read[row])
            [text] = self.scripts[row][self._turns[row] :][:1] or [""]
            said.append(self._tokenizer(text + self._tokenizer.eos_token)["input_ids"])
            self._read[row] = [*ids, *said[-1]]
            self._turns[row] += 1
        return said, None

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> torch.Tensor:
        self.batch = inputs
        loss: torch.Tensor = super()._compute_loss(model, inputs)
        return loss


def write_native(text: str, calls: Sequence[tuple[str, str]] = ()) -> str:
    """Returns a reply as the chat template of Qwen3-VL writes it."""
    blocks = [
        f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'
        for name, arguments in calls
    ]
    return "\n".join([*([text] if text else []), *blocks])
