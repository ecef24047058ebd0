"""What a model said, as the reply that the rules read."""

import json

import pytest

from agents.chat.completions import Completion
from zoomgym.conversation import write_completion
from zoomgym.errors import ReplyError
from zoomgym.rules.actions import ONLY_ZOOM
from zoomgym.rules.grammar import read_reply
from zoomgym.rules.settings import Rules

ZOOM = '{"segment": [4, 6], "fps": 2}'
TAG = f"<video_zoom>{ZOOM}</video_zoom>"
ANSWER = '{"answer": "B"}'
TRANSCRIPT = '{"transcript": [10, 60]}'
BOTH = ("zoom", "transcript")
TWICE = (("video_zoom", ZOOM), ("video_zoom", ZOOM))


def as_reply(said: Completion, grammar: str, tools: tuple[str, ...] = ONLY_ZOOM) -> str:
    return write_completion(
        said.text,
        said.calls,
        Rules(grammar, tools=tools),
        thought=said.reasoning,
        is_at_stop=said.is_at_stop,
    )


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("<think>x</think><video_zoom>{}", "<think>x</think><video_zoom>{}</video_zoom>"),
        ("<video_zoom>{}</video_zoom>", "<video_zoom>{}</video_zoom>"),
        ("<video_zoom></video_zoom><video_zoom>", 2 * "<video_zoom></video_zoom>"),
        ("<answer>B</answer>", "<answer>B</answer>"),
        ("<answer>B", "<answer>B"),
        ("", ""),
    ],
)
def test_the_stop_string_is_put_back_where_its_tag_was_left_open(text: str, reply: str) -> None:
    assert as_reply(Completion(text, is_at_stop=True), "video_zoom") == reply
    assert as_reply(Completion(text, is_at_stop=False), "video_zoom") == text
    assert as_reply(Completion(text, is_at_stop=True), "json") == text


def test_a_call_of_a_tool_that_is_not_offered_is_refused_as_it_is() -> None:
    said = Completion("", calls=(("transcript", TRANSCRIPT),))
    reply = as_reply(said, "json")
    assert json.loads(reply) == {"name": "transcript", "arguments": TRANSCRIPT}
    assert as_reply(said, "json", ("zoom", "transcript")) == TRANSCRIPT
    with pytest.raises(ReplyError, match="needs either a zoom or an answer"):
        read_reply(reply, "json")


def test_a_second_action_beside_a_call_of_any_tool_stays_and_is_refused() -> None:
    said = Completion(TRANSCRIPT, calls=(("transcript", TRANSCRIPT),))
    reply = as_reply(said, "json", BOTH)
    assert reply == f"{TRANSCRIPT}\n{TRANSCRIPT}"
    with pytest.raises(ReplyError, match="found 2"):
        read_reply(reply, "json", BOTH)


@pytest.mark.parametrize(
    ("said", "reply", "error"),
    [
        (Completion("", calls=(("video_zoom", '{"segment": [4'),)), '{"segment": [4', "needs JSON"),
        (Completion("", calls=(("video_zoom", ""),)), "", "found 0"),
        (
            Completion("", calls=(("video_zoom", '{"segment": [6, 4], "fps": 2}'),)),
            '{"segment": [6, 4], "fps": 2}',
            r"needs start < end, got \[6, 4\]",
        ),
        (Completion("", calls=TWICE), f"{ZOOM}\n{ZOOM}", "found 2"),
        (
            Completion("", calls=(("search", "{}"),)),
            '{"name": "search", "arguments": "{}"}',
            "needs either a zoom or an answer",
        ),
        (Completion(ANSWER, calls=(("video_zoom", ZOOM),)), f"{ANSWER}\n{ZOOM}", "found 2"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_executed_stands_in_the_reply_as_it_is_in_json(
    said: Completion, reply: str, error: str
) -> None:
    assert as_reply(said, "json") == reply
    with pytest.raises(ReplyError, match=error):
        read_reply(reply, "json")


@pytest.mark.parametrize(
    ("said", "reply", "error"),
    [
        (
            Completion("Hm.", calls=(("video_zoom", '{"segment": [4,'),)),
            '<think>Hm.</think><video_zoom>{"segment": [4,</video_zoom>',
            "needs JSON",
        ),
        (Completion("", calls=TWICE), f"<think></think>{TAG}{TAG}", "found 2"),
        (
            Completion("", calls=(("search", "{}"),)),
            '<think></think><video_zoom>{"name": "search", "arguments": "{}"}</video_zoom>',
            "zoom needs the keys of",
        ),
        (
            Completion("<answer>B</answer>", "I look.", (("video_zoom", ZOOM),)),
            f"<think>I look.</think><answer>B</answer>{TAG}",
            "found 2",
        ),
    ],
)
def test_a_call_that_cannot_be_executed_stands_in_the_reply_as_it_is_in_tags(
    said: Completion, reply: str, error: str
) -> None:
    assert as_reply(said, "video_zoom") == reply
    with pytest.raises(ReplyError, match=error):
        read_reply(reply, "video_zoom")


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (Completion("So.", "Hm.", (("video_zoom", ZOOM),)), f"<think>Hm.\nSo.</think>{TAG}"),
        (Completion("", calls=(("video_zoom", ZOOM),)), f"<think></think>{TAG}"),
        (
            Completion("<think>I look.</think>", calls=(("video_zoom", ZOOM),)),
            f"<think>I look.</think>{TAG}",
        ),
        (
            Completion("I look.</think>", calls=(("video_zoom", ZOOM),)),
            f"<think>I look.</think>{TAG}",
        ),
    ],
)  # fmt: skip
def test_words_beside_a_call_are_its_thought(said: Completion, reply: str) -> None:
    assert as_reply(said, "video_zoom") == reply
    assert read_reply(reply, "video_zoom").is_well_formed
