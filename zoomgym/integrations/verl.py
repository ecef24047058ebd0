"""Episodes for verl: an agent loop that plays by the rules, and the rows of its dataset.

The raw text of every reply goes to the environment, which says when the episode is over. Tokens
stay as they were sampled: what comes back is appended by verl's own builder, and masked.

Source: `AgentLoopBase` and `ToolAgentLoop` of verl 0.9.1, whose interface for pictures changed in
August 2026.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import (
    AgentLoopBase,
    AgentLoopMetrics,
    AgentLoopOutput,
    register,
)
from verl.utils.profiler import simple_timer
from verl.utils.tokenizer.tokenizer import get_processor_token_id

from zoomgym.conversation import Message, images_of, to_pil
from zoomgym.integrations.session import Session, session_with
from zoomgym.rules import grammar_of
from zoomgym.tasks import TaskSet

__all__ = ["ZoomAgentLoop", "rows"]

NAME = "zoomgym"
"""Name of the agent loop, for the column `agent_name`."""
NEWEST = "max_global_steps"
"""What the last reply says of a rollout; of all else, the first reply's is kept."""


def rows(tasks: TaskSet, num_tasks: int | None = None) -> list[dict[str, Any]]:
    """Returns rows of verl's dataset, for `pyarrow.Table.from_pylist`, of the first tasks.

    Args:
        tasks: of the environment.
        num_tasks: how many; None takes all.
    """
    num_rows = len(tasks) if num_tasks is None else min(num_tasks, len(tasks))
    return [
        {
            "data_source": tasks.name,
            "agent_name": NAME,
            "prompt": [
                {"role": "user", "content": tasks[index].question}
            ],  # the loop writes its own
            "reward_model": {"style": "rule", "ground_truth": ""},
            "extra_info": {"index": index, "task_id": tasks[index].id},
        }
        for index in range(num_rows)
    ]


@dataclass(slots=True)
class _Rollout:
    """What was said and shown so far, as verl learns from it."""

    messages: list[dict[str, Any]]
    images: list[Any]
    ids: list[int]
    """Of the prompt and all that came after it."""
    mask: list[int] = field(default_factory=list)
    """Of what came after the prompt: 1 where the model said it."""
    log_probs: list[float] | None = None
    """Like the mask; None if they are not asked for."""
    fields: dict[str, Any] = field(default_factory=dict)
    """What the server tells besides."""

    @property
    def num_prompt_ids(self) -> int:
        """Length of the prompt."""
        return len(self.ids) - len(self.mask)


@register(NAME)
class ZoomAgentLoop(AgentLoopBase):
    """Plays the episode that `extra_info["task_id"]` of a row names.

    Args:
        env: arguments of `ZoomEnv`.
        max_tokens: of a reply.
        given: what verl gives every agent loop.
    """

    def __init__(
        self, *, env: Mapping[str, Any] | None = None, max_tokens: int = 1024, **given: Any
    ) -> None:
        super().__init__(**given)
        self._arguments: Any = OmegaConf.to_container(OmegaConf.create(dict(env or {})))
        self._max_tokens = max_tokens
        self._length = self.rollout_config.response_length
        kinds = [get_processor_token_id(self.processor, kind) for kind in ("image", "video")]
        self._pads = {id_ for id_ in kinds if id_ is not None}

    async def run(self, sampling_params: dict[str, Any], **row: Any) -> AgentLoopOutput:
        """Plays an episode. Raises what `Session` does: verl has no place for a lost episode."""
        session = session_with(self._arguments)
        times_s: dict[str, float] = {}
        try:
            with simple_timer("tool_calls", times_s):
                opening = await asyncio.to_thread(session.open, row["extra_info"]["task_id"])
            rollout = await self._open(opening)
            rollout.log_probs = [] if sampling_params.get("logprobs") else None
            num_turns = await self._play(session, rollout, sampling_params, times_s)
        finally:
            session.env.close()
        terms = dict.fromkeys(session.env.reward_weights, 0.0) | session.terms
        told = {"turn_scores": [], "tool_rewards": [], "reward_extra_info": terms}
        start = rollout.num_prompt_ids
        return AgentLoopOutput(
            prompt_ids=rollout.ids[:start],
            response_ids=rollout.ids[start:],
            response_mask=rollout.mask,
            response_logprobs=rollout.log_probs,
            multi_modal_data={"images": rollout.images} if rollout.images else {},
            mm_processor_kwargs=self._get_mm_processor_kwargs(),
            reward_score=session.reward,
            num_turns=num_turns,
            metrics=AgentLoopMetrics(**times_s),
            extra_fields=rollout.fields | told,
        )

    async def _open(self, opening: Sequence[Message]) -> _Rollout:
        """Returns a rollout that begins with the rules, the overview and the question."""
        images = images_of(opening)
        self._assert_mm_supported(bool(images))
        messages = to_pil(opening)
        pictures = _pictures(messages)
        ids = await self.ct_build_initial_tokens(messages, images=pictures)
        return _Rollout(messages, pictures, ids)

    async def _play(
        self,
        session: Session,
        rollout: _Rollout,
        sampling_params: Mapping[str, Any],
        times_s: dict[str, float],
    ) -> int:
        """Plays until the episode is over or the response is full; returns the number of turns."""
        request_id, num_turns = uuid4().hex, 1
        grammar = grammar_of(session.env.rules.grammar)
        while len(rollout.mask) < self._length:
            with simple_timer("generate_sequences", times_s):
                reply = await self._say(rollout, sampling_params, request_id, grammar.stop)
            with simple_timer("tool_calls", times_s):
                response = await asyncio.to_thread(session.reply, reply)
            num_turns += 1
            if session.is_over or not await self._hear(rollout, response):
                break
            num_turns += 1
        return num_turns

    async def _say(
        self, rollout: _Rollout, sampling_params: Mapping[str, Any], request_id: str, stop: str
    ) -> str:
        """Adds a reply, as it was sampled, to a rollout, and returns its text."""
        limit = min(self._max_tokens, self._length - len(rollout.mask))
        params = {**sampling_params, "max_tokens": limit}
        if stop and self.rollout_config.name == "vllm":
            params |= {"stop": [stop], "include_stop_str_in_output": True}
        output = await self.server_manager.generate(
            request_id=request_id,
            prompt_ids=rollout.ids,
            sampling_params=params,
            image_data=rollout.images or None,
            mm_processor_kwargs=self._get_mm_processor_kwargs(),
        )
        newest = {name: value for name, value in output.extra_fields.items() if name == NEWEST}
        rollout.fields = output.extra_fields | rollout.fields | newest
        ids = output.token_ids[: self._num_said(output.token_ids[:limit], stop)]
        is_logged = rollout.log_probs is not None
        log_probs = (output.log_probs or [])[: len(ids)] if is_logged else None
        merged, rollout.mask, rollout.log_probs = await self.ct_merge_assistant_token(
            rollout.ids, ids, rollout.mask, rollout.log_probs, log_probs
        )
        rollout.ids = merged.token_ids
        self._close(rollout)
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True))
        if stop and stop in text:
            text = text[: text.index(stop) + len(stop)]
        rollout.messages.append({"role": "assistant", "content": text})
        return text

    async def _hear(self, rollout: _Rollout, response: Sequence[Message]) -> bool:
        """Adds what came back to a rollout, and returns whether there was room for it."""
        before = list(rollout.messages)
        rollout.messages += to_pil(response)
        merged, mask, log_probs = await self.ct_merge_context_msg(
            before, rollout.messages, rollout.ids, rollout.mask, rollout.log_probs
        )
        if len(mask) >= self._length:
            return False
        rollout.ids, rollout.mask, rollout.log_probs = merged.token_ids, mask, log_probs
        rollout.images += _pictures(rollout.messages[len(before) :])
        return True

    def _num_said(self, ids: Sequence[int], stop: str) -> int:
        """Returns how many of the sampled ids are the reply: up to a stop text, before a picture.

        Pictures are the environment's: a place for one that the model samples has none.
        """
        count = next((at for at, id_ in enumerate(ids) if id_ in self._pads), len(ids))
        if not stop:
            return count

        def is_stopped(length: int) -> bool:
            return stop in self.tokenizer.decode(ids[:length], skip_special_tokens=True)

        return bisect_left(range(count), True, key=is_stopped)

    def _close(self, rollout: _Rollout) -> None:
        """Ends the message of a reply that has not done so itself, where there is room."""
        end = self.tokenizer.eos_token_id
        if rollout.ids[-1] != end and len(rollout.mask) < self._length:
            rollout.ids.append(end)
            rollout.mask.append(0)
            if rollout.log_probs is not None:
                rollout.log_probs.append(0.0)


def _pictures(messages: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Returns the PIL pictures in messages, in order."""
    parts = [part for message in messages for part in message["content"]]
    return [part["image"] for part in parts if part["type"] == "image"]
