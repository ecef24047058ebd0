"""Plays scripted episodes in the loop of inspect_ai, with its model for tests."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import inspect_ai
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessageAssistant,
    ModelOutput,
    ModelUsage,
    get_model,
)

from zoomgym.integrations.inspect_ai import player, records_of, reward_terms


def says(message: str | ChatMessageAssistant) -> ModelOutput:
    """Returns what the model says next; its usage is given, for counting tokens asks the net."""
    if isinstance(message, str):
        message = ChatMessageAssistant(content=message)
    usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    reason: Any = "tool_calls" if message.tool_calls else "stop"
    choice = ChatCompletionChoice(message=message, stop_reason=reason)
    return ModelOutput(model="mockllm/model", choices=[choice], usage=usage)


def evaluated(task: inspect_ai.Task, outputs: list[ModelOutput], **options: Any) -> EvalLog:
    """Evaluates a task, a sample after another, and returns its log as it was written."""
    model = get_model("mockllm/model", custom_outputs=outputs)
    with TemporaryDirectory() as folder:
        [log] = inspect_ai.eval(
            task, model=model, log_dir=folder, display="none", max_samples=1, **options
        )
        return read_eval_log(str(Path(log.location)), resolve_attachments=True)


def play(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    task = inspect_ai.Task(
        dataset=MemoryDataset([Sample(id=task_id, input="?")]),
        solver=player(arguments),
        scorer=reward_terms(),
    )
    log = evaluated(task, [says(reply) for reply in replies])
    assert log.status == "success", log.error
    [record] = records_of(log)
    assert len(record.turns) == len(replies)
    assert log.results
    assert log.results.scores[0].metrics["mean"].value == record.reward
    return record.reward
