"""The agent `chat:MODEL@URL`: any model behind an OpenAI-compatible endpoint.

Every turn sends the whole conversation, with every frame shown so far.
"""

import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import fields
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from agents.arguments import read_value
from agents.chat.completions import Completion, Endpoint, check_numbers
from zoomgym.agent import Frames, Observation, episode_rng
from zoomgym.conversation import data_url, to_messages, to_openai, tool_schemas, write_completion
from zoomgym.errors import AgentError
from zoomgym.io import check_json, side_by_side
from zoomgym.rules import Answer, action_in, grammar_of

SETTINGS = (
    "tools",
    "temperature",
    "max_tokens",
    "jpeg_quality",
    "max_concurrent",
    "request",
    "check_pictures",
)
"""Settings of ChatAgent; all others in an argument belong to its endpoint."""
BOUNDS = {
    "temperature": (0.0, 10.0),
    "max_tokens": (1, 10_000_000),
    "jpeg_quality": (0, 100),
    "max_concurrent": (1, 1000),
}


def make_chat(argument: str) -> "ChatAgent":
    """Returns the agent `chat:ARGUMENT`. Raises ValueError if the argument is invalid.

    It is `MODEL@URL`, then a question mark and settings of `ChatAgent` and `Endpoint`, as JSON
    unless they are texts: `qwen@http://localhost:8000/v1?tools=true&max_tokens=2048`.
    """
    model, at, rest = argument.partition("@http")
    url, _, query = f"http{rest}".partition("?")
    known = [one.name for one in fields(Endpoint) if one.init and one.name not in ("model", "url")]
    known = [*SETTINGS, *(name for name in known if name != "sleep")]
    pairs = urllib.parse.parse_qsl(query, keep_blank_values=True)
    settings = {name: read_value(text) for name, text in pairs}
    if not at or not settings.keys() <= {*known}:
        raise ValueError(
            "chat needs MODEL@URL, like qwen2.5-vl@http://localhost:8000/v1, and after a question "
            f"mark NAME=VALUE of {', '.join(known)}, joined by &"
        )
    own = {name: settings.pop(name) for name in SETTINGS if name in settings}
    return ChatAgent(Endpoint(model, url, **settings), **own)


class Tally(NamedTuple):
    """Usage of the replies of one episode: see `Completion.usage`."""

    episode_key: str
    usage: dict[str, float]
    is_over: bool
    """Whether its last reply ended it."""


class ChatAgent:
    """A served model, in any number of episodes at once.

    Threads may share it, each with its own episodes; `act_batch` starts threads itself.

    Args:
        endpoint: where the model is served.
        tools: whether the model calls the tools of an episode natively, see `tool_schemas`; else it
            writes its calls as text.
        temperature: 0 is greedy. Otherwise each request carries a seed of its own.
        max_tokens: where the server cuts a reply.
        jpeg_quality: of the frames, 1 to 100; 0 sends them as PNG, without loss.
        max_concurrent: requests at once, in `act_batch` and by the threads that share it.
        request: further fields of a request, merged over its own. None leaves a field out:
            `{"max_tokens": None, "max_completion_tokens": 4096}` renames one.
        check_pictures: whether to ask once more, the first time that pictures are sent, without
            them. If the endpoint counts as many tokens, it drops pictures, and is refused.

    Raises:
        ValueError: a setting is invalid.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        tools: bool = False,
        temperature: float = 0.0,
        max_tokens: int = 1024,
        jpeg_quality: int = 0,
        max_concurrent: int = 8,
        request: Mapping[str, Any] | None = None,
        check_pictures: bool = True,
    ) -> None:
        given = (temperature, max_tokens, jpeg_quality, max_concurrent)
        check_numbers(dict(zip(BOUNDS, given, strict=True)), BOUNDS)
        for name, value in (("tools", tools), ("check_pictures", check_pictures)):
            if not isinstance(value, bool):
                raise ValueError(f"chat {name} needs true or false, got {value!r}")
        if not isinstance(request, Mapping | None):
            raise ValueError(f"chat request needs an object of fields, got {request!r}")
        check_json(dict(request or {}), "chat")
        self._endpoint = endpoint
        self._tools, self._temperature, self._max_tokens = tools, temperature, max_tokens
        self._jpeg_quality, self.max_concurrent = jpeg_quality, max_concurrent
        self._request = dict(request or {})
        self._urls: WeakKeyDictionary[Frames, list[str]] = WeakKeyDictionary()
        self._used: WeakKeyDictionary[Frames, Tally] = WeakKeyDictionary()
        """Usage by overview: episodes with equal overviews share a key."""
        self._lock = Lock()
        self._sees = None if check_pictures else True
        """Whether the endpoint looks at pictures; None while that is not known."""
        self._looking = Lock()

    def reset(self, seed: int) -> None:
        """Seeds the sampling and forgets every episode."""
        self._seed = seed
        self._used.clear()

    def act(self, observation: Observation) -> str:
        """Returns the reply to an observation. Raises AgentError if there is none."""
        try:
            said = self._ask(self._messages(observation), self._fields(observation))
        except AgentError as error:
            raise AgentError(f"{observation.episode_key}: {error}") from error
        reply = write_completion(
            said.text,
            said.calls,
            observation.rules,
            thought=said.reasoning,
            is_at_stop=said.is_at_stop,
        )
        self._count(observation, reply, said.usage)
        return reply

    def act_batch(self, observations: Sequence[Observation]) -> list[str]:
        """Returns the replies to observations of different episodes, in order.

        Raises AgentError if one of them gets none.
        """
        replies = list[str]()
        for reply in list(side_by_side(self.act, observations, self.max_concurrent)):
            if isinstance(reply, BaseException):
                raise reply
            replies.append(reply)
        return replies

    def usage(self, episode_key: str) -> Mapping[str, float]:
        """Returns the usage of an episode and forgets it; see `Completion.usage`."""
        with self._lock:
            alike = [one for one in self._used.items() if one[1].episode_key == episode_key]
            overview, tally = max(alike, key=lambda one: one[1].is_over, default=(None, None))
            if overview is None or tally is None:
                return {}
            del self._used[overview]
            return tally.usage

    def _ask(self, messages: list[dict[str, Any]], request: Mapping[str, Any]) -> Completion:
        """Returns what the model says next. Raises AgentError, also if it sees no pictures."""
        said = self._endpoint.ask(messages, request) if self._sees is not False else None
        with self._looking:  # nobody goes on before it is known
            if said and self._sees is None and _num_pictures(messages):
                self._sees = self._count_more(messages, request, said)
        if said is None or self._sees is False:
            raise AgentError(
                f"{self._endpoint.model} at {self._endpoint.url}: needed a model that looks at "
                "pictures, got one that counts as many tokens without them: serve it with its "
                "image processor, or give check_pictures=false if its counts are wrong"
            )
        return said

    def _count_more(
        self, messages: list[dict[str, Any]], request: Mapping[str, Any], said: Completion
    ) -> bool | None:
        """Returns whether pictures make the tokens of a request more; None if it cannot tell now.

        An endpoint that counts no tokens is believed.
        """
        if "input_tokens" not in said.usage:
            return True
        short = {name: 1 if name == "max_tokens" else value for name, value in request.items()}
        try:
            blind = self._endpoint.ask(list(map(_without_pictures, messages)), short)
        except AgentError:
            return None
        return said.usage["input_tokens"] > blind.usage.get("input_tokens", -1)

    def _count(self, observation: Observation, reply: str, usage: Mapping[str, float]) -> None:
        """Adds the usage of a reply to that of its episode."""
        key, overview = observation.episode_key, observation.overview
        rules = observation.rules
        answers = isinstance(action_in(reply, rules.grammar, rules.tools), Answer)
        is_over = observation.turns_left <= 1 or answers
        with self._lock:
            tally = self._used.get(overview) if observation.turns else None
            before = tally.usage if tally else {}
            names = [*before, *(name for name in usage if name not in before)]
            total = {name: before.get(name, 0) + usage.get(name, 0) for name in names}
            self._used[overview] = Tally(key, total, is_over)

    def _fields(self, observation: Observation) -> dict[str, Any]:
        """Returns the fields of a request besides model and messages."""
        own: dict[str, Any] = {"temperature": self._temperature, "max_tokens": self._max_tokens}
        if self._temperature:
            own["seed"] = int(episode_rng(self._seed, observation).integers(2**31))
        if stop := grammar_of(observation.rules.grammar).stop:
            own["stop"] = [stop]
        if self._tools:
            own["tools"] = tool_schemas(observation.rules.tools)
        return {name: value for name, value in (own | self._request).items() if value is not None}

    def _messages(self, observation: Observation) -> list[dict[str, Any]]:
        """Returns the conversation so far. Raises AgentError if it lacks a frame."""
        try:
            messages = to_messages(observation, is_native=self._tools)
        except ValueError as error:
            raise AgentError(str(error)) from error
        shown = (observation.overview, *observation.clips)
        return to_openai(messages, urls=[url for frames in shown for url in self._encoded(frames)])

    def _encoded(self, frames: Frames) -> list[str]:
        """Returns frames as data URLs, cached as long as the frames live."""
        if frames not in self._urls:
            self._urls[frames] = [data_url(image, self._jpeg_quality) for image in frames.images]
        return self._urls[frames]


def _num_pictures(messages: Sequence[Mapping[str, Any]]) -> int:
    """Returns how many pictures are in messages of the API's form."""
    parts = [part for message in messages for part in message["content"]]
    return sum(isinstance(part, dict) and part["type"] == "image_url" for part in parts)


def _without_pictures(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a message of the API's form without its pictures."""
    content = message["content"]
    if not isinstance(content, str):
        content = [part for part in content if part["type"] != "image_url"]
    return {**message, "content": content}
