"""Turns of a model that calls tools natively, and messages in the forms of clients."""

import base64
import io
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from PIL import Image
from pydantic import TypeAdapter

from zoomgym import ZoomEnv
from zoomgym.conversation import (
    images_of,
    new_messages,
    text_of,
    to_messages,
    to_openai,
    to_pil,
    tool_schemas,
)
from zoomgym.rules.grammar import call_in

ZOOM = '{"segment": [4, 6], "fps": 2}'
ANSWER = '{"answer": "B"}'
OPENING = ["system", "user"]


def played(*replies: str, **arguments: Any) -> ZoomEnv:
    env = ZoomEnv("synthetic:flash", source="scene", num_overview=2, frame_budget=20, **arguments)
    env.reset(seed=0)
    for reply in replies:
        env.step(reply)
    return env


def test_a_call_is_answered_by_its_tool_and_its_frames_come_in_a_message_of_the_user() -> None:
    seen = played(ZOOM).observation
    [*_, said, told, shown] = to_messages(seen, is_native=True)
    function = {"name": "video_zoom", "arguments": ZOOM}
    assert said == {
        "role": "assistant",
        "content": [],
        "tool_calls": [{"id": "call00000", "type": "function", "function": function}],
    }
    assert told == {
        "role": "tool",
        "content": [{"type": "text", "text": seen.feedback}],
        "tool_call_id": "call00000",
    }
    assert (shown["role"], len(images_of([shown]))) == ("user", 4)
    assert text_of(shown).startswith("<frame0_time4.00s><frame1_time4.50s>")
    assert [m["role"] for m in new_messages(seen, is_native=True)] == ["assistant", "tool", "user"]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ('{"segment": [6, 4], "fps": 2}', "zoom needs start < end"),
        ('{"segment": [0, 60], "fps": 2}', "zoom needs at most 16 frames, got 120"),
        ('{"fps": 1, "segment": "all"}', "zoom needs"),
        ('{"crop": [0, 0, 1, 1], "at": 2}', "reply needs either a zoom or an answer"),
    ],
)
def test_a_call_that_is_refused_is_still_a_call(reply: str, error: str) -> None:
    [said, told] = new_messages(played(reply).observation, is_native=True)
    [call] = said["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == json.loads(reply)
    assert (told["role"], told["tool_call_id"]) == ("tool", call["id"])
    assert text_of(told).startswith(error)


@pytest.mark.parametrize("reply", ["Let me see.", f"{ZOOM}\n{ZOOM}", f"{ZOOM} {ANSWER}", "", "{"])
def test_what_is_no_call_is_told_as_text(reply: str) -> None:
    seen = played(reply).observation
    assert new_messages(seen, is_native=True) == new_messages(seen)


def test_the_words_before_a_call_between_tags_are_kept() -> None:
    env = played(f"<think>I look.</think><video_zoom>{ZOOM}</video_zoom>", grammar="video_zoom")
    [said, *_] = new_messages(env.observation, is_native=True)
    assert text_of(said) == "<think>I look.</think>"
    assert said["tool_calls"][0]["function"]["arguments"] == ZOOM


@pytest.mark.parametrize("grammar", ["json", "video_zoom"])
def test_a_model_with_native_tools_is_taught_to_answer_and_not_to_write_calls(grammar: str) -> None:
    system, user = to_messages(played(grammar=grammar).observation, is_native=True)
    plain, same = to_messages(played(grammar=grammar).observation)
    assert text_of(user) == text_of(same)
    answer = ANSWER if grammar == "json" else "<think>..</think><answer>B</answer>"
    assert text_of(system).endswith(f"\n{answer}")
    assert "call exactly one of your tools" in text_of(system)
    assert "segment" in text_of(plain)
    assert "segment" not in text_of(system)


def test_a_native_conversation_begins_with_that_of_the_turn_before() -> None:
    replies = [ZOOM, "Hm.", '{"segment": [8, 9], "fps": 4}']
    turns = [to_messages(played(*replies[:n]).observation, is_native=True) for n in range(4)]
    for before, after in pairwise(turns):
        for one, other in zip(before, after, strict=False):
            assert (one["role"], text_of(one)) == (other["role"], text_of(other))
    assert [len(images_of(messages)) for messages in turns] == [2, 6, 6, 10]


def test_the_last_reply_has_no_response() -> None:
    env = played(ZOOM, ANSWER)
    assert [message["role"] for message in new_messages(env.observation, is_native=True)] == [
        "assistant"
    ]


def test_rules_of_a_preset_have_no_place_for_native_calls() -> None:
    env = ZoomEnv("synthetic:flash", source="scene", preset="longvt", num_overview=1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="without a preset, got longvt: its model writes"):
        to_messages(env.observation, is_native=True)


def test_grammars_of_peers_have_no_native_calls() -> None:
    env = ZoomEnv("synthetic:flash", source="scene", grammar="eva", num_overview=1)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=r"of \['json', 'video_zoom'\], got eva"):
        to_messages(env.observation, is_native=True)
    assert call_in(ZOOM, "eva") is None


def test_a_reply_too_long_to_be_read_is_no_call() -> None:
    assert call_in(f"{ZOOM}{' ' * 65_536}", "json") is None
    assert call_in(f"{ZOOM}{' ' * 1000}", "json") == ("zoom", ZOOM)


@pytest.mark.parametrize("is_native", [False, True])
def test_messages_of_the_api_hold_every_frame_without_loss(is_native: bool) -> None:
    messages = to_messages(played(ZOOM, "Hm.").observation, is_native=is_native)
    rows = to_openai(messages)
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(
        {"model": "m", "messages": rows}
    )
    parts = [part for row in rows if row["role"] == "user" for part in row["content"]]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    heads, bodies = zip(*(url.split(",") for url in urls), strict=True)
    assert set(heads) == {"data:image/png;base64"}
    pictures = [np.asarray(Image.open(io.BytesIO(base64.b64decode(body)))) for body in bodies]
    np.testing.assert_array_equal(pictures, images_of(messages))


def test_pictures_of_the_api_are_jpeg_where_that_is_asked_or_those_that_are_given() -> None:
    messages = to_messages(played().observation)
    [_, user] = to_openai(messages, jpeg_quality=90)
    urls = [part["image_url"]["url"] for part in user["content"] if "image_url" in part]
    assert [url.partition(",")[0] for url in urls] == 2 * ["data:image/jpeg;base64"]
    [_, user] = to_openai(messages, urls=["a", "b"])
    urls = [part["image_url"]["url"] for part in user["content"] if "image_url" in part]
    assert urls == ["a", "b"]


def test_neighboring_texts_are_one_part() -> None:
    messages = to_messages(played(ZOOM).observation)
    for rows in (to_openai(messages), to_pil(messages)):
        kinds = [part["type"] for part in rows[-1]["content"]]
        assert [kind == "text" for kind in kinds] == 4 * [True, False] + [True]
        whole = "".join(part.get("text", "") for part in rows[-1]["content"])
        assert whole == text_of(messages[-1])


def test_pictures_of_trainers_are_the_frames() -> None:
    messages = to_messages(played(ZOOM).observation, is_native=True)
    rows = to_pil(messages)
    assert [row["role"] for row in rows] == [*OPENING, "assistant", "tool", "user"]
    assert rows[2]["tool_calls"] == messages[2]["tool_calls"]
    parts = [part for row in rows for part in row["content"]]
    pictures = [np.asarray(part["image"]) for part in parts if part["type"] == "image"]
    np.testing.assert_array_equal(pictures, images_of(messages))


def test_texts_of_trainers_hold_no_special_tokens() -> None:
    observation = replace(played().observation, question="<|im_end|><|image_pad|>?")
    *_, question = to_pil(to_messages(observation))[-1]["content"]
    assert "< |im_end|>< |image_pad|>?" in question["text"]


def test_every_tool_has_a_schema() -> None:
    schemas = tool_schemas(("zoom", "crop", "transcript", "find"))
    assert [schema["function"]["name"] for schema in schemas] == [
        *("video_zoom", "crop", "transcript", "find")
    ]
