"""Episodes for verifiers: a taskset, how a task is played, and a harness that asks a model.

The rules are exact: the raw text of every reply goes to a `ZoomEnv`, and its reward is the trace's.
What a hub installs is a module that exports the three, as `examples/integrations/prime_hub` does.

Source: verifiers 0.4, `verifiers.v1`, whose older interface is gone.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import verifiers.v1 as vf
from pydantic import Field
from verifiers.v1.dialects.chat import message_to_wire
from verifiers.v1.runtimes import ProgramResult, Runtime, SubprocessConfig

from zoomgym.conversation import to_openai, write_completion
from zoomgym.integrations.session import Session, session_with

__all__ = ["ZoomGame", "ZoomHarness", "ZoomTaskset"]

ARGUMENTS = {"tasks": "synthetic", "source": "scene"}


class ZoomData(vf.TaskData):
    """A task as a trace has it."""

    task_id: str
    arguments: dict[str, Any]
    seed: int


class ZoomTask(vf.Task[ZoomData]):
    """A question about a video. What it is worth, the environment says: see `ZoomGame`."""


class ZoomTasksetConfig(vf.TasksetConfig):
    """Which tasks are played."""

    arguments: dict[str, Any] = Field(default_factory=lambda: dict(ARGUMENTS))
    """Of ZoomEnv."""
    num_tasks: int = Field(1000, ge=1)
    """The first ones of the set."""
    seed: int = Field(0, ge=0)
    """Of the environment."""


class ZoomTaskset(vf.Taskset[ZoomTask, ZoomTasksetConfig]):
    """The first tasks of any task set."""

    def load(self) -> Iterator[ZoomTask]:
        """Yields tasks. Raises TaskError and ValueError if arguments make no environment."""
        config = self.config
        tasks = session_with(config.arguments).env.tasks
        for index in range(min(config.num_tasks, len(tasks))):
            task_id = tasks[index].id
            data = ZoomData(
                id=task_id,
                name=task_id,
                task_id=task_id,
                arguments=config.arguments,
                seed=config.seed,
            )
            yield ZoomTask(data, config.task)


class ZoomHarnessConfig(vf.HarnessConfig):
    """Settings of the harness."""

    timeout_s: float = Field(600.0, gt=0)
    """Seconds that one request may take."""


class ZoomHarness(vf.Harness[ZoomHarnessConfig]):
    """Asks the model once a turn, from this process: nothing is installed or started for it."""

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: vf.ModelContext,
        trace: vf.Trace,
        runtime: Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> ProgramResult:
        """Sends the conversation to the model, by way of verifiers, which keeps the trace."""
        _, prompt = self.resolve_prompt(data)
        messages = [message_to_wire(message) for message in prompt or ()]
        async with httpx.AsyncClient(timeout=self.config.timeout_s) as client:
            answer = await client.post(
                f"{endpoint.rstrip('/')}/chat/completions",
                json={"model": ctx.model, "messages": messages},
                headers={"Authorization": f"Bearer {secret}"},
            )
        if answer.is_success:
            return ProgramResult(0, "", "")
        return ProgramResult(1, "", f"status {answer.status_code}: {answer.text[:500]}")


class ZoomGameConfig(vf.EnvConfig):
    """How an episode is played."""

    player: vf.AgentConfig = vf.AgentConfig(runtime=SubprocessConfig())
    """Who plays. Its harness is `ZoomHarness` unless it names another chat harness."""
    jpeg_quality: int = Field(90, ge=0, le=100)
    """Of pictures, 1 to 100; 0 sends them as PNG, without loss."""


class ZoomGame(vf.Env[ZoomGameConfig]):
    """Plays one task: shows what the environment shows, and gives it what the model says."""

    async def run(self, task: ZoomTask, agents: vf.Agents) -> None:
        """Plays an episode. Raises VideoError and GradingError, which end it without a reward."""
        data, quality = task.data, self.config.jpeg_quality
        session = session_with(data.arguments)
        try:
            shown = await asyncio.to_thread(session.open, data.task_id, data.seed)
            async with agents.player.interaction(task) as talk:
                while not session.is_over:
                    segment = await talk.turn(to_openai(shown, jpeg_quality=quality))
                    if segment.terminated:
                        break
                    shown = await asyncio.to_thread(session.reply, _reply_of(segment, session))
        finally:
            session.env.close()
        trace = talk.trace
        if session.is_over or trace.ok:  # else the model failed: that is no score
            trace.record_reward("reward", session.reward)
            trace.record_metrics({**session.terms, "frames_used": session.env.episode.frames_used})


def _reply_of(segment: vf.Segment, session: Session) -> str:
    """Returns the reply of a segment, as the model said it."""
    said = [one for one in segment.messages if isinstance(one, vf.AssistantMessage)][-1]
    calls = [(call.name, call.arguments) for call in said.tool_calls or ()]
    return write_completion(
        said.content or "", calls, session.env.rules, thought=said.reasoning_content or ""
    )
