"""What stands for vLLM in tests: TRL's `VLLMGeneration`, around a tiny model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from accelerate import PartialState
from accelerate.utils import gather_object
from PIL import Image

from agents.qwen.model.chunks import Chunk
from agents.qwen.model.generation import Conversation, Sampling, read, say


class MadeUpVLLM:
    """Takes what `VLLMGeneration` takes, and answers as it does, with a model's own words.

    Within the trainer's process it puts in the tokens of pictures, as vLLM does; as a server it
    wants them, and refuses processes that ask for different numbers of replies.
    """

    def __init__(
        self, model: Any, processing_class: Any, mode: str = "colocate", **given: Any
    ) -> None:
        self.model, self.processor, self.mode, self.given = model, processing_class, mode, given
        self.temperature = given.get("temperature", 1.0)
        self.generation_kwargs: dict[str, Any] = {}
        self.asked: list[tuple[list[int], list[Image.Image] | None]] = []
        self.num_synced = 0
        self.num_calls = 0
        self.rank = PartialState().process_index
        self.vllm_client = self

    def get_server_info(self) -> dict[str, Any]:
        """Returns how log-probs are made."""
        return {"model_config": {"logprobs_mode": "processed_logprobs"}}

    def sync_weights(self) -> None:
        """Counts."""
        self.num_synced += 1

    def generate(
        self,
        prompts: list[list[int]],
        images: list[list[Image.Image] | None],
        num_generations: int,
        profiler: Any = None,
    ) -> tuple[Any, ...]:
        """Returns the ids that were read and said, their log-probs, and their ids once more."""
        assert num_generations == 1
        assert len(images) == len(prompts) > 0
        assert self.mode == "colocate" or len(set(gather_object([len(prompts)]))) == 1
        self.num_calls += 1
        self.asked += zip(prompts, images, strict=True)
        chunks = [self._chunk(*pair) for pair in zip(prompts, images, strict=True)]
        talks = [Conversation() for _ in prompts]
        policy = getattr(self.model, "module", self.model)
        was_training = policy.training
        policy.eval()
        read(policy, talks, chunks)
        replies = say(
            policy,
            self.processor.tokenizer,
            talks,
            [np.random.default_rng([self.rank, self.num_calls, row]) for row in range(len(talks))],
            Sampling(
                temperature=self.temperature,
                max_tokens=self.generation_kwargs["max_tokens"],
                stop="".join(self.generation_kwargs.get("stop", [])),
                banned_ids=tuple(self.generation_kwargs["logit_bias"]),
            ),
        )
        policy.train(was_training)
        return (
            [chunk.ids for chunk in chunks],
            [reply.ids for reply in replies],
            [[[one] for one in reply.log_probs] for reply in replies],
            [[[one] for one in reply.ids] for reply in replies],
        )

    def _chunk(self, ids: Sequence[int], images: list[Image.Image] | None) -> Chunk:
        """Returns what vLLM reads. Raises ValueError where vLLM would have read something else."""
        image_id = self.processor.image_token_id
        if not images:
            return Chunk(tuple(ids), image_id)
        assert all(isinstance(image, Image.Image) for image in images)
        given = self.processor.image_processor(images=images, return_tensors="pt")
        grids = [tuple(grid) for grid in given["image_grid_thw"].tolist()]
        if self.mode == "colocate":
            assert ids.count(image_id) == len(images)
            sizes = iter([time * height * width // 4 for time, height, width in grids])
            ids = [
                one for id_ in ids for one in ([id_] * next(sizes) if id_ == image_id else [id_])
            ]
        return Chunk(tuple(ids), image_id, 2, given["pixel_values"], tuple(grids))


class Scripted(MadeUpVLLM):
    """Says what it is told to, token by token, at a log-prob of -1."""

    def __init__(self, processor: Any, replies: list[list[int]], mode: str = "colocate") -> None:
        super().__init__(None, processor, mode)
        self.replies = replies

    def generate(
        self,
        prompts: list[list[int]],
        images: list[list[Image.Image] | None],
        num_generations: int,
        profiler: Any = None,
    ) -> tuple[Any, ...]:
        """Returns the script."""
        self.asked += zip(prompts, images, strict=True)
        replies = [*self.replies, *[[5]] * len(prompts)][: len(prompts)]
        read_ids = [self._chunk(*pair).ids for pair in zip(prompts, images, strict=True)]
        return read_ids, replies, [[[None]] + [[-1.0]] * (len(one) - 1) for one in replies], None
