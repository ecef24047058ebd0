"""Plays scripted episodes in the loop of verifiers, whose client asks an endpoint on loopback."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import verifiers.v1 as vf
from verifiers.v1.clients import EvalClientConfig
from verifiers.v1.utils.loaders import load_environment

from tests.grading.judges import Answer, JudgeServer, judging, sends
from zoomgym.integrations.session import session_with
from zoomgym.integrations.verifiers import ZoomGameConfig, ZoomTask

HUB = Path(__file__).parents[2] / "examples" / "integrations" / "prime_hub"
if str(HUB) not in sys.path:
    sys.path.append(str(HUB))  # as if the plugin were installed
os.environ["ZOOMGYM_TEST_KEY"] = "secret"


def says(content: str, **message: Any) -> Answer:
    """Returns what sends a whole chat completion, as verifiers wants it."""
    said = {"role": "assistant", "content": content, **message}
    row = {
        "id": "1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": said, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
    return sends(json.dumps(row).encode())


def environment(arguments: dict[str, Any], **settings: Any) -> vf.Env:
    """Returns what verifiers makes of the plugin's id and these arguments."""
    taskset = {"id": "zoomgym-v1", "arguments": arguments, "num_tasks": 3}
    return load_environment(ZoomGameConfig.model_validate({"taskset": taskset, **settings}))


def task_of(env: vf.Env, task_id: str) -> ZoomTask:
    """Returns a task of a taskset, which may be beyond the first ones that it lists."""
    [first, *_] = env.taskset.load()
    return first.with_data(id=task_id, name=task_id, task_id=task_id)


def run(env: vf.Env, task: ZoomTask, server: JudgeServer) -> vf.Episode:
    """Returns the episode of a task with the model of a server."""
    client = EvalClientConfig(base_url=server.url, api_key_var="ZOOMGYM_TEST_KEY")

    async def go() -> vf.Episode:
        async with env.serving():
            return await env.run_episode(task, vf.ModelContext("m", client))

    return asyncio.run(go())


def play(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    env = environment(arguments)
    assert session_with(arguments).env.tasks.by_id(task_id).id == task_id
    with judging(*map(says, replies)) as server:
        episode = run(env, task_of(env, task_id), server)
        assert len(server.requests) == len(replies)
    [trace] = episode.traces
    assert episode.ok
    return float(trace.reward)
