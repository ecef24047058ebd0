"""Asks an OpenAI-compatible endpoint for the next message of a chat, and reads what comes back.

Providers fail with status 200, too: with garbage, no choice, or a message that says nothing.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from zoomgym.errors import AgentError
from zoomgym.io import (
    EndpointError,
    ask,
    check_address,
    excerpt,
    mask,
    missing_key,
    post,
    read_content,
    read_key,
)

MAX_REPLY_BYTES = 8_388_608
"""Largest response: room for 100,000 words of thought, which some servers send three times."""
MOST = 1e15
"""Upper bound of any count of tokens or cost."""
BOUNDS = {
    "timeout_s": (0.001, 86_400.0),
    "max_tries": (1, 100),
    "input_price": (0.0, 1e6),
    "output_price": (0.0, 1e6),
}


@dataclass(frozen=True, slots=True)
class Completion:
    """A model's reply to a request."""

    text: str
    """Content, or the words of a refusal."""
    reasoning: str = ""
    """Thought, where the server separates it from the content."""
    calls: tuple[tuple[str, str], ...] = ()
    """Calls of tools: their names and arguments, as the model wrote them."""
    finish_reason: str = ""
    is_at_stop: bool = False
    """Whether a stop string may have ended it: few servers tell that apart from its own end."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Usage: `requests` and `endpoint_s`; and, as the endpoint reports them, `input_tokens`,
    `cached_tokens` (a part of those), `output_tokens` and `cost`. Counts 1 in `cut_replies` if it
    was cut at its longest, and in `unmetered_replies` if the endpoint reports nothing."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model that is served at a url."""

    model: str
    url: str
    """Address up to the version: `http://localhost:8000/v1`."""
    key_variable: str = ""
    """Environment variable with the API key; empty if none is needed."""
    timeout_s: float = 600.0
    """Seconds of one request, from its start to the last byte of the response."""
    max_tries: int = 8
    input_price: float = 0.0
    """Price of a million tokens. Without prices, the cost is what the endpoint reports, if any."""
    output_price: float = 0.0
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        """Raises ValueError if a setting is invalid, or the variable of the key holds none."""
        check_address(self.url, "chat")
        if not self.model:
            raise ValueError("chat model needs a name, got ''")
        check_numbers({name: getattr(self, name) for name in BOUNDS}, BOUNDS)
        if self.key_variable and not self._key():
            raise ValueError(f"chat needs {missing_key(str(self.key_variable))}")

    def ask(self, messages: list[dict[str, Any]], fields: Mapping[str, Any]) -> Completion:
        """Returns what the model says next, in at most max_tries tries.

        Args:
            messages: of the chat so far, in the API's form.
            fields: further fields of the request.

        Raises:
            AgentError: the endpoint cannot be reached, refuses, or sends nothing useful.
        """
        whom = f"{self.model} at {self.url}"
        row = {"model": self.model, "messages": messages, **fields}
        try:
            said, num_requests = ask(
                partial(self._ask_once, row), whom=whom, max_tries=self.max_tries, sleep=self.sleep
            )
        except EndpointError as error:
            got = f"{error}: {error.said}" if error.said else str(error)
            remedy = error.remedy or "play the episode again when that is mended"
            raise AgentError(
                f"{whom}: needed a reply, got {got} at {error.tries}: {remedy}"
            ) from error
        return self._metered(said, num_requests)

    def _ask_once(self, row: Mapping[str, Any]) -> Completion:
        """Returns what the model says to one request. Raises EndpointError."""
        key, started_s = self._key(), time.perf_counter()
        body = post(self.url, row, key=key, timeout_s=self.timeout_s, max_bytes=MAX_REPLY_BYTES)
        said = read_completion(body, key)
        if said.finish_reason == "content_filter":
            trouble = "a reply that the content filter of the provider withheld"
            raise EndpointError(trouble, is_passing=False)
        seconds = time.perf_counter() - started_s
        return replace(said, usage={**said.usage, "endpoint_s": seconds})

    def _key(self) -> str:
        """Returns the API key; empty if none is needed."""
        return read_key(str(self.key_variable)) if self.key_variable else ""

    def _metered(self, said: Completion, num_requests: int) -> Completion:
        """Returns a completion whose usage includes its requests and cost."""
        usage = {**said.usage, "requests": num_requests}
        if (self.input_price or self.output_price) and "input_tokens" in usage:
            cost = usage["input_tokens"] * self.input_price
            usage["cost"] = (cost + usage["output_tokens"] * self.output_price) / 1e6
        return replace(said, usage=usage)


def check_numbers(settings: Mapping[str, Any], bounds: Mapping[str, tuple[float, float]]) -> None:
    """Raises ValueError if a setting is out of bounds, or not whole where its bounds are."""
    for name, (low, high) in bounds.items():
        value = settings[name]
        if type(value) not in (type(low), int) or not low <= value <= high:
            raise ValueError(f"chat {name} needs a number from {low} to {high}, got {value!r}")


def read_completion(body: bytes, key: str = "") -> Completion:
    """Returns what a model said, from the body of a response; the key of the API is masked.

    Raises EndpointError if the body is no chat completion, or one that says nothing.
    """
    try:
        row = json.loads(body)
        choice = row["choices"][0]
        message = choice["message"]
        text, thought = read_content(message.get("content"))
        reasoning = read_content(message.get("reasoning_content") or message.get("reasoning"))
        calls = [_call(call["function"]) for call in message.get("tool_calls") or ()]
        said = Completion(
            text=mask(text or _text(message.get("refusal")), key),
            reasoning=mask("".join(reasoning) or thought, key),
            calls=tuple((mask(name, key), mask(arguments, key)) for name, arguments in calls),
            finish_reason=_text(choice.get("finish_reason")),
            is_at_stop=choice.get("finish_reason") == "stop"
            and isinstance(choice.get("stop_reason", ""), str),
            usage=_usage(row.get("usage"), choice.get("finish_reason") == "length"),
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        shown = excerpt(body, key)
        raise EndpointError("no chat completion", said=shown) from None  # errors may quote the body
    is_silent = message.get("content") is None and not (said.text or said.reasoning or said.calls)
    if is_silent and said.finish_reason not in ("length", "content_filter"):
        raise EndpointError("a message that says nothing")
    return said


def _text(value: object) -> str:
    """Returns a text; an empty one for None. Raises TypeError for anything else."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"needed a text, got {type(value).__name__}")
    return value or ""


def _call(function: Mapping[str, Any]) -> tuple[str, str]:
    """Returns name and arguments of a call; arguments that are not text become text."""
    arguments = function["arguments"]
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return _text(function["name"]), text


def _usage(told: object, is_cut: bool) -> dict[str, float]:
    """Returns the usage of a reply, as its endpoint reports it."""
    usage: dict[str, float] = {"cut_replies": 1} if is_cut else {}
    row = told if isinstance(told, dict) else {}
    details = row.get("prompt_tokens_details")
    found = {
        "input_tokens": row.get("prompt_tokens"),
        "output_tokens": row.get("completion_tokens"),
        "cached_tokens": details.get("cached_tokens") if isinstance(details, dict) else None,
        "cost": row.get("cost"),
    }
    known: dict[str, float] = {
        name: number
        for name, number in found.items()
        if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number < MOST
    }
    if not {"input_tokens", "output_tokens"} <= known.keys():
        known = {"unmetered_replies": 1}
    return usage | known
