"""What speaks instead of a model, with the tokens of scripted replies."""

from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from agents.qwen.model.chunks import Chunk
from agents.qwen.model.generation import Reply, Sampling, end_reply
from agents.qwen.model.speakers import Generators, Pictures, Talks


@dataclass
class ScriptedSpeaker:
    """Says the next reply of a script in each turn, up to where a model's would end."""

    tokenizer: PreTrainedTokenizerBase
    script: list[str]

    def read(self, talks: Talks, chunks: Sequence[Chunk], pictures: Pictures) -> None:
        for talk, chunk in zip(talks, chunks, strict=True):
            talk.hear(chunk)

    def say(self, talks: Talks, rngs: Generators, sampling: Sampling) -> list[Reply]:
        replies = []
        for talk in talks:
            spoken = [talk.is_said[at] and not talk.is_said[at - 1] for at in range(len(talk.ids))]
            text = self.script[sum(spoken)]
            ids = [*self.tokenizer(text)["input_ids"], self.tokenizer.eos_token_id]
            reply = end_reply(self.tokenizer, ids, [-1.0] * len(ids), sampling.stop)
            assert reply.text == text
            talk.answer(reply)
            replies.append(reply)
        return replies
