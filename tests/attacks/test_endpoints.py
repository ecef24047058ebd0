"""Endpoints that send anything: a reply or one documented error comes of it, soon, and no key."""

import base64
import gzip
import json
import random
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agents.chat.agent import ChatAgent
from agents.chat.completions import Endpoint
from tests.attacks.test_caches import mutated
from tests.grading.judges import Handler, judging, send
from zoomgym import ZoomEnv
from zoomgym.errors import AgentError, GradingError
from zoomgym.grading.judge import JudgeGrader
from zoomgym.io.calls import attempt
from zoomgym.io.endpoint import EndpointError
from zoomgym.io.post import post
from zoomgym.records import Record
from zoomgym.rollout import Start, try_episodes

pytestmark = pytest.mark.slow

NUM_RESPONSES = 30_000
NUM_EPISODES = 10_000
NUM_CASES = 10_000
MAX_BYTES = 100_000
TIMEOUT_S = 2.0
"""Servers here end or break off by themselves, so that only one that is misread reaches it."""
KEY = "sk-attack-0123456789abcdefghij"
ECHO = (KEY, KEY[3:20], base64.b64encode(KEY.encode()).decode(), f"Bearer {KEY}")
ZOOM = '{"segment": [4, 6], "fps": 2}'
REPLIES = (ZOOM, '{"answer": "B"}', "RIGHT", "WRONG", "<answer>A</answer>", f"<video_zoom>{ZOOM}")


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MY_KEY", KEY)


# HTTP --------------------------------------------------------------------------------------------


def response(rng: random.Random) -> bytes:
    """Returns what may be a response: its status, headers and body are each right or hostile."""
    body = rng.choice((b"", b"{}", KEY.encode(), b"x" * 70_000, bytes(300_000), rng.randbytes(99)))
    headers = []
    match rng.randrange(5):
        case 0:
            body = gzip.compress(body, 1)
            headers.append("Content-Encoding: gzip")
        case 1:
            body = zlib.compress(body, 1)
            headers.append(f"Content-Encoding: {rng.choice(('deflate', 'br', 'gzip', 'x' * 99))}")
    match rng.randrange(5):
        case 0:
            size = rng.choice((len(body), 0, -1, len(body) + 9, len(body) // 2, 10**18, "9" * 5000))
            headers.append(f"Content-Length: {size}")
        case 1:
            size = rng.choice((len(body), len(body), 0, -5, len(body) + 9, 10**18))
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
            headers.append("Transfer-Encoding: chunked")
    others = ("X: " + "y" * 60_000, "Set-Cookie: a=b", "Location: http://127.0.0.1:1/", ": ", "X",
              f"Retry-After: {rng.choice(('-1', '9' * 999, 'soon', '1e9'))}", "X: \x00\x1b",
              f"WWW-Authenticate: Bearer {KEY}", " folded", "Connection: keep-alive")  # fmt: skip
    headers += rng.choices(others, k=rng.choice((0, 1, 3, 120)))
    status = rng.choice(("200 OK", "200", "100 Continue", "307 There", "401 No", "500", "-1", ""))
    lines = [f"HTTP/{rng.choice(('1.1', '1.1', '1.0', '2', ''))} {status}", *headers]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    whole = head + body
    return mutated(whole, rng, len(head)) if rng.random() < 0.3 else whole


def test_a_response_is_a_body_or_an_error_that_says_nothing_of_it() -> None:
    def answer(handler: Handler) -> None:
        handler.wfile.write(response(random.Random(handler.number)))

    came: Counter[str] = Counter()
    limits: dict[str, Any] = {"timeout_s": TIMEOUT_S, "max_bytes": MAX_BYTES}
    slowest_s = 0.0
    with judging(answer) as server:
        for _ in range(NUM_RESPONSES):
            started_s = time.perf_counter()
            outcome = attempt(partial(post, server.url, {}, key=KEY, **limits))
            slowest_s = max(slowest_s, time.perf_counter() - started_s)
            if isinstance(outcome, bytes):
                came["body"] += 1
                assert len(outcome) <= MAX_BYTES
            else:
                assert isinstance(outcome, EndpointError), repr(outcome)
                came[str(outcome)] += 1
                assert KEY not in f"{outcome!r} {outcome.said}"
        assert len(server.requests) == NUM_RESPONSES  # and no redirect is followed
    assert slowest_s < 5 * TIMEOUT_S  # with room for a busy machine
    assert came["body"] > NUM_RESPONSES / 20
    assert len(came) > 10


# Completions -------------------------------------------------------------------------------------


def anything(rng: random.Random) -> Any:
    """Returns a value that may stand anywhere in a completion."""
    return rng.choice(
        (None, True, False, 0, -1, 10**400, 1e308, float("nan"), "", "stop", "length", {}, [], [[]],
         "content_filter", "\ud800\x00\u202e", "x" * 70_000, "</think>", ["a", 5], {"text": {}},
         [{"type": "text", "text": rng.choice(REPLIES)}], [{"type": "thinking", "thinking": KEY}],
         [{"type": rng.choice(("text", "refusal", 5)), "text": rng.choice((*ECHO, None, 7))}],
         *ECHO, *REPLIES)
    )  # fmt: skip


def completion(rng: random.Random) -> dict[str, Any]:
    """Returns a chat completion, with anything in a few of its places."""
    message: dict[str, Any] = {"role": "assistant", "content": rng.choice(REPLIES)}
    function = {"name": "video_zoom", "arguments": ZOOM}
    if rng.random() < 0.3:
        message["tool_calls"] = [{"id": "1", "type": "function", "function": function}]
    if rng.random() < 0.3:
        message[rng.choice(("reasoning", "reasoning_content", "refusal"))] = "I look."
    usage: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": 9, "cost": 0.1}
    usage["prompt_tokens_details"] = {"cached_tokens": 5}
    choice = {"index": 0, "finish_reason": "stop", "stop_reason": None, "message": message}
    row = {"id": "1", "object": "chat.completion", "choices": [choice], "usage": usage}
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        place, name = rng.choice(list(places(row)))
        if rng.random() < 0.2:
            del place[name]
        else:
            place[name] = anything(rng)
    return row


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yields every place in a JSON value: what it is in, and its name or index there."""
    names = value if isinstance(value, dict) else range(len(value))
    for name in list(names):
        yield value, name
        if isinstance(value[name], dict | list):
            yield from places(value[name])


def sends_anything(handler: Handler) -> None:
    """Sends a completion, or a few changes away from one."""
    rng = random.Random(handler.number)
    body = json.dumps(completion(rng)).encode()
    if rng.random() < 0.2:
        body = mutated(body, rng, len(body))
    send(handler, body, rng.choice((200,) * 19 + (500,)))


def episodes(url: str, grammar: str, num_episodes: int) -> Iterator[tuple[Start, Any]]:
    settings: dict[str, Any] = {"num_overview": 2, "frame_budget": 20, "max_pixels": 64}
    env = ZoomEnv("synthetic:flash", source="scene", grammar=grammar, **settings)
    agent = ChatAgent(Endpoint("m", url, "MY_KEY", TIMEOUT_S, 1, 1.0, 1.0), tools=True)
    agent.reset(0)
    starts = (Start(env, env.tasks[index].id) for index in range(num_episodes))
    return try_episodes(starts, agent, num_games=1, agent_name="chat", seed=0)


@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
def test_an_episode_is_a_record_or_the_agent_s_error_and_holds_no_key(grammar: str) -> None:
    came: Counter[str] = Counter()
    with judging(sends_anything) as server:
        for _, outcome in episodes(server.url, grammar, NUM_EPISODES // 2):
            if isinstance(outcome, Record):
                text = outcome.to_json()
                assert Record.from_json(text) == outcome
                assert len(text) < 1_000_000
            else:
                assert type(outcome) is AgentError, repr(outcome)
                text = str(outcome)
                assert text.isprintable()
                assert len(text) < 500  # of which 300 are the endpoint's
            came[type(outcome).__name__] += 1
            assert not any(KEY[start : start + 12] in text for start in range(len(KEY) - 11))
            assert ECHO[2][4:20] not in text
    assert min(came["Record"], came["AgentError"]) > NUM_EPISODES / 20


def test_a_judge_says_right_or_wrong_or_nothing(tmp_path: Path) -> None:
    came: Counter[object] = Counter()
    with judging(sends_anything) as server:
        grader = JudgeGrader(server.url, "m", tmp_path, "MY_KEY", TIMEOUT_S, 1)
        for number in range(NUM_CASES):
            outcome = attempt(partial(grader.is_right, "Who?", "a man", f"{number} men"))
            assert isinstance(outcome, bool | GradingError), repr(outcome)
            assert KEY not in str(outcome)
            came[type(outcome).__name__, str(outcome) == "True"] += 1
    assert len(came) == 3
    assert min(came.values()) > NUM_CASES / 20
    assert not any(KEY[3:20] in path.read_text() for path in tmp_path.iterdir())
