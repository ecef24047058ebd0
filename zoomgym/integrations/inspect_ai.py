"""The task `zoomgym/zoom` of inspect_ai: `inspect eval zoomgym/zoom --model ..`.

inspect_ai samples the model and keeps the log; every reply is read by the rules, as it was written.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from anyio.to_thread import run_sync
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    ContentImage,
    ContentReasoning,
    ContentText,
    GenerateConfig,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall, ToolInfo, ToolParams

from zoomgym.conversation import (
    Message,
    new_messages,
    text_of,
    to_openai,
    tool_schemas,
    write_completion,
)
from zoomgym.envs import ZoomEnv
from zoomgym.errors import AgentError
from zoomgym.integrations.session import Session
from zoomgym.records import Record
from zoomgym.rules import Rules, VideoQuestion, grammar_of

__all__ = ["RECORD", "player", "records_of", "reward_terms", "score_of", "to_chat", "zoom"]

RECORD = "record"
"""Where a sample's store holds the record of its episode, as one line of JSON."""


@task
def zoom(
    tasks: str = "synthetic",
    split: str = "test",
    grammar: str = "json",
    tools: str | Sequence[str] = "zoom",
    limit: int = 100,
    native: bool = False,
    arguments: Mapping[str, Any] | None = None,
    jpeg_quality: int = 0,
    seed: int = 0,
) -> Task:
    """Returns the task: questions about videos that a model may zoom into.

    Args:
        tasks: a task set, as `ZoomEnv` names it.
        split: its part.
        grammar: of replies.
        tools: names of those that are offered.
        limit: how many tasks of the set, the first ones.
        native: whether the model calls tools natively, instead of writing its calls as text.
        arguments: further arguments of `ZoomEnv`, by name.
        jpeg_quality: of the frames, 1 to 100; 0 sends them as PNG, without loss.
        seed: of the first epoch; each further one adds 1.
    """
    names = [tools] if isinstance(tools, str) else list(tools)
    named = {"tasks": tasks, "split": split, "grammar": grammar, "tools": names}
    settings = {**named, **(arguments or {})}
    questions = ZoomEnv(**settings).tasks
    samples = [_sample(questions[index]) for index in range(min(limit, len(questions)))]
    return Task(
        dataset=MemoryDataset(samples, name=questions.name),
        solver=player(settings, native, jpeg_quality, seed),
        scorer=reward_terms(),
        version=questions.version,
        metadata={"task_set": questions.name, "task_set_hash": questions.content_hash},
    )


@solver
def player(
    arguments: Mapping[str, Any], native: bool = False, jpeg_quality: int = 0, seed: int = 0
) -> Solver:
    """Returns what plays an episode on the task whose id a sample has.

    Takes what `zoom` does; arguments are all of ZoomEnv.
    """
    base = ZoomEnv(**arguments)
    tools = [_tool(schema["function"]) for schema in tool_schemas(base.rules.tools)]
    stop = grammar_of(base.rules.grammar).stop
    config = GenerateConfig(stop_seqs=[stop] if stop else None)

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        model = get_model()
        session = Session(base.fork(), native)
        try:
            begin = partial(session.open, str(state.sample_id), seed + state.epoch - 1)
            state.messages = to_chat(await run_sync(begin), jpeg_quality)
            while not session.is_over:
                state.output = await model.generate(
                    state.messages, tools if native else [], config=config
                )
                reply = _reply_of(state.output, base.rules)
                response = to_chat(await run_sync(session.reply, reply), jpeg_quality)
                said = state.output.message
                if native and response:
                    [rendered] = to_chat(new_messages(session.env.observation, is_native=True)[:1])
                    said = _linked(said, rendered, response)
                state.messages.extend([said, *response])
            state.store.set(RECORD, session.record(str(model)).to_json())
        finally:
            session.env.close()
        return state

    return solve


@scorer(metrics={"*": [mean(), stderr()]})
def reward_terms() -> Scorer:
    """Returns what scores an episode by its reward and the terms of it, unweighted."""

    async def score(state: TaskState, target: Target) -> Score:
        line = state.store.get(RECORD)
        if line is None:
            return Score.unscored(explanation="The episode was stopped before its end.")
        return score_of(Record.from_json(line))

    return score


def records_of(log: EvalLog) -> Iterator[Record]:
    """Yields the records of the episodes in a log, for `write_records`."""
    for sample in log.samples or []:
        if RECORD in sample.store:
            yield Record.from_json(sample.store[RECORD])


def score_of(record: Record) -> Score:
    """Returns the score of an episode."""
    return Score(
        value={"reward": record.reward, **record.reward_parts.by_name()},
        answer=record.answer,
        explanation=f"{record.end_reason}, {record.frames_used} frames used, "
        f"{len(record.turns)} turns",
        metadata={"frames_used": record.frames_used, "end_reason": record.end_reason},
    )


def to_chat(messages: Sequence[Message], jpeg_quality: int = 0) -> list[ChatMessage]:
    """Returns messages as inspect_ai has them, their pictures as data URLs."""
    rows = to_openai(messages, jpeg_quality=jpeg_quality)
    return [
        _chat_message(row, text_of(message)) for row, message in zip(rows, messages, strict=True)
    ]


def _chat_message(row: Mapping[str, Any], text: str) -> ChatMessage:
    """Returns a message of OpenAI's form, whose text is known, as inspect_ai has it."""
    match row["role"]:
        case "system":
            return ChatMessageSystem(content=text)
        case "tool":
            return ChatMessageTool(content=text, tool_call_id=row["tool_call_id"])
        case "assistant":
            calls = [_call(call) for call in row.get("tool_calls", [])]
            return ChatMessageAssistant(content=text, tool_calls=calls or None)
    return ChatMessageUser(
        content=[
            ContentImage(image=part["image_url"]["url"])
            if part["type"] == "image_url"
            else ContentText(text=part["text"])
            for part in row["content"]
        ]
    )


def _call(call: Mapping[str, Any]) -> ToolCall:
    """Returns a native call as inspect_ai has it."""
    function = call["function"]
    arguments = json.loads(function["arguments"])
    return ToolCall(id=call["id"], function=function["name"], arguments=arguments)


def _tool(function: Mapping[str, Any]) -> ToolInfo:
    """Returns a tool as inspect_ai offers it to a model."""
    return ToolInfo(
        name=function["name"],
        description=function["description"],
        parameters=ToolParams.model_validate(function["parameters"]),
    )


def _sample(question: VideoQuestion) -> Sample:
    return Sample(
        id=question.id,
        input=question.asked,
        target=question.truth,
        metadata={"category": question.category, "video": question.video},
    )


def _reply_of(output: ModelOutput, rules: Rules) -> str:
    """Returns what a model said as the reply that the rules read. Raises AgentError if nothing."""
    if output.empty or output.error or output.stop_reason == "model_length":
        why = output.error or output.stop_reason
        raise AgentError(f"needed a reply of {output.model}, got none ({why})")
    parts = output.message.content_list
    return write_completion(
        "".join(part.text for part in parts if isinstance(part, ContentText)),
        [
            (call.function, call.parse_error or json.dumps(call.arguments))
            for call in output.message.tool_calls or []
        ],
        rules,
        thought="".join(part.reasoning for part in parts if isinstance(part, ContentReasoning)),
        is_at_stop=output.stop_reason == "stop",
    )


def _linked(
    said: ChatMessageAssistant, rendered: ChatMessage, response: Sequence[ChatMessage]
) -> ChatMessage:
    """Returns the message that a response answers: the model's own, unless it fits no longer.

    One call that was executed is answered by a tool, by its id. What the rules refused as a whole,
    such as two calls at once, is told as text, and so has no calls that lack an answer.
    """
    tool = response[0]
    if isinstance(tool, ChatMessageTool) and len(said.tool_calls or []) == 1:
        [call] = said.tool_calls or []
        tool.tool_call_id, tool.function = call.id, call.function
        return said
    return rendered if said.tool_calls or isinstance(tool, ChatMessageTool) else said
