"""Records as logs of inspect_ai, so that `inspect view` shows any run with its frames."""

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from inspect_ai.event import ModelEvent
from inspect_ai.log import (
    EvalConfig,
    EvalDataset,
    EvalLog,
    EvalMetric,
    EvalResults,
    EvalSample,
    EvalScore,
    EvalSpec,
    write_eval_log,
)
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    GenerateConfig,
    ModelOutput,
    ModelUsage,
)
from inspect_ai.scorer import SampleScore, Score, mean, stderr

from zoomgym.agent import Observation
from zoomgym.conversation import to_messages
from zoomgym.integrations.inspect_ai import RECORD, score_of, to_chat
from zoomgym.records import Record

__all__ = ["runs_of", "sample_of", "write_log"]

JPEG_QUALITY = 85
SCORER = "reward_terms"
METRICS = {"mean": mean(), "stderr": stderr()}
MOST_NAME_CHARS = 60
"""Of a task set and an agent, in the name of a file."""


def runs_of(records: Iterable[Record]) -> list[list[Record]]:
    """Returns records by what was run: an agent, in a suite or with settings of its own."""
    runs = defaultdict[str, list[Record]](list)
    for record in records:
        runs[_name_of(record)].append(record)
    return list(runs.values())


def sample_of(record: Record, observation: Observation, epoch: int = 1) -> EvalSample:
    """Returns an episode as a sample of a log, with every frame that was paid for, as JPEG.

    Args:
        record: of the episode.
        observation: what its agent saw at the end, see `watch_again`.
        epoch: tells apart episodes on the same task in a log.
    """
    messages = to_chat(to_messages(observation), JPEG_QUALITY)
    events = list(_events(record.agent, messages))
    return EvalSample(
        id=record.task.id,
        epoch=epoch,
        input=record.task.asked,
        target=record.task.truth,
        messages=messages,
        output=events[-1].output,
        events=events,
        scores={SCORER: score_of(record)},
        metadata={"category": record.task.category, "seed": record.seed, "version": record.version},
        store={RECORD: record.to_json()},
        model_usage={record.agent: _usage(record)},
    )


def write_log(
    run: Sequence[Record], samples: Sequence[EvalSample], folder: Path, created: datetime
) -> Path:
    """Writes the log of a run (see `runs_of`) with these samples, and returns its path.

    The same run replaces the same file.
    """
    first = run[0]
    number = hashlib.sha256(_name_of(first).encode()).hexdigest()[:12]
    task = first.suite or first.task_set
    title = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{task}-{first.agent}")[:MOST_NAME_CHARS]
    spec = EvalSpec(
        eval_id=number,
        run_id=number,
        task_id=number,
        created=created.isoformat(timespec="seconds"),
        task=task,
        task_version=first.task_set_version,
        task_args=dict(first.settings),
        model=first.agent,
        dataset=EvalDataset(
            name=first.task_set,
            samples=len(samples),
            sample_ids=[sample.id for sample in samples],
        ),
        config=EvalConfig(),
        metadata={"agent_hash": first.agent_hash, "task_set_hash": first.task_set_hash},
        packages={"zoomgym": first.version},
    )
    log = EvalLog(status="success", eval=spec, results=_results(samples), samples=list(samples))
    path = folder / f"{created:%Y-%m-%dT%H-%M-%S}+00-00_{title}_{number}.eval"
    write_eval_log(log, path)
    return path


def _name_of(record: Record) -> str:
    """Returns what episodes of the same run have in common, as one text."""
    settings = dict(record.settings)
    return json.dumps([record.agent, record.suite, record.task_set, settings], sort_keys=True)


def _events(agent: str, messages: Sequence[ChatMessage]) -> Iterator[ModelEvent]:
    """Yields each reply as what it was: a model's output for all messages before it."""
    for index, message in enumerate(messages):
        if isinstance(message, ChatMessageAssistant):
            output = ModelOutput.from_message(message)
            output.model = agent
            yield ModelEvent(
                model=agent,
                input=list(messages[:index]),
                tools=[],
                tool_choice="none",
                config=GenerateConfig(),
                output=output,
            )


def _usage(record: Record) -> ModelUsage:
    """Returns the tokens of an episode, as far as its agent has counted them."""
    read, written = (int(record.usage.get(name, 0)) for name in ("input_tokens", "output_tokens"))
    return ModelUsage(input_tokens=read, output_tokens=written, total_tokens=read + written)


def _results(samples: Sequence[EvalSample]) -> EvalResults:
    """Returns the means of all terms that every sample has."""
    values = [score.as_dict() for sample in samples for score in (sample.scores or {}).values()]
    scores = []
    for term in values[0] if values else []:
        each = [SampleScore(score=Score(value=value[term])) for value in values if term in value]
        metrics = {name: EvalMetric(name=name, value=get(each)) for name, get in METRICS.items()}
        scores.append(EvalScore(name=term, scorer=SCORER, metrics=metrics))
    return EvalResults(total_samples=len(samples), completed_samples=len(samples), scores=scores)
