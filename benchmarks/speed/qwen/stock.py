"""TRL's own generation, on the same episodes as ours: the baseline of KV reuse."""

import copy
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from unittest import mock

from datasets import Dataset
from PIL import Image
from trl import GRPOConfig, GRPOTrainer

from agents.qwen.training.grpo_trainer import environment_reward
from agents.qwen.training.rollouts import NAME
from benchmarks.speed.qwen.episodes import TASK_ID, Course, make_env
from zoomgym.conversation import Message, new_messages, to_messages
from zoomgym.envs import ZoomEnv
from zoomgym.rollout import to_record
from zoomgym.rules import GRAMMARS

FAR = 1_000_000
"""Lifts TRL's bound of a completion, which counts frames too."""


def ending_ids(processor: Any) -> list[int]:
    """Returns the ids to ban, so that no reply ends early and all have full length.

    Ours ends a reply after a text: without its last character, the text never completes.
    """
    tokenizer = processor.tokenizer
    last = GRAMMARS["video_zoom"].stop[-1]
    texts = tokenizer.batch_decode([[id_] for id_ in range(len(tokenizer))])
    return [tokenizer.eos_token_id, *(id_ for id_, text in enumerate(texts) if last in text)]


class StockTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with TRL's tool loop: in each rollout, a turn reads its whole conversation.

    `_tokenize_prompts`, `_generate_single_turn` and `_tool_call_loop` are TRL's. Only what random
    weights cannot do is done for them: every reply counts as a tool call, and the tool plays a turn
    of the environment. Changes the arguments of a run of `train_grpo`.
    """

    def __init__(
        self, model: Any, processor: Any, args: GRPOConfig, course: Course, num_tokens: int
    ) -> None:
        banned = [processor.image_token_id, processor.video_token_id, *ending_ids(processor)]
        args.generation_kwargs = {"max_new_tokens": num_tokens, "suppress_tokens": banned}
        args.max_completion_length = FAR
        args.max_tool_calling_iterations = course.num_zooms
        processor = copy.deepcopy(processor)
        processor.tokenizer.response_template = {}  # TRL wants one, and _called takes its place
        row = {"prompt": [{"role": "user", "content": TASK_ID}]}
        super().__init__(
            model=model,
            reward_funcs=[environment_reward],
            args=args,
            train_dataset=Dataset.from_list([row]),
            processing_class=processor,
            tools=[video_zoom],
        )
        self._env = make_env(course)

    def _generate(self, prompts: list[Any]) -> tuple[Any, ...]:
        """Plays a group by TRL's tool loop."""
        self._env.reset(seed=0, options={"task_id": TASK_ID})
        envs = [self._env.fork() for _ in prompts]
        self._sync_tool_dicts = [{video_zoom.__name__: partial(_look, env)} for env in envs]
        self._async_tool_dicts: list[dict[str, Any]] = [{} for _ in envs]
        openings = [_for_trl(to_messages(env.observation)) for env in envs]
        with mock.patch("trl.trainer.grpo_trainer.parse_response", _called):
            played = super()._generate(openings)
        prompt_ids, completion_ids, masks, said, log_probs, _, pictures, clips = played
        last = [ids[-self.generation_kwargs["max_new_tokens"] :] for ids in completion_ids]
        replies = self._tokenizer.batch_decode(last, skip_special_tokens=True)
        for env, reply in zip(envs, replies, strict=True):
            env.step(reply)
        records = [to_record(env, agent_name=NAME, seed=0, agent_s=0.0) for env in envs]
        extra = {"record": records}
        return prompt_ids, completion_ids, masks, said, log_probs, extra, pictures, clips

    def _get_tool_suffix_ids(self, tool_messages: list[Any]) -> list[int]:
        """Returns what follows a reply, after ending it: it was cut off."""
        return [self._tokenizer.eos_token_id, *super()._get_tool_suffix_ids(tool_messages)]


def video_zoom() -> list[Any]:
    """Shows a stretch of the video."""
    raise AssertionError("each rollout has a tool of its own")


def _called(*_: Any, **__: Any) -> dict[str, Any]:
    """Parses every reply as a call of the tool."""
    function = {"name": video_zoom.__name__, "arguments": {}}
    calls = [{"type": "function", "function": function}]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def _look(env: ZoomEnv) -> list[Any]:
    """Plays one turn, and returns its frames as TRL expects them from a tool.

    The chat template writes what surrounds them.
    """
    env.step("")
    response = new_messages(env.observation)[-1]
    [first, *shown, newline, last] = _for_trl([response])[0]["content"]
    assert (newline["text"], last["text"]) == ("\n", "</tool_response>")
    return [{**first, "text": first["text"].removeprefix("<tool_response>\n")}, *shown]


def _for_trl(messages: Sequence[Message]) -> list[Mapping[str, Any]]:
    """Returns messages in TRL's form."""
    return [
        {
            "role": message["role"],
            "content": [
                {"type": "image", "image": Image.fromarray(part["image"])}
                if part["type"] == "image"
                else part
                for part in message["content"]
            ],
        }
        for message in messages
    ]
