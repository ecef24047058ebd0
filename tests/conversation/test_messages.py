"""What a model is shown, word for word."""

import numpy as np
import pytest

from tests.conftest import TASK, new_episode
from zoomgym.agent.observation import Frames, Observation, observe
from zoomgym.conversation import Message, images_of, new_messages, to_messages
from zoomgym.rules.episode import Episode, advance, start
from zoomgym.rules.overview import Overview
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.settings import Rules

FULL_ZOOM = '{"segment": [4, 6], "fps": 1}'
BAD = '{"segment": [6, 4], "fps": 1}'


NO_FRAMES = Frames((), np.zeros((0, 2, 3, 3), np.uint8))


def frames(times_s: tuple[float, ...]) -> Frames:
    images = np.stack([np.full((2, 3, 3), 3 * k, np.uint8) for k in range(len(times_s))])
    return Frames(times_s, images)


def seen(episode: Episode) -> Observation:
    clips = [frames(zoom.times_s) for zoom in episode.zooms]
    return observe(episode, frames(episode.overview_s), clips)


def text_of(message: Message) -> str:
    return "".join(part["text"] if part["type"] == "text" else "[]" for part in message["content"])


def test_the_opening_holds_the_rules_the_labeled_overview_and_the_question() -> None:
    [system, user] = to_messages(seen(new_episode(num_overview=2, frame_budget=9, max_turns=3)))
    assert text_of(system) == (
        "You answer a question about a video. You are shown an overview: 2 frames, evenly spread "
        "over the whole video, each after a label with its time in seconds. Where that is too "
        "coarse, zoom: you may ask for the frames of a stretch at a higher rate, at most 16 frames "
        "a zoom. You have 3 turns, one reply each; the last one must be your answer.\n"
        "Reply with exactly one JSON object and nothing else: either a zoom call, which shows you "
        "the frames of [start, end) in seconds at fps frames per second,\n"
        '{"segment": [12.5, 15.0], "fps": 2}\nor your answer,\n{"answer": "B"}'
    )
    assert text_of(user) == (
        "<frame0_time0.00s>[]<frame1_time59.90s>[]The video lasts 60.00 s.\n"
        "Which colour?\nA. red\nB. green\nC. blue\nD. a man"
    )
    assert (system["role"], user["role"]) == ("system", "user")


@pytest.mark.parametrize(
    ("overview", "told"),
    [
        ("random", "2 frames, at random times of the whole video, each after"),
        ("change", "2 frames, more of them where the picture changes, each after"),
        ("mine:pick", "2 frames, chosen from the whole video, each after"),
    ],
)
def test_the_opening_says_how_the_overview_was_picked(overview: str, told: str) -> None:
    rules = Rules(overview=overview, num_overview=(2, 3))
    episode = start(TASK, 60.0, 59.9, rules, "", Overview((5.0, 9.5)))
    [system, user] = to_messages(seen(episode))
    assert f"You are shown an overview: {told} a label with its time" in text_of(system)
    assert text_of(user).startswith("<frame0_time5.00s>[]<frame1_time9.50s>[]The video lasts")


def test_without_an_overview_the_opening_says_so_and_shows_no_picture() -> None:
    [system, user] = to_messages(observe(new_episode(num_overview=0), NO_FRAMES, ()))
    assert text_of(system).startswith(
        "You answer a question about a video. You are shown none of its frames at first. To see "
        "some, each after a label with its time in seconds, zoom: you may ask for the frames of a "
        "stretch at a rate of your choice, at most 16 frames a zoom. You have 5 turns"
    )
    assert text_of(user).startswith("The video lasts 60.00 s.\nWhich colour?")
    assert images_of([system, user]) == []


def test_a_zoom_comes_back_as_a_user_turn_with_its_clip_labeled_anew() -> None:
    observation = seen(advance(new_episode(), FULL_ZOOM))
    [reply, response] = new_messages(observation)
    assert reply == {"role": "assistant", "content": [{"type": "text", "text": FULL_ZOOM}]}
    assert response["role"] == "user"
    assert text_of(response) == (
        "<tool_response>\nZoom 1: 2 frames of [4.00, 6.00) s at 1 fps. Frames left: 62. Turns "
        "left: 4.\n<frame0_time4.00s>[]<frame1_time5.00s>[]\n</tool_response>"
    )
    assert [image[0, 0, 0] for image in images_of([response])] == [0, 3]


def test_a_refused_zoom_comes_back_with_the_reason_and_no_picture() -> None:
    episode = advance(new_episode(max_turns=2), BAD)
    [_, response] = new_messages(seen(episode))
    assert text_of(response) == f"<tool_response>\n{episode.feedback}\n</tool_response>"
    assert text_of(response).endswith(
        "Turns left: 1. This is the last turn: only an answer counts.\n</tool_response>"
    )
    assert images_of([response]) == []


def test_the_only_turn_is_said_to_be_the_last() -> None:
    [_, user] = to_messages(seen(new_episode(max_turns=1)))
    assert text_of(user).endswith("D. a man\nThis is the last turn: only an answer counts.")


def test_a_model_learns_the_only_turn_from_what_it_will_read() -> None:
    before = to_messages(seen(new_episode(max_turns=1)))
    after = to_messages(seen(advance(new_episode(max_turns=1), '{"answer": "B"}')))
    assert plain(after[:-1]) == plain(before)


def test_the_clip_of_every_zoom_stands_in_its_own_turn() -> None:
    episode = new_episode()
    for reply in (BAD, FULL_ZOOM, "hello", '{"segment": [8, 9], "fps": 3}'):
        episode = advance(episode, reply)
    responses = to_messages(seen(episode))[3::2]
    assert [len(images_of([response])) for response in responses] == [0, 2, 0, 3]
    assert "<frame2_time8.67s>" in text_of(responses[3])


@pytest.mark.parametrize("last", ['{"answer": "B"}', "hello"])
def test_messages_of_a_turn_extend_those_of_the_turn_before(last: str) -> None:
    episode, before = new_episode(), to_messages(seen(new_episode()))
    for reply in (BAD, FULL_ZOOM, "hello", FULL_ZOOM, last):
        episode = advance(episode, reply)
        after, new = to_messages(seen(episode)), new_messages(seen(episode))
        assert plain(after) == plain(before) + plain(new)
        before = after
    assert episode.is_over
    assert before[-1]["role"] == "assistant"  # nobody reads a response to the last reply


def plain(messages: list[Message]) -> list[object]:
    """Returns messages with pictures as bytes, so that they compare."""
    return [
        [m["role"], [p["text"] if "text" in p else p["image"].tobytes() for p in m["content"]]]
        for m in messages
    ]


def test_lone_surrogates_become_question_marks() -> None:
    task = VideoQuestion("q", "v", "What \ud800?", "yes")
    episode = advance(new_episode(task), "\udfff")
    [_, user, reply, _] = to_messages(seen(episode))
    assert text_of(user).endswith("\nWhat ??")
    assert text_of(reply) == "?"
    assert TASK.question in text_of(to_messages(seen(new_episode()))[1])
