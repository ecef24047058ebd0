"""The agent `chat`, against a real server that looks at what it is sent and fails in every way."""

import base64
import gzip
import io
import json
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from openai.types.chat import ChatCompletionToolParam
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from PIL import Image
from pydantic import TypeAdapter

from agents.chat.agent import ChatAgent, make_chat
from agents.chat.completions import Endpoint, read_completion
from agents.registry import make_agent
from tests.grading.judges import (  # fmt: skip
    Answer,
    Handler,
    JudgeServer,
    chats,
    cuts,
    drips,
    endless,
    fails,
    hangs_up,
    interrupts,
    judging,
    meets,
    raw,
    redirects,
    send,
    sends,
    waits,
)
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.agent.observation import Frames, Observation
from zoomgym.conversation import images_of, text_of, to_messages
from zoomgym.errors import AgentError
from zoomgym.io import side_by_side
from zoomgym.records import Record
from zoomgym.rollout import run_episodes
from zoomgym.rules.actions import TOOLS, Action, CropCall, FindCall, TranscriptCall, ZoomCall
from zoomgym.rules.grammar import read_reply
from zoomgym.rules.json_grammar import JSON_CALLS
from zoomgym.rules.reading import Reading
from zoomgym.testing import check_agent

ZOOM = '{"segment": [4, 6], "fps": 2}'
TAG = f"<video_zoom>{ZOOM}</video_zoom>"
ANSWER = '{"answer": "B"}'
BOMB = gzip.compress(bytes(20_000_000))
USAGE = {"prompt_tokens": 1000, "completion_tokens": 20}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def small_env(**settings: Any) -> ZoomEnv:
    given = {
        "num_overview": 4,
        "frame_budget": 20,
        "source": "scene",
        "max_pixels": 1024,
        "frame_size": (8, 8),
    }
    return ZoomEnv("synthetic:flash", **{**given, **settings})


def first_look(**settings: Any) -> Observation:
    env = small_env(**settings)
    env.reset(seed=0)
    return env.observation


def chat(server: JudgeServer, waited: list[float] | None = None, **settings: Any) -> ChatAgent:
    own = ("key_variable", "timeout_s", "max_tries", "input_price", "output_price")
    of_endpoint = {name: settings.pop(name) for name in own if name in settings}
    sleep = [].append if waited is None else waited.append
    settings = {"check_pictures": False, **settings}
    agent = ChatAgent(Endpoint("m", server.url, sleep=sleep, **of_endpoint), **settings)
    agent.reset(0)
    return agent


def pictures(message: dict[str, Any]) -> list[Image.Image]:
    urls = [part["image_url"]["url"] for part in message["content"] if "image_url" in part]
    return [Image.open(io.BytesIO(base64.b64decode(url.partition("base64,")[2]))) for url in urls]


def words(message: dict[str, Any]) -> str:
    return "".join(part.get("text", "") for part in message["content"])


def call(arguments: Any = ZOOM, name: str = "video_zoom") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": "1", "type": "function", "function": function}


# What is sent ------------------------------------------------------------------------------------


@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
def test_the_whole_conversation_is_sent_with_every_pixel_of_every_frame(grammar: str) -> None:
    zoom, answer = (ZOOM, ANSWER) if grammar == "json" else (TAG, "<answer>B</answer>")
    env = small_env(grammar=grammar)
    with judging(chats(zoom), chats("no reply"), chats(answer)) as server:
        record = play_episode(env, chat(server), agent_name="chat", seed=0)
    assert [turn.reply for turn in record.turns] == [zoom, "no reply", answer]
    for number, num_messages in enumerate((2, 4, 6)):
        path, headers, body = server.requests[number]
        assert (path, body["model"]) == ("/v1/chat/completions", "m")
        assert "Authorization" not in headers
        sent, meant = body["messages"], to_messages(env.observation)[:num_messages]
        roles = ["system", "user", "assistant", "user", "assistant", "user"]
        assert [message["role"] for message in sent] == roles[:num_messages]
        for message, other in zip(sent, meant, strict=True):
            if message["role"] == "user":
                assert [picture.format for picture in pictures(message)] == ["PNG"] * len(
                    images_of([other])
                )
                for picture, image in zip(pictures(message), images_of([other]), strict=True):
                    assert np.array_equal(np.asarray(picture), image)
                assert words(message) == text_of(other)
            else:
                assert message["content"] == text_of(other)


def test_each_frame_follows_its_label() -> None:
    with judging(chats(ANSWER)) as server:
        chat(server).act(first_look())
    parts = server.requests[0][2]["messages"][1]["content"]
    labels = ["<frame0_time0.00s>", "<frame1_time19.97s>", "<frame2_time39.94s>"]
    assert [part["type"] for part in parts] == ["text", "image_url"] * 4 + ["text"]
    assert [part["text"] for part in parts[:6:2]] == labels
    assert parts[8]["text"].startswith("The video lasts 60.00 s.\nWhile the amber beacon is lit")


def test_frames_are_sent_as_jpeg_of_a_stated_quality_if_asked() -> None:
    seen = first_look(max_pixels=10_000)
    with judging(chats(ANSWER)) as server:
        chat(server, jpeg_quality=90).act(seen)
    sent = pictures(server.requests[0][2]["messages"][1])
    file = io.BytesIO()
    Image.fromarray(seen.overview.images[0]).save(file, "JPEG", quality=90)
    tables = Image.open(file).quantization
    assert [picture.quantization for picture in sent] == [tables] * 4
    for picture, image in zip(sent, seen.overview.images, strict=True):
        assert np.abs(np.asarray(picture, np.float32) - image).mean() < 3


def cut(frames: Frames) -> Frames:
    return Frames(frames.times_s[:-1], frames.images[:-1])


@pytest.mark.parametrize(
    ("lose", "message"),
    [
        (
            lambda seen: {"overview": cut(seen.overview)},
            "needed messages with all 8 frames .*, got 7: give",
        ),
        (
            lambda seen: {"clips": (cut(seen.clips[0]),)},
            "needed messages with all 8 frames .*, got 7: give",
        ),
        (
            lambda seen: {"frames_left": seen.frames_left - 1},
            "needed messages with all 9 frames .*, got 8",
        ),
    ],
)
def test_a_request_that_lacks_a_frame_is_not_sent(
    lose: Callable[[Observation], dict[str, Any]], message: str
) -> None:
    env = small_env()
    env.reset(seed=0)
    env.step(ZOOM)
    with judging(chats(ANSWER)) as server:
        with pytest.raises(AgentError, match=message):
            chat(server).act(replace(env.observation, **lose(env.observation)))
        assert server.requests == []


def test_a_request_holds_its_settings_and_a_stop_string_where_there_is_one() -> None:
    with judging(chats(ANSWER)) as server:
        agent = chat(server)
        agent.act(first_look())
        agent.act(first_look(grammar="video_zoom"))
    bodies = [dict(body) for _, _, body in server.requests]
    for body in bodies:
        del body["messages"]
    plain = {"model": "m", "temperature": 0.0, "max_tokens": 1024}
    assert bodies == [plain, {**plain, "stop": ["</video_zoom>"]}]


def test_a_request_is_one_that_the_client_library_has_types_for() -> None:
    env = small_env(grammar="video_zoom")
    env.reset(seed=0)
    with judging(chats(TAG)) as server:
        agent = chat(server, tools=True, temperature=0.5)
        env.step(agent.act(env.observation))
        agent.act(env.observation)
    body = server.requests[1][2]
    types = TypeAdapter(CompletionCreateParamsNonStreaming)  # reads lists while they are iterated
    assert unrolled(types.validate_python(body)) == body  # nothing was left out as unknown


def unrolled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: unrolled(one) for name, one in value.items()}
    return value if isinstance(value, str | int | float) else [unrolled(one) for one in value]


def test_further_fields_are_merged_over_the_own_ones_and_none_leaves_one_out() -> None:
    request = {"top_p": 0.5, "stop": ["X"], "max_tokens": None, "max_completion_tokens": 9}
    with judging(chats(ANSWER)) as server:
        chat(server, temperature=0.5, request=request).act(first_look(grammar="video_zoom"))
    body = server.requests[0][2]
    assert (body["top_p"], body["stop"], body["max_completion_tokens"]) == (0.5, ["X"], 9)
    assert "max_tokens" not in body


def test_a_seed_is_sent_with_a_temperature_another_one_in_every_turn_the_same_in_a_batch() -> None:
    env = small_env()
    env.reset(seed=0)
    with judging(chats(ZOOM)) as server:
        agent = chat(server, temperature=0.7)
        first = env.observation
        env.step(agent.act(first))
        agent.act(env.observation)
        agent.act_batch([first])
    seeds = [body["seed"] for _, _, body in server.requests]
    assert len(set(seeds)) == 2
    assert seeds[0] == seeds[2]
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_the_key_goes_to_the_server_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MY_KEY", " sk-secret\n")
    with judging(chats(ANSWER), fails(401)) as server:
        agent = chat(server, key_variable="MY_KEY")
        agent.act(first_look())
        assert server.requests[0][1]["Authorization"] == "Bearer sk-secret"
        with pytest.raises(AgentError, match=r"got status 401: key was \*\*\* at try 1") as caught:
            agent.act(first_look())
    shown = f"{caught.value!r} {agent._endpoint!r} {caplog.text}"
    assert "sk-secret" not in shown


def test_nothing_of_the_environment_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ORG_ID", "PROJECT_ID", "API_KEY", "ADMIN_KEY"):
        monkeypatch.setenv(f"OPENAI_{name}", "private")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Own: private\nAuthorization: Bearer private")
    with judging(chats(ANSWER)) as server:
        chat(server).act(first_look())
    assert server.requests[0][1].keys() == {
        "Accept-Encoding", "Connection", "Content-Length", "Content-Type", "Host", "User-Agent",
    }  # fmt: skip
    assert "private" not in str(server.requests[0])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal_and_what_it_leads_to_is_not_asked(status: int) -> None:
    with judging(chats(ANSWER)) as other, judging(redirects(status, other.url)) as server:
        with pytest.raises(AgentError, match=f"got status {status}: a redirect, which is not fol"):
            chat(server).act(first_look())
        assert (len(server.requests), len(other.requests)) == (1, 0)


# What comes back ---------------------------------------------------------------------------------


KEY = "sk-proj-Zm9vYmFyCg_0123456789/+aBcDeFgHiJ"
CODE = base64.b64encode(f"Bearer {KEY}".encode()).decode()


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (chats(f"Your key is {KEY}!"), "Your key is ***!"),
        (chats(f"{KEY}{KEY} {KEY}"), "*** ***"),
        (chats(f"My key: {KEY[5:30]}."), "My key: ***."),
        (chats(f"Basic {CODE}"), "Basic QmVhcmVyIH***K"),
        (chats([{"type": "text", "text": KEY[:9]}, {"type": "text", "text": KEY[9:]}]), "***"),
        (sends(b'{"choices":[{"message":{"content":"\\u0073%s"}}]}' % KEY[1:].encode()), "***"),
        (chats(None, refusal=KEY), "***"),
        (chats(None, tool_calls=[call(KEY)]), "***"),
        (chats(None, tool_calls=[call({"x": KEY})]), '{"x": "***"}'),
        (chats(None, tool_calls=[call("{}", KEY)]), '{"name": "***", "arguments": "{}"}'),
        (chats(f"sk-proj-{ANSWER}"), f"sk-proj-{ANSWER}"),  # the form of any key, none's own
    ],
)
def test_a_key_that_is_echoed_is_masked(
    monkeypatch: pytest.MonkeyPatch, said: Answer, reply: str
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with judging(said) as server:
        agent = chat(server, key_variable="MY_KEY")
        assert agent.act(first_look()) == reply
        record = play_episode(small_env(), agent, agent_name="chat", seed=0)
    assert record.turns[0].reply == reply
    assert KEY[8:20] not in record.to_json()


def test_a_key_that_is_echoed_as_a_thought_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    with judging(chats(TAG, reasoning=f"I see {KEY}")) as server:
        reply = chat(server, key_variable="MY_KEY").act(first_look(grammar="video_zoom"))
    assert reply == f"<think>I see ***</think>{TAG}"


@pytest.mark.parametrize("num_before", [0, 100, 269, 280, 290, 299, 300, 65_500, 65_530])
@pytest.mark.parametrize("status", [200, 401])
def test_no_part_of_a_key_is_shown_where_an_excerpt_ends(
    monkeypatch: pytest.MonkeyPatch, num_before: int, status: int
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    body = b" " * (num_before // 301 * num_before) + b"x" * (num_before % 301) + KEY.encode()
    error = pytest.raises(AgentError)
    with judging(lambda handler: send(handler, body, status)) as server, error as caught:
        chat(server, key_variable="MY_KEY", max_tries=1).act(first_look())
    text = "".join(traceback.format_exception(caught.value))
    assert not [KEY[i : i + 12] for i in range(len(KEY) - 11) if KEY[i : i + 12] in text]


@pytest.mark.parametrize("key", ["B", "EMPTY", "answer", '"answer'])
def test_a_key_that_is_as_short_as_a_word_is_none_to_be_masked(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with judging(chats(ANSWER)) as server:
        assert chat(server, key_variable="MY_KEY").act(first_look()) == ANSWER


@pytest.mark.parametrize(
    ("content", "reply"),
    [
        ([{"type": "text", "text": ANSWER}], ANSWER),
        ([ANSWER], ANSWER),
        (
            [{"type": "text", "text": ANSWER[:5]}, {"type": "output_text", "text": ANSWER[5:]}],
            ANSWER,
        ),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"text": ANSWER}], ANSWER),
        ([{"type": "thinking", "thinking": "So."}, {"type": "text", "text": ANSWER}], ANSWER),
        ([{"type": "refusal", "refusal": "I can't."}], "I can't."),
        ([{"type": "text", "text": None}, {}], ""),
        ([], ""),
    ],
)
def test_content_as_a_list_of_parts_is_their_text(content: Any, reply: str) -> None:
    with judging(chats(content)) as server:
        assert chat(server).act(first_look()) == reply


@pytest.mark.parametrize(
    "thinking", ["I look.", [{"type": "text", "text": "I "}, {"type": "text", "text": "look."}]]
)
def test_a_thought_among_the_parts_is_put_back_as_one(thinking: Any) -> None:
    parts = [{"type": "thinking", "thinking": thinking}, {"type": "text", "text": TAG}]
    with judging(chats(parts)) as server:
        reply = chat(server).act(first_look(grammar="video_zoom"))
    assert reply == f"<think>I look.</think>{TAG}"


@pytest.mark.long
@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
@pytest.mark.parametrize(
    "said",
    [
        chats("x" * 5_000_000),
        chats(None, tool_calls=[call("y" * 500)] * 10_000),
        chats("<video_zoom>" * 300_000),
    ],
)
def test_a_reply_that_is_too_long_in_any_case_fills_no_record(said: Answer, grammar: str) -> None:
    with judging(said) as server:
        record = play_episode(small_env(grammar=grammar), chat(server), agent_name="c", seed=0)
    assert [len(turn.reply) for turn in record.turns] == [65_537] * 5
    assert record.turns[0].error.startswith("reply needs at most 65536 characters, got 65537")


@pytest.mark.parametrize(
    ("choice", "is_at_stop"),
    [
        ({}, True),
        ({"stop_reason": "</video_zoom>"}, True),
        ({"stop_reason": None}, False),  # the model's own end
        ({"stop_reason": 151645}, False),  # a token of that
        ({"finish_reason": "length"}, False),
        ({"finish_reason": None}, False),
    ],
)
def test_a_server_may_say_that_it_was_not_the_stop_string(
    choice: dict[str, Any], is_at_stop: bool
) -> None:
    row = {"message": {"content": "x"}, "finish_reason": "stop", **choice}
    assert read_completion(json.dumps({"choices": [row]}).encode()).is_at_stop is is_at_stop


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_what_a_server_takes_out_as_thought_is_put_back_where_the_grammar_has_a_place(
    field: str,
) -> None:
    said: dict[str, Any] = {field: "I look."}
    with judging(chats(f"\n\n{TAG}", **said)) as server:
        reply = chat(server).act(first_look(grammar="video_zoom"))
        assert reply == f"<think>I look.</think>\n\n{TAG}"
        assert read_reply(reply, "video_zoom").is_well_formed
        assert chat(server).act(first_look()) == f"\n\n{TAG}"


@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
def test_a_call_of_the_tool_is_the_zoom_of_the_grammar_and_words_an_answer(grammar: str) -> None:
    answer = ANSWER if grammar == "json" else "<think></think><answer>B</answer>"
    zooms = chats("I look.", "tool_calls", tool_calls=[call()])
    with judging(zooms, chats(answer)) as server:
        agent = chat(server, tools=True)
        record = play_episode(small_env(grammar=grammar), agent, agent_name="chat", seed=0)
    zoom = ZOOM if grammar == "json" else f"<think>I look.</think>{TAG}"
    assert [turn.reply for turn in record.turns] == [zoom, answer]
    assert (record.reward_parts.format, record.frames_used) == (1.0, 8)
    for _, _, body in server.requests:
        [tool] = body["tools"]
        assert (tool["type"], tool["function"]["name"]) == ("function", "video_zoom")
        assert tool["function"]["parameters"]["required"] == ["segment", "fps"]
    *_, said, told, shown = server.requests[1][2]["messages"]
    assert said["content"] == ("" if grammar == "json" else "<think>I look.</think>")
    [called] = said["tool_calls"]
    assert called["function"] == {"name": "video_zoom", "arguments": ZOOM}
    assert (told["role"], told["tool_call_id"]) == ("tool", called["id"])
    assert told["content"].startswith("Zoom 1: 4 frames of [4.00, 6.00) s at 2 fps.")
    assert (shown["role"], len(shown["content"])) == ("user", 8)


TRANSCRIPT = '{"transcript": [10, 60]}'
BOTH = ("zoom", "transcript")


def with_tools(seen: Observation, tools: tuple[str, ...]) -> Observation:
    finder = "m:score" if "find" in tools else ""
    return replace(seen, rules=replace(seen.rules, tools=tools, finder=finder))


@pytest.mark.parametrize(
    ("tools", "names"),
    [
        (("zoom",), ["video_zoom"]),
        (("transcript",), ["transcript"]),
        (BOTH, ["video_zoom", "transcript"]),
        (("zoom", "crop"), ["video_zoom", "crop"]),
        (("find",), ["find"]),
    ],
)
def test_the_tools_of_an_episode_are_offered_and_their_examples_fit(
    tools: tuple[str, ...], names: list[str]
) -> None:
    seen = first_look()
    with judging(chats(ANSWER)) as server:
        chat(server, tools=True).act(with_tools(seen, tools))
        [(_, _, body)] = server.requests
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    for tool, name in zip(body["tools"], tools, strict=True):
        taught = json.loads(JSON_CALLS[name].example)
        parameters = tool["function"]["parameters"]
        assert parameters["required"] == list(parameters["properties"]) == list(taught)
        TypeAdapter(ChatCompletionToolParam).validate_python(tool)


@pytest.mark.parametrize(
    ("name", "arguments", "action"),
    [
        ("transcript", TRANSCRIPT, TranscriptCall(10, 60)),
        ("crop", '{"crop": [0, 0.5, 1, 1], "at": 2}', CropCall(0, 0.5, 1, 1, 2)),
        ("find", '{"find": "a car", "segment": [0, 9]}', FindCall("a car", 0, 9)),
        ("video_zoom", ZOOM, ZoomCall(4, 6, 2)),
    ],
)
def test_a_call_of_any_tool_is_that_call_of_the_grammar(
    name: str, arguments: str, action: Action
) -> None:
    seen = with_tools(first_look(), TOOLS)
    with judging(chats("I look.", "tool_calls", tool_calls=[call(arguments, name)])) as server:
        reply = chat(server, tools=True).act(seen)
    assert reply == arguments
    assert read_reply(reply, "json", TOOLS) == Reading(action, is_well_formed=True)


def test_an_episode_is_played_with_calls_of_several_tools() -> None:
    env = small_env(tools=("zoom", "crop", "find"), finder="tests.envs.test_find:score")
    calls = [
        ("find", '{"find": "bright", "segment": [0, 9]}'),
        ("crop", '{"crop": [0, 0.5, 1, 1], "at": 2}'),
        ("video_zoom", ZOOM),
    ]
    said = [chats("So.", "tool_calls", tool_calls=[call(body, name)]) for name, body in calls]
    with judging(*said, chats(ANSWER)) as server:
        record = play_episode(env, chat(server, tools=True), agent_name="chat", seed=0)
    assert [turn.reply for turn in record.turns] == [*(body for _, body in calls), ANSWER]
    assert [turn.tool for turn in record.turns] == ["find", "crop", "zoom", ""]
    assert (record.reward_parts.format, record.frames_used) == (1.0, 4 + 1 + 4)
    told, crop, zoom = (
        server.requests[number][2]["messages"][-1]["content"] for number in (1, 2, 3)
    )
    assert told.startswith("Found in [0.00, 9.00) s, the best match")
    assert [sum("image_url" in part for part in content) for content in (crop, zoom)] == [1, 4]


def test_arguments_that_are_no_text_are_written_as_json() -> None:
    with judging(chats(tool_calls=[call(json.loads(ZOOM))])) as server:
        assert chat(server, tools=True).act(first_look()) == ZOOM


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (chats("The answer is", "length"), "The answer is"),
        (chats(None, "length"), ""),
        (chats(""), ""),
        (chats(None, refusal="I can't help with that."), "I can't help with that."),
        (chats(None, reasoning="I think on and on"), ""),
        (chats("\ud800 \x00 ü"), "\ud800 \x00 ü"),
    ],
)
def test_whatever_a_model_says_is_its_reply(said: Answer, reply: str) -> None:
    with judging(said) as server:
        assert chat(server).act(first_look()) == reply
        assert len(server.requests) == 1


# What goes wrong ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "waits_s"),
    [
        (fails(500), [1.0]),
        (fails(503), [1.0]),
        (fails(529), [1.0]),
        (fails(408), [1.0]),
        (fails(429, Retry_After="7"), [7.0]),
        (fails(429, Retry_After="86400"), [30.0]),
        (fails(429, Retry_After="soon"), [1.0]),
        (fails(503, x_should_retry="false"), [1.0]),
        (sends(b"<html>busy</html>"), [1.0]),
        (sends(b"\xff\xfe"), [1.0]),
        (sends(b""), [1.0]),
        (sends(b"[" * 100_000), [1.0]),
        (sends(b'"B"'), [1.0]),
        (sends(b'{"error": {"message": "overloaded"}}'), [1.0]),
        (sends(b'{"choices": []}'), [1.0]),
        (sends(b'{"choices": [{"message": null}]}'), [1.0]),
        (sends(b'{"choices": [{"message": "B"}]}'), [1.0]),
        (chats(5), [1.0]),
        (chats([5]), [1.0]),
        (chats([{"type": "text", "text": 5}]), [1.0]),
        (chats([["B"]]), [1.0]),
        (chats({"text": "B"}), [1.0]),
        (chats("B", reasoning={"text": "So."}), [1.0]),
        (chats(None), [1.0]),
        (chats(None, tool_calls=[]), [1.0]),
        (chats(None, tool_calls=5), [1.0]),
        (chats("B", tool_calls=["zoom"]), [1.0]),
        (sends(b" " * 8_400_000), [1.0]),
        (lambda handler: send(handler, BOMB, Content_Encoding="gzip"), [1.0]),
        (endless(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65_536), [1.0]),
        (drips, [1.0]),
        (raw(*[b"X"] * 100, pause_s=0.02), [1.0]),
        (chats(None, tool_calls=[{"function": {}}]), [1.0]),
        (chats("B", finish_reason=5), [1.0]),  # type: ignore[arg-type]
        (cuts, [1.0]),
        (hangs_up, [1.0]),
        (waits(0.5, chats("slow")), [1.0]),
    ],
)
def test_a_fault_that_passes_costs_one_more_request(fault: Answer, waits_s: list[float]) -> None:
    waited: list[float] = []
    with judging(fault, chats(ANSWER)) as server:
        assert chat(server, waited, timeout_s=0.25).act(first_look()) == ANSWER
        assert len(server.requests) == 2
        assert server.requests[0][2] == server.requests[1][2]
    assert list(map(int, waited)) == waits_s


def test_an_endpoint_that_stays_down_is_an_error_and_never_an_answer() -> None:
    waited: list[float] = []
    with judging(fails(500)) as server:
        with pytest.raises(
            AgentError,
            match=r"^[0-9a-f@]+: m at http://127.0.0.1:\d+/v1: needed a reply, got status 500: key "
            r"was sk-secret at try 8 of 8: play the episode again when that is mended$",
        ):
            chat(server, waited).act(first_look())
        assert len(server.requests) == 8
    assert list(map(int, waited)) == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (sends(b"<html>\nbusy"), "got no chat completion: <html> busy at try 2 of 2"),
        (chats(None), "got a message that says nothing at try 2 of 2"),
        (hangs_up, "got RemoteDisconnected at try 2 of 2"),
        (cuts, "got a reply that breaks off at try 2 of 2"),
        (waits(0.5, chats("slow")), "got no whole reply within 0.25 s at try 2 of 2"),
    ],
)
def test_a_fault_that_stays_is_named(fault: Answer, trouble: str) -> None:
    with judging(fault) as server, pytest.raises(AgentError, match=trouble):
        chat(server, max_tries=2, timeout_s=0.25).act(first_look())


def too_long(handler: Handler) -> None:
    fault = {"message": "maximum context length is 32768 tokens, got 41000", "code": 400}
    body = json.dumps({"error": fault}).encode()
    handler.send_response(400)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize(
    ("fault", "trouble"),
    [
        (too_long, "status 400: .*maximum context length is 32768 tokens.* at try 1 of 8"),
        (
            fails(401),
            "status 401: .* at try 1 of 8: check the key, and that key_variable names it$",
        ),
        (
            fails(404),
            "status 404: .* at try 1 of 8: check the url, which ends in /v1 .* the model$",
        ),
        (fails(413), "status 413: .* at try 1 of 8"),
        (chats("B", "content_filter"), "the content filter of the provider withheld at try 1 of 8"),
        (
            chats(None, "content_filter"),
            "the content filter of the provider withheld at try 1 of 8",
        ),
    ],
)
def test_a_refusal_is_not_asked_again(fault: Answer, trouble: str) -> None:
    with judging(fault) as server:
        with pytest.raises(AgentError, match=f"needed a reply, got .*{trouble}"):
            chat(server).act(first_look())
        assert len(server.requests) == 1


def test_a_server_that_is_not_there_is_an_error() -> None:
    with judging(chats(ANSWER)) as server:
        pass
    with pytest.raises(
        AgentError,
        match=r"at try 2 of 2: check the url, and that a server runs there$",
    ):
        chat(server, max_tries=2).act(first_look())


def test_an_episode_that_fails_is_named_and_has_no_record() -> None:
    env = small_env()
    task_ids = [env.tasks[index].id for index in range(3)]
    with judging(chats(ANSWER), fails(400)) as server:
        agent = chat(server)
        episodes = run_episodes(env, agent, agent_name="chat", task_ids=task_ids, seed=0)
        assert next(episodes).task.id == task_ids[0]
        with pytest.raises(AgentError, match=r"^[0-9a-f@]+: m at ") as caught:
            next(episodes)
    assert str(caught.value).startswith(f"{env.observation.episode_key}: ")


# What it takes -----------------------------------------------------------------------------------


def played(*script: Answer, **settings: Any) -> Record:
    with judging(*script) as server:
        return play_episode(small_env(), chat(server, **settings), agent_name="chat", seed=0)


def test_a_record_says_what_its_episode_took() -> None:
    second = {"prompt_tokens": 1500, "completion_tokens": 10, "total_tokens": 1510}
    second["prompt_tokens_details"] = {"cached_tokens": 1000}
    record = played(chats(ZOOM, usage=USAGE), fails(500), chats(ANSWER, usage=second))
    usage = dict(record.usage)
    assert 0 < usage.pop("endpoint_s") < record.agent_s
    assert usage == {
        "requests": 3, "input_tokens": 2500, "cached_tokens": 1000, "output_tokens": 30,
    }  # fmt: skip
    assert Record.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("told", "settings", "cost"),
    [
        ({}, {}, None),
        ({}, {"input_price": 2.5, "output_price": 10}, 2 * (1000 * 2.5 + 20 * 10) / 1e6),
        ({"cost": 0.25}, {}, 0.5),
        ({"cost": 0.25}, {"output_price": 10}, 2 * 20 * 10 / 1e6),
    ],
)
def test_the_cost_follows_from_prices_or_is_what_the_endpoint_says(
    told: dict[str, Any], settings: dict[str, Any], cost: float | None
) -> None:
    usage = {**USAGE, **told}
    record = played(chats(ZOOM, usage=usage), chats(ANSWER, usage=usage), **settings)
    assert record.usage.get("cost") == pytest.approx(cost)


@pytest.mark.parametrize(
    "told",
    [
        None,
        {},
        {"prompt_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": float("nan"), "completion_tokens": 5},
        {"prompt_tokens": 10**400, "completion_tokens": 5},
    ],
)
def test_a_reply_whose_tokens_are_not_told_counts_as_unmetered(told: dict[str, Any] | None) -> None:
    record = played(chats(ZOOM, usage=told), chats(ANSWER, usage=USAGE), input_price=1)
    usage = {name: number for name, number in record.usage.items() if name != "endpoint_s"}
    assert usage == {
        "unmetered_replies": 1, "requests": 2, "input_tokens": 1000, "output_tokens": 20,
        "cost": 0.001,
    }  # fmt: skip


def test_replies_that_were_cut_are_counted() -> None:
    record = played(chats("I th", "length", USAGE), chats("I th", "length", USAGE), chats(ANSWER))
    assert record.usage["cut_replies"] == 2


def test_what_an_episode_took_is_told_once_and_starts_at_zero_with_it() -> None:
    env = small_env()
    env.reset(seed=0)
    with judging(chats(ZOOM, usage=USAGE)) as server:
        agent = chat(server)
        first = env.observation
        agent.act(first)
        env.step(ZOOM)
        agent.act(env.observation)
        agent.act(first)  # as a runner that plays it again
        assert agent.usage(first.episode_key)["input_tokens"] == 1000
        assert agent.usage(first.episode_key) == {}


def test_without_an_overview_a_question_is_sent_without_pictures() -> None:
    with judging(chats(ANSWER)) as server:
        chat(server).act(first_look(num_overview=0))
    [(_, _, request)] = server.requests
    sent = json.dumps(request["messages"])
    assert "You are shown none of its frames at first." in sent
    assert "image_url" not in sent


@pytest.mark.parametrize("num_overview", [4, 0])
def test_episodes_side_by_side_that_show_the_same_are_counted_apart(num_overview: int) -> None:
    envs = [small_env(num_overview=num_overview), small_env(num_overview=num_overview)]
    for env in envs:
        env.reset(seed=0)
    [key] = {env.observation.episode_key for env in envs}
    script = [chats(reply, usage=USAGE) for reply in (ZOOM, ZOOM, "hm", ANSWER, ANSWER)]
    with judging(*script) as server:
        agent = chat(server)
        for index in (0, 1, 0):
            envs[index].step(agent.act(envs[index].observation))
        agent.act(envs[1].observation)  # the second is over, before the first
        assert agent.usage(key)["requests"] == 2
        agent.act(envs[0].observation)
        assert agent.usage(key)["requests"] == 3
        assert agent.usage(key) == {}


# Many at once ------------------------------------------------------------------------------------


def by_question(handler: Handler) -> None:
    """Replies with the first option."""
    asked = words(handler.body["messages"][1])
    chats(json.dumps({"answer": asked.partition("\nA. ")[2].partition("\n")[0]}))(handler)


def test_a_batch_is_sent_at_once_and_its_replies_are_in_order() -> None:
    seen = []
    env = small_env()
    for index in range(6):
        env.reset(seed=0, options={"task_id": env.tasks[index].id})
        seen.append(env.observation)
    with judging(meets(3, by_question)) as server:
        replies = chat(server, max_concurrent=3).act_batch(seen)
        assert server.most_open == 3
    assert [json.loads(reply)["answer"] for reply in replies] == [one.options[0] for one in seen]
    assert len({one.options[0] for one in seen}) > 2


def test_a_batch_is_no_other_than_its_replies_one_by_one() -> None:
    def play(num_envs: int) -> list[Record]:
        with judging(by_question) as server:
            envs = [small_env() for _ in range(num_envs)]
            task_ids = [envs[0].tasks[index].id for index in range(5)]
            agent = chat(server)
            records = run_episodes(envs, agent, agent_name="c", task_ids=task_ids, seed=0)
            still = [replace(record, agent_s=0, decode_s=0, usage={}) for record in records]
        return sorted(still, key=lambda record: task_ids.index(record.task.id))

    assert play(3) == play(1)


def test_one_failure_in_a_batch_is_an_error() -> None:
    env = small_env()
    env.reset(seed=0)
    with (
        judging(chats(ANSWER), fails(400), chats(ANSWER)) as server,
        pytest.raises(AgentError, match="status 400"),
    ):
        chat(server).act_batch([env.observation] * 3)


def test_ctrl_c_waits_for_no_reply_of_a_batch() -> None:
    release = threading.Event()
    with judging(meets(2, interrupts(release))) as server:
        agent, seen = chat(server, max_tries=1), first_look()
        started_s = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            agent.act_batch([seen] * 2)
        assert time.monotonic() - started_s < 10  # the server would take 30
        release.set()


def test_a_served_model_keeps_the_contract_of_agents() -> None:
    def answer(handler: Handler) -> None:
        tags = "<think></think><answer>B</answer>"
        chats(tags if "<answer>" in handler.body["messages"][0]["content"] else ANSWER)(handler)

    with judging(answer) as server:
        records = check_agent(lambda: chat(server, jpeg_quality=50))
    assert [record.reward_parts.format for record in records] == [1.0] * 6


# Its name ----------------------------------------------------------------------------------------


def test_a_name_holds_model_url_and_settings() -> None:
    settings = 'tools=true&temperature=0.5&max_tokens=7&request={"top_p":0.9}&max_tries=2'
    with judging(chats(ANSWER)) as server:
        agent = make_agent(f"chat:hub/qwen2.5vl:7b@{server.url}?{settings}")
        agent.reset(0)
        assert agent.act(first_look()) == ANSWER
    body = server.requests[0][2]
    sent = [body[name] for name in ("model", "temperature", "max_tokens", "top_p")]
    assert sent == ["hub/qwen2.5vl:7b", 0.5, 7, 0.9]
    assert len(body["tools"]) == 1


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("qwen", "chat needs MODEL@URL, like qwen2.5-vl@http://localhost:8000/v1"),
        ("m@localhost:8000", "chat needs MODEL@URL"),
        ("@http://h/v1", "chat model needs a name"),
        ("m@http:///v1", "chat url needs to be like"),
        ("m@https://me:secret@h/v1", "chat url needs no user"),
        ("m@https://h/v1?key=secret", "NAME=VALUE of tools, temperature, .*, key_variable"),
        ("m@https://h/v1?sleep=1", "NAME=VALUE of"),
        ("m@https://h/v1?tools=yes", "tools needs true or false, got 'yes'"),
        ("m@https://h/v1?temperature=hot", "temperature needs a number from 0.0 to 10.0"),
        ("m@https://h/v1?temperature=NaN", "temperature needs a number"),
        ("m@https://h/v1?max_tokens=0", "max_tokens needs a number from 1"),
        ("m@https://h/v1?max_tokens=1.5", "max_tokens needs a number from 1"),
        ("m@https://h/v1?jpeg_quality=101", "jpeg_quality needs a number from 0 to 100"),
        ("m@https://h/v1?max_concurrent=0", "max_concurrent needs a number from 1 to 1000"),
        ("m@https://h/v1?request=[1]", r"request needs an object of fields, got \[1\]"),
        ('m@https://h/v1?request={"top_p":NaN}', "chat request needs values that JSON can hold"),
        ("m@https://h/v1?timeout_s=0", "timeout_s needs a number from 0.001"),
        ("m@https://h/v1?max_tries=true", "max_tries needs a number from 1 to 100, got True"),
        ("m@https://h/v1?input_price=-1", "input_price needs a number from 0.0"),
        ("m@https://h/v1?key_variable=sk-secret", "in the environment variable that key_variable"),
        ("m@https://h/v1?key_variable=NO_KEY_HERE", "in the environment variable NO_KEY_HERE"),
    ],
)  # fmt: skip
def test_an_invalid_name_is_refused_and_not_shown(argument: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make_chat(argument)
    assert "secret" not in str(caught.value)


# Whether it looks --------------------------------------------------------------------------------


def counted(num_tokens: int) -> Answer:
    return chats(ANSWER, usage={"prompt_tokens": num_tokens, "completion_tokens": 5})


def test_an_endpoint_that_counts_no_token_for_pictures_is_refused() -> None:
    seen = first_look()
    with judging(counted(22)) as server:
        agent = chat(server, check_pictures=True)
        for _ in range(2):
            with pytest.raises(AgentError, match="counts as many tokens without them: serve it"):
                agent.act(seen)
        asked, blind = (body for _, _, body in server.requests)  # it is asked once
    assert blind["messages"][0] == asked["messages"][0]
    assert words(blind["messages"][1]) == words(asked["messages"][1])
    assert [len(pictures(asked["messages"][1])), len(pictures(blind["messages"][1]))] == [4, 0]
    assert (blind.pop("max_tokens"), asked.pop("max_tokens")) == (1, 1024)
    del blind["messages"], asked["messages"]
    assert blind == asked


def test_an_endpoint_that_looks_is_asked_once_more_and_then_believed() -> None:
    seen = first_look()
    with judging(counted(300), counted(44), counted(20)) as server:
        agent = chat(server, check_pictures=True)
        agent.reset(1)
        assert [agent.act(seen) for _ in range(3)] == [ANSWER] * 3
        shown = [len(pictures(body["messages"][1])) for _, _, body in server.requests]
    assert shown == [4, 0, 4, 4]


@pytest.mark.parametrize("setting", [{"check_pictures": True}, {}])
def test_an_endpoint_that_counts_nothing_or_should_not_be_checked_is_believed(
    setting: dict[str, Any],
) -> None:
    answer = chats(ANSWER) if setting else counted(22)
    with judging(answer) as server:
        assert chat(server, **setting).act(first_look()) == ANSWER
        assert len(server.requests) == 1


def test_what_has_no_pictures_says_nothing_of_an_endpoint() -> None:
    with judging(counted(22), counted(300), counted(22), counted(300)) as server:
        agent = chat(server, check_pictures=True)
        agent.act(first_look(num_overview=0))
        assert agent.act(first_look()) == ANSWER
        assert len(server.requests) == 3


def test_an_endpoint_that_refuses_to_be_asked_without_pictures_is_asked_again_later() -> None:
    with judging(counted(300), fails(400), counted(300), counted(30)) as server:
        agent, seen = chat(server, check_pictures=True), first_look()
        assert [agent.act(seen) for _ in range(2)] == [ANSWER] * 2
        assert len(server.requests) == 4


def test_no_reply_of_an_endpoint_that_drops_pictures_gets_through_beside_the_first() -> None:
    with judging(*[meets(4, counted(22))] * 4, counted(22)) as server:
        agent = chat(server, check_pictures=True)
        came = list(side_by_side(agent.act, [first_look()] * 4, 4))
        assert len(server.requests) == 5
    assert [isinstance(one, AgentError) for one in came] == [True] * 4
