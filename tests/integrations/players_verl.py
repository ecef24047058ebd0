"""verl's agent loop over a server that says scripted replies."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from omegaconf import OmegaConf
from verl.experimental.agent_loop.agent_loop import AgentLoopOutput, DictConfigWrap
from verl.utils.dataset.rl_dataset import RLHFDataset
from verl.workers.rollout.replica import TokenOutput

from agents.qwen.model.tiny import make_processor
from zoomgym.integrations.verl import ZoomAgentLoop


class ScriptedServer:
    """A manager of servers that says the next scripted reply, and ends it, for each request."""

    def __init__(self, tokenizer: Any, replies: Sequence[str], *, ends: bool = True) -> None:
        self._tokenizer, self._replies, self._ends = tokenizer, list(replies), ends
        self.requests: list[dict[str, Any]] = []

    async def generate(self, **request: Any) -> TokenOutput:
        """Returns the tokens of a reply, with the log-prob -1.5 each."""
        text = self._replies[len(self.requests)] + self._tokenizer.eos_token * self._ends
        self.requests.append({**request, "prompt_ids": list(request["prompt_ids"])})
        ids = self._tokenizer(text)["input_ids"][: request["sampling_params"]["max_tokens"]]
        step = {"min_global_steps": len(self.requests), "max_global_steps": len(self.requests)}
        return TokenOutput(token_ids=ids, log_probs=[-1.5] * len(ids), extra_fields=step)


class ModelServer:
    """A manager of servers for several episodes, which are told apart by their questions.

    Replies are scripted; their log-probs are a model's, given what it reads: ids and pictures.
    """

    def __init__(self, model: Any, processor: Any, scripts: Mapping[str, Sequence[str]]) -> None:
        self.model, self.processor = model, processor
        self._scripts = scripts
        self._servers: dict[str, ScriptedServer] = {}

    async def generate(self, **request: Any) -> TokenOutput:
        """Returns the tokens of the next reply of an episode, with their log-probs."""
        tokenizer, asked = self.processor.tokenizer, request["prompt_ids"]
        text = tokenizer.decode(asked)
        [replies] = [script for question, script in self._scripts.items() if question in text]
        server = self._servers.setdefault(request["request_id"], ScriptedServer(tokenizer, replies))
        output = await server.generate(**request)
        ids = torch.tensor([asked + output.token_ids])
        with torch.no_grad():
            logits = self.model(
                input_ids=ids,
                mm_token_type_ids=(ids == self.processor.image_token_id).int(),
                **self.processor.image_processor(request["image_data"], return_tensors="pt"),
            ).logits[0, len(asked) - 1 : -1]
        log_probs = logits.log_softmax(-1).gather(-1, ids[0, len(asked) :, None])[:, 0]
        return output.model_copy(update={"log_probs": log_probs.tolist()})


def new_loop(
    processor: Any,
    server: ScriptedServer,
    arguments: Mapping[str, Any],
    *,
    response_length: int = 8000,
    engine: str = "vllm",
    **own: Any,
) -> ZoomAgentLoop:
    """Returns an agent loop as `AgentLoopWorker` of verl makes it. Needs a running event loop."""
    rollout = {"prompt_length": 8000, "response_length": response_length, "name": engine}
    config = OmegaConf.create({"actor_rollout_ref": {"rollout": rollout}, "data": {}})
    return ZoomAgentLoop(
        trainer_config=DictConfigWrap(config),
        server_manager=server,
        tokenizer=processor.tokenizer,
        processor=processor,
        hf_model_type="qwen2_5_vl",
        dataset_cls=RLHFDataset,
        data_config=DictConfigWrap(config.data),
        tools=None,
        env=OmegaConf.create(dict(arguments)),
        **own,
    )


def play_in_loop(
    task_id: str,
    replies: Sequence[str],
    arguments: Mapping[str, Any],
    *,
    ends: bool = True,
    **settings: Any,
) -> tuple[AgentLoopOutput, ScriptedServer]:
    """Plays a task in verl's loop, and returns what verl gets and what the server was asked."""
    processor = make_processor()
    server = ScriptedServer(processor.tokenizer, replies, ends=ends)

    async def run() -> AgentLoopOutput:
        loop = new_loop(processor, server, arguments, **settings)
        return await loop.run(
            {"temperature": 1.0, "logprobs": True}, extra_info={"task_id": task_id}
        )

    return asyncio.run(run()), server


def play(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    """Plays a task in verl's loop, and returns its reward."""
    output, server = play_in_loop(task_id, replies, arguments)
    assert len(server.requests) == len(replies)
    assert output.reward_score is not None
    return output.reward_score
