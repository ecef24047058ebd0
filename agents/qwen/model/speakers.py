"""Speakers read and reply in conversations: a model that remembers what it has read, or vLLM."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from accelerate.utils import gather_object
from numpy.typing import NDArray
from PIL import Image
from transformers import PreTrainedTokenizerBase

from agents.qwen.model.chunks import Chunk
from agents.qwen.model.generation import Conversation, Reply, Sampling, end_reply, read, say
from agents.qwen.model.loading import Processor

Talks = Sequence[Conversation]
Generators = Sequence[np.random.Generator]
Pictures = Sequence[Sequence[NDArray[np.uint8]]]
"""Pictures of each conversation, (H, W, 3) RGB, as shown."""


class Speaker(Protocol):
    """Reads and replies in conversations."""

    def read(self, talks: Talks, chunks: Sequence[Chunk], pictures: Pictures) -> None:
        """Lets each conversation read its chunk."""

    def say(self, talks: Talks, rngs: Generators, sampling: Sampling) -> list[Reply]:
        """Replies in each conversation; see `agents.qwen.model.generation.say`."""


@dataclass(frozen=True)
class ModelSpeaker:
    """A model, with adapters or not, which reads nothing twice."""

    model: Any
    tokenizer: PreTrainedTokenizerBase

    def read(self, talks: Talks, chunks: Sequence[Chunk], pictures: Pictures) -> None:
        """Lets each conversation read its chunk."""
        read(self.model, talks, chunks)

    def say(self, talks: Talks, rngs: Generators, sampling: Sampling) -> list[Reply]:
        """Replies in each conversation."""
        return say(self.model, self.tokenizer, talks, rngs, sampling)


@dataclass(frozen=True)
class VLLMSpeaker:
    """vLLM, as TRL drives it.

    It gets the whole conversation in each turn, with all pictures; its own prefix cache saves the
    work. It samples by itself: replies depend on the batch, and no seed repeats them.

    Not run against a real vLLM yet. What it is sent and what comes back follow the source of trl
    1.16 (`VLLMGeneration`), and are checked: vLLM must have read, token by token, what the trainer
    learns from.
    """

    generation: Any
    """TRL's `VLLMGeneration`, with current weights."""
    processor: Processor

    def read(self, talks: Talks, chunks: Sequence[Chunk], pictures: Pictures) -> None:
        """Keeps what vLLM will be given."""
        for talk, chunk, shown in zip(talks, chunks, pictures, strict=True):
            talk.hear(chunk)
            talk.pictures = (*talk.pictures, *shown)

    def say(self, talks: Talks, rngs: Generators, sampling: Sampling) -> list[Reply]:
        """Replies in each conversation.

        Raises:
            ValueError: vLLM has read another text than the conversation, or said a banned id.
        """
        stop, banned_ids = sampling.stop, sampling.banned_ids
        self.generation.temperature = sampling.temperature
        self.generation.generation_kwargs = {
            "max_tokens": sampling.max_tokens,
            "logit_bias": dict.fromkeys(banned_ids, -100.0),  # the strongest that there is
            **({"stop": [stop]} if stop else {}),
        }
        answers = self._ask(
            [self._prompt(talk) for talk in talks], [talk.pictures for talk in talks]
        )
        replies = []
        for talk, (read_ids, ids, log_probs) in zip(talks, answers or [], strict=True):
            if read_ids != talk.ids:
                raise ValueError(
                    f"vLLM needed to read the {len(talk.ids)} tokens of a conversation, it read "
                    f"{len(read_ids)}, or others: is its processor that of the trainer?"
                )
            if not ids or set(ids) & set(banned_ids):
                raise ValueError(f"vLLM needed to reply without the ids {[*banned_ids]}, got {ids}")
            reply = end_reply(self.processor.tokenizer, ids, log_probs, stop)
            talk.answer(reply)
            replies.append(reply)
        return replies

    def wait(self) -> None:
        """Joins the requests of other processes to a server, until there are none."""
        while self._is_shared and self._ask([], []) is not None:
            pass

    @property
    def _is_shared(self) -> bool:
        """Whether processes share one vLLM, and each asks for the same number of replies.

        Source: `VLLMGeneration.generate` gathers prompts, and hands replies out in equal shares.
        """
        return bool(self.generation.mode == "server")

    def _prompt(self, talk: Conversation) -> list[int]:
        """Returns a conversation as vLLM takes it.

        Source: within the trainer's process, vLLM wants one image token a picture, and puts in
        those that the picture takes (TRL issue 6294); TRL looks for all of them on the way to a
        server, and places its features there (`VLLMGeneration._place_features`).
        """
        if self._is_shared:
            return talk.ids
        image = self.processor.image_token_id
        runs = [(id_, list(run)) for id_, run in groupby(talk.ids)]
        return [one for id_, run in runs for one in ([id_] if id_ == image else run)]

    def _ask(
        self, prompts: Sequence[list[int]], pictures: Pictures
    ) -> list[tuple[list[int], list[int], list[float]]] | None:
        """Returns, for each prompt, the ids that were read and said, and the log-probs of those.

        None: no process asks for more.
        """
        most = max(gather_object([len(prompts)])) if self._is_shared else len(prompts)
        if most == 0:
            return None
        num_missing = most - len(prompts)
        images = [[Image.fromarray(picture) for picture in shown] or None for shown in pictures]
        blank = [self.processor.tokenizer.eos_token_id]
        read_ids, said_ids, log_probs, _ = self.generation.generate(
            prompts=[*prompts, *[blank] * num_missing],
            images=[*images, *[None] * num_missing],
            num_generations=1,
        )
        chosen = [[math.nan if one is None else one for one, *_ in row] for row in log_probs]
        answers = [*zip(map(list, read_ids), map(list, said_ids), chosen, strict=True)]
        return answers[: len(prompts)]
