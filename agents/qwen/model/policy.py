"""The agent `qwen:PATH`: a Qwen2.5-VL, Qwen3-VL or Qwen3.5 that looks, zooms and answers."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from transformers import PreTrainedModel

from agents.qwen.model.chunks import ASSISTANT, Chunk, encode
from agents.qwen.model.generation import Conversation, Sampling, read, say
from agents.qwen.model.loading import Processor, check_path, load_model, load_processor
from zoomgym.agent import Observation, episode_rng
from zoomgym.conversation import new_messages, to_messages
from zoomgym.rules import Answer, action_in, grammar_of

MAX_KEPT = 256
"""Most episodes kept in memory; older ones are read again when they continue."""


class QwenAgent:
    """A model in any number of episodes at once.

    What it has read of an episode stays in memory, so that a turn reads only what is new. Replies
    are read again as text, not as they were sampled, so that an episode depends only on what was
    said and shown in it: in a batch, alone, or from the middle on. Weights are loaded at the first
    reset, once in a process.

    Args:
        path: a folder or a hub id; else, OSError is raised.
        temperature: 0 is greedy, as the paper evaluates.
        max_tokens: of a reply; the official evaluation stops at 8,096.
        dtype: of the weights; see `load_model`.
        attention: the kernel; see `load_model`.
    """

    def __init__(
        self,
        path: str,
        *,
        temperature: float = 0.0,
        max_tokens: int = 1024,
        dtype: str = "auto",
        attention: str = "sdpa",
    ) -> None:
        check_path(path)
        self._source = (path, dtype, attention)
        self._temperature, self._max_tokens = temperature, max_tokens
        self._kept: dict[tuple[str, ...], Conversation] = {}

    def reset(self, seed: int) -> None:
        """Seeds the sampling and forgets all episodes. Raises OSError if there is no model."""
        self._processor, self._model = _load(*self._source, _newest_ns(self._source[0]))
        self._seed = seed
        self._kept.clear()

    def act(self, observation: Observation) -> str:
        """Returns the reply to one observation."""
        return self.act_batch([observation])[0]

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        """Returns the replies to observations of different episodes, all of one grammar.

        Raises ValueError if the model would see a different number of frames than was shown.
        """
        talks = [
            self._kept.pop(_name(seen, -1) if seen.turns else (), Conversation())
            for seen in observations
        ]
        pairs = list(zip(observations, talks, strict=True))
        read(self._model, talks, [self._unread(seen, talk) for seen, talk in pairs])
        [grammar] = {seen.rules.grammar for seen in observations}
        replies = say(
            self._model,
            self._processor.tokenizer,
            [talk.copy() for talk in talks],
            [episode_rng(self._seed, seen) for seen in observations],
            sampling_in(grammar, self._processor, self._temperature, self._max_tokens),
        )
        texts = [reply.text for reply in replies]
        for (seen, talk), text in zip(pairs, texts, strict=True):
            action = action_in(text, grammar, seen.rules.tools)
            if seen.turns_left > 1 and not isinstance(action, Answer):
                self._kept[_name(seen)] = talk
        for key in list(self._kept)[:-MAX_KEPT]:
            del self._kept[key]
        return texts

    def _unread(self, observation: Observation, talk: Conversation) -> Chunk:
        """Returns what the model has not read yet. Raises ValueError if frames are missing."""
        if talk.ids:
            chunk = encode(self._processor, new_messages(observation), after=ASSISTANT)
        else:
            chunk = encode(self._processor, to_messages(observation))
        shown = [observation.overview, *observation.clips]
        num_shown = sum(len(frames.times_s) for frames in shown)
        num_read = talk.num_pictures + len(chunk.grids)
        if num_read != num_shown:
            raise ValueError(
                f"{observation.episode_key}: {num_shown} frames were shown, the model reads "
                f"{num_read}: give the agent every observation of an episode in order"
            )
        return chunk


def sampling_in(
    grammar: str, processor: Processor, temperature: float, max_tokens: int
) -> Sampling:
    """Returns how replies of a grammar are sampled: without the tokens of pictures and videos."""
    banned_ids = (processor.image_token_id, processor.video_token_id)
    return Sampling(temperature, max_tokens, grammar_of(grammar).stop, banned_ids)


@lru_cache(maxsize=1)
def _load(
    path: str, dtype: str, attention: str, newest_ns: int
) -> tuple[Processor, PreTrainedModel]:
    """Returns processor and model, as saved at newest_ns. Raises OSError."""
    return load_processor(path), load_model(path, dtype=dtype, attention=attention)


def _newest_ns(path: str) -> int:
    """Returns when a file in a folder was last written, so that new checkpoints are loaded."""
    return max((file.stat().st_mtime_ns for file in Path(path).glob("*")), default=0)


def _name(observation: Observation, num_turns: int | None = None) -> tuple[str, ...]:
    """Returns what identifies an episode and its progress: its key, replies and clips.

    Episodes with the same overview share a key, but may differ in clips.
    """
    turns = observation.turns[:num_turns]
    clips = observation.clips[: sum(turn.shown is not None for turn in turns)]
    shown = (hashlib.sha256(clip.images.tobytes()).hexdigest() for clip in clips)
    return (observation.episode_key, *(turn.reply for turn in turns), *shown)
