"""Evaluates with inspect_ai: a model that looks once and then says A, so that it runs anywhere."""

from pathlib import Path
from typing import Any

from inspect_ai import eval
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from zoomgym.integrations.inspect_ai import records_of, zoom
from zoomgym.records import write_records

ZOOM = '{"segment": [4, 6], "fps": 2}'


def say(messages: list[Any], *rest: Any) -> ModelOutput:
    """Returns the next reply; the system, and then the user, have spoken first."""
    output = ModelOutput.from_content("mock", ZOOM if len(messages) == 2 else '{"answer": "A"}')
    output.usage = ModelUsage()
    return output


model = get_model("mockllm/model", custom_outputs=say)  # instead: model="openai/gpt-5"
task = zoom("synthetic:flash", limit=4, arguments={"source": "scene", "num_overview": 8})
[log] = eval(task, model=model, log_dir="logs", display="none")
for score in log.results.scores if log.results else []:
    print(f"{score.name:10} {score.metrics['mean'].value:.2f}")
write_records(Path("logs/records.jsonl"), records_of(log))
print("to look at it: inspect view --log-dir logs")
