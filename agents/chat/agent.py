"""The agent `chat:MODEL@URL`: any model behind an OpenAI-compatible endpoint.

Every turn sends the whole conversation, with every frame shown so far. Frames go into user
messages, even after a tool call, as a tool's message cannot hold pictures in this API.
"""

import json
import urllib.parse
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from io import BytesIO
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.arguments import read_value
from agents.chat.completions import Completion, Endpoint, check_numbers
from agents.chat.tools import ZOOM_NAME, names_of, offered
from zoomgym.agent import Frames, Message, Observation, episode_rng, images_of, text_of, to_messages
from zoomgym.errors import AgentError
from zoomgym.io import check_json, side_by_side
from zoomgym.rules import END_OF_THOUGHT, GRAMMARS, ONLY_ZOOM, THINK, Answer, action_in, grammar_of

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
        tools: whether to offer the model the tools of an episode; see `write_completion`.
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
        reply = write_completion(said, observation.rules.grammar, observation.rules.tools)
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
            if (grammar := observation.rules.grammar) not in GRAMMARS:
                raise AgentError(
                    f"tool calls of a server need a grammar of {list(GRAMMARS)}, got {grammar}: "
                    "leave tools out, and the model writes its calls as it was trained to"
                )
            own["tools"] = offered(observation.rules.tools)
        return {name: value for name, value in (own | self._request).items() if value is not None}

    def _messages(self, observation: Observation) -> list[dict[str, Any]]:
        """Returns the conversation so far. Raises AgentError if it lacks a frame."""
        messages = to_messages(observation)
        shown = (observation.overview, *observation.clips)
        urls = [url for frames in shown for url in self._encoded(frames)]
        num_owed = observation.rules.frame_budget - observation.frames_left
        if not len(images_of(messages)) == len(urls) == num_owed:
            raise AgentError(
                f"needed all {num_owed} frames in the request, got {len(images_of(messages))}: "
                "give the agent observations as the environment made them"
            )
        rest = iter(urls)
        return [_message(message, rest) for message in messages]

    def _encoded(self, frames: Frames) -> list[str]:
        """Returns frames as data URLs, cached as long as the frames live."""
        if frames not in self._urls:
            self._urls[frames] = [_data_url(image, self._jpeg_quality) for image in frames.images]
        return self._urls[frames]


def write_completion(said: Completion, grammar: str, tools: Sequence[str] = ONLY_ZOOM) -> str:
    """Returns a completion as a reply: what the model wrote, as it wrote it.

    What the server removed is put back: the stop string, and the model's thoughts where the grammar
    has a place for them. Arguments of tool calls become the grammar's JSON, right or wrong, one
    call or several: the rules decide whether they can be executed. Words beside a call are its
    thought, for which `json` has no place; but a second action among them stays.

    Args:
        said: by the model.
        grammar: of replies.
        tools: that are offered. Calls of others become JSON that no grammar knows.
    """
    known = names_of(tools)
    bodies = [
        arguments if name in known else json.dumps({"name": name, "arguments": arguments})
        for name, arguments in said.calls
    ]
    if grammar_of(grammar).has_thoughts:
        return _write_tags(said, bodies, grammar)
    is_action = not bodies or action_in(said.text, grammar, tools)
    return "\n".join([*([said.text] if said.text and is_action else []), *bodies])


def _write_tags(said: Completion, bodies: Sequence[str], grammar: str) -> str:
    """Returns a reply of a grammar of tags; bodies are the calls of a tool in it."""
    text, thought = said.text, said.reasoning
    stop = grammar_of(grammar).stop
    if stop and said.is_at_stop and text.rfind(stop.replace("/", "")) > text.rfind(stop):
        text += stop
    if THINK not in text and bodies and not action_in(text, grammar):
        words = text.replace(END_OF_THOUGHT, "")  # a template may have written its opening tag
        text, thought = "", "\n".join(filter(None, (thought, words)))
    if THINK not in text and (thought or bodies):
        text = f"{THINK}{thought}{END_OF_THOUGHT}{text}"
    return text + "".join(f"<{ZOOM_NAME}>{body}</{ZOOM_NAME}>" for body in bodies)


def _message(message: Message, urls: Iterator[str]) -> dict[str, Any]:
    """Returns a message in the API's form; its pictures are the next of urls."""
    if message["role"] != "user":
        return {"role": message["role"], "content": text_of(message)}
    parts: list[dict[str, Any]] = []
    for part in message["content"]:
        if part["type"] == "image":
            parts.append({"type": "image_url", "image_url": {"url": next(urls)}})
        elif parts and parts[-1]["type"] == "text":  # some servers put a line break between texts
            parts[-1]["text"] += part["text"]
        else:
            parts.append({"type": "text", "text": part["text"]})
    return {"role": "user", "content": parts}


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


def _data_url(image: NDArray[np.uint8], jpeg_quality: int) -> str:
    """Returns a picture (H, W, 3) uint8 RGB as a data URL."""
    file = BytesIO()
    if jpeg_quality:
        Image.fromarray(image).save(file, "JPEG", quality=jpeg_quality, subsampling=0)
    else:
        Image.fromarray(image).save(file, "PNG", compress_level=1)
    kind = "jpeg" if jpeg_quality else "png"
    return f"data:image/{kind};base64,{b64encode(file.getvalue()).decode()}"
