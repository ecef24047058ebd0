"""Episodes for TRL's `GRPOTrainer`, played by TRL's own tool loop.

That loop reads calls and ends episodes itself, which changes the rules: two calls in one reply are
both executed, and text beside a call is never read. `agents.qwen.training` trains by the rules.

Source: the shape of `OpenRewardSpec` of trl 1.16, whose `reset` and tools may return pictures.
"""

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from statistics import fmean
from typing import Any

from zoomgym.conversation import Message, to_pil, tool_schemas, write_completion
from zoomgym.envs import ZoomEnv
from zoomgym.integrations.session import Session

__all__ = ["ZoomSpec"]

OVER = "The episode is over."
"""What a tool returns after the last turn."""
TYPES = {"array": list[float], "number": float, "string": str}
"""Python's types of the arguments of tools."""


class ZoomSpec:
    """What a `GRPOTrainer` takes to play episodes: dataset, environments, reward.

    Its model calls tools natively, and answers in a message without a call.

    Args:
        arguments: of `ZoomEnv`.
        num_tasks: the dataset has the first so many tasks; None takes all.
    """

    def __init__(
        self, arguments: Mapping[str, Any] | None = None, *, num_tasks: int | None = None
    ) -> None:
        self._env = ZoomEnv(**(arguments or {}))
        self._num_tasks = num_tasks
        names = tool_schemas(self._env.rules.tools)
        methods = {schema["function"]["name"]: _method(schema["function"]) for schema in names}
        self._kind: type[_Episode] = type("ZoomEpisode", (_Episode,), methods)

    @cached_property
    def train_dataset(self) -> Any:
        """A `datasets.Dataset`, a row for each task. Prompts come from the environments."""
        from datasets import Dataset

        tasks = self._env.tasks
        num_tasks = len(tasks) if self._num_tasks is None else min(self._num_tasks, len(tasks))
        prompt = [{"role": "user", "content": ""}]  # `reset` adds to it
        ids = [tasks[index].id for index in range(num_tasks)]
        return Dataset.from_dict({"prompt": [prompt] * num_tasks, "task_id": ids})

    def environment_factory(self) -> "_Episode":
        """Returns a new environment, whose methods are the tools of its rules."""
        return self._kind(Session(self._env.fork(), is_native=True))

    @property
    def reward_funcs(self) -> Callable[..., list[float]]:
        """The reward function, which takes the last message as the last reply."""
        return zoom_reward


class _Episode:
    """One environment of a rollout; its public methods, which a subclass adds, are tools."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def reset(self, task_id: str, **_: Any) -> list[dict[str, Any]]:
        """Starts the episode of a row of the dataset, and returns its rules and overview."""
        return _content(self.session.open(task_id))

    def _call(self, name: str, arguments: Mapping[str, Any]) -> list[dict[str, Any]] | str:
        """Plays a call of a tool, and returns what it shows."""
        if self.session.is_over:
            return OVER
        calls = [(name, json.dumps(arguments))]
        reply = write_completion("", calls, self.session.env.rules)
        return _content(self.session.reply(reply)) or OVER


def zoom_reward(
    completions: Sequence[list[dict[str, Any]]],
    environments: Sequence[_Episode],
    log_metric: Callable[[str, float], None],
    **_: Any,
) -> list[float]:
    """Plays the last message of each completion, unless it is a call; returns the rewards.

    An episode that was not answered within the limits of the trainer is worth 0.
    """
    sessions = [environment.session for environment in environments]
    for messages, session in zip(completions, sessions, strict=True):
        last = messages[-1]
        is_said = last["role"] == "assistant" and not last.get("tool_calls")
        if is_said and not session.is_over:
            thought = last.get("reasoning_content") or ""
            session.reply(write_completion(last["content"], [], session.env.rules, thought=thought))
    for term in sessions[0].terms:
        log_metric(f"zoom/{term}", fmean(session.terms.get(term, 0.0) for session in sessions))
    return [session.reward for session in sessions]


def _method(function: Mapping[str, Any]) -> Callable[..., list[dict[str, Any]] | str]:
    """Returns a tool as a method, from which transformers makes its schema again.

    It takes any arguments: the rules refuse the wrong ones, as any bad reply.
    """
    properties = function["parameters"]["properties"]

    def call(self: _Episode, **arguments: Any) -> list[dict[str, Any]] | str:
        return self._call(str(function["name"]), arguments)

    types = {name: TYPES[parameter["type"]] for name, parameter in properties.items()}
    lines = [f"    {name}: {parameter['description']}" for name, parameter in properties.items()]
    call.__name__ = function["name"]
    call.__doc__ = "\n".join([function["description"], "", "Args:", *lines])
    call.__annotations__ = types
    place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("self", place),
            *(inspect.Parameter(name, place, annotation=kind) for name, kind in types.items()),
        ]
    )
    return call


def _content(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Returns the parts of messages, those of different messages on lines of their own."""
    parts: list[dict[str, Any]] = []
    for message in to_pil(messages):
        if parts:
            parts.append({"type": "text", "text": "\n"})
        parts += message["content"]
    return parts
