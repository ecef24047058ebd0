"""The tool `crop`: how it is asked for, what it costs, and what the rules refuse."""

import random

import pytest

from tests.conftest import TASK, new_episode
from zoomgym.errors import ReplyError
from zoomgym.rules.actions import CropCall
from zoomgym.rules.episode import Episode, advance, error_kind
from zoomgym.rules.grammar import lesson, read_reply, write_reply
from zoomgym.rules.rewards import merge_weights, score
from zoomgym.rules.settings import Rules
from zoomgym.testing import nasty_replies

BOTH = ("zoom", "crop")
LOOK = '{"crop": [0.1, 0.2, 0.5, 0.6], "at": 12.5}'
RIGHT = '{"answer": "B"}'
FURTHER = merge_weights({"repeat_cost": 0, "tool_cost": 0})


def play(*replies: str, tools: tuple[str, ...] = BOTH, **rules: object) -> Episode:
    episode = new_episode(TASK, tools=tools, **rules)
    for reply in replies:
        episode = advance(episode, reply)
    return episode


def test_a_crop_shows_a_part_of_one_frame_and_costs_a_turn_and_a_frame() -> None:
    episode = play(LOOK)
    [turn] = episode.turns
    assert (turn.crop, turn.zoom, turn.error) == (CropCall(0.1, 0.2, 0.5, 0.6, 12.5), None, "")
    assert turn.feedback == (
        "Crop 1: left 0.1, top 0.2, right 0.5, bottom 0.6 of the frame at 12.50 s. "
        "Frames left: 63. Turns left: 4."
    )
    assert (episode.clip_s, episode.frames_used, episode.zooms) == ((12.5,), 65, ())


def test_clips_are_counted_whatever_has_shown_them() -> None:
    episode = play('{"segment": [4, 6], "fps": 1}', LOOK, '{"segment": [0, 1], "fps": 2}')
    assert [turn.feedback.split(":")[0] for turn in episode.turns] == ["Zoom 1", "Crop 2", "Zoom 3"]
    assert episode.clip_s == (4.0, 5.0, 12.5, 0.0, 0.5)
    assert [call.num_frames for call in episode.shown] == [2, 1, 2]


@pytest.mark.parametrize(
    ("reply", "kind", "error"),
    [
        ('{"crop": [0.5, 0, 0.5, 1], "at": 1}', "impossible", "crop needs 0 <= left < right <= 1"),
        ('{"crop": [0, 0.6, 1, 0.5], "at": 1}', "impossible", "got [0, 0.6, 1, 0.5]: send left"),
        ('{"crop": [-0.1, 0, 1, 1], "at": 1}', "impossible", "got [-0.1, 0, 1, 1]"),
        ('{"crop": [0, 0, 1, 1.1], "at": 1}', "impossible", "got [0, 0, 1, 1.1]"),
        ('{"crop": [10, 20, 300, 400], "at": 1}', "impossible", "as shares of the picture"),
        ('{"crop": [0, 0, 1, 1], "at": -1}', "impossible", "crop needs at >= 0, got -1"),
        ('{"crop": [0, 0, 1, 1e999], "at": 1}', "impossible", "crop needs finite numbers"),
        ('{"crop": [0, 0, 1, 1], "at": %s}' % ("9" * 400), "impossible", "finite numbers"),
        ('{"crop": [0, 0, 1, 1], "at": 60}', "refused", "crop needs at < 60.00, the end of the"),
        ('{"crop": [0, 0, 1, 1]}', "unreadable", "got a list of 4 without at"),
        ('{"crop": [0, 0, 1], "at": 1}', "unreadable", "crop needs [left, top, right, bottom] and"),
        ('{"crop": "all", "at": 1}', "unreadable", "got 'all'"),
        ('{"crop": [0, 0, true, 1], "at": 1}', "unreadable", "crop needs JSON numbers, got True"),
        ('{"crop": [0, 0, 1, 1], "at": "1"}', "unreadable", "crop needs JSON numbers, got '1'"),
        ('{"crop": [0, 0, 1, 1], "at": 1, "answer": "B"}', "unreadable", "one call or an answer"),
        (f"{LOOK}{LOOK}", "unreadable", "needs exactly one JSON object"),
    ],
)
def test_a_crop_that_cannot_be_shown_costs_a_turn(reply: str, kind: str, error: str) -> None:
    episode = play(reply)
    [turn] = episode.turns
    assert error_kind(turn, "json", BOTH) == kind
    assert error in turn.error
    assert (turn.crop, episode.frames_used, episode.turns_left) == (None, 64, 4)
    assert score(play(reply, RIGHT)).format == 0.0


def test_without_a_frame_left_no_crop_is_shown() -> None:
    episode = play(LOOK, LOOK, frame_budget=65)
    assert episode.turns[1].error == "crop needs 1 frame, and none is left: answer now"
    assert (error_kind(episode.turns[1], "json", BOTH), episode.frames_used) == ("refused", 65)


def test_a_crop_is_not_executed_where_it_is_not_offered_or_in_the_last_turn() -> None:
    assert play(LOOK, tools=("zoom",)).turns[0].error.startswith("reply needs either a zoom or an ")
    refused = play(LOOK, tools=("zoom", "transcript")).turns[0]
    assert refused.error == "crop is not offered: use zoom or transcript, or answer"
    assert play(LOOK, tools=("crop",)).turns[0].crop
    last = play(LOOK, max_turns=1).turns[0]
    assert last.error == "the last turn needs an answer, got a crop: it was not executed"


def test_the_lesson_teaches_a_crop() -> None:
    assert lesson("json", ("crop",)) == (
        "Reply with exactly one JSON object and nothing else: either a crop call, which shows you "
        "a part of the frame at a time in more detail, with its left, top, right and bottom edges "
        "as shares of the picture from 0 to 1,\n"
        f'{LOOK}\nor your answer,\n{{"answer": "B"}}'
    )


@pytest.mark.parametrize("call", [CropCall(0.0, 0.0, 1.0, 1.0, 0.0), CropCall(0.125, 0, 1, 0.5, 9)])
def test_a_crop_is_written_as_it_is_read(call: CropCall) -> None:
    reading = read_reply(write_reply(call, "json"), "json", BOTH)
    assert (reading.action, reading.is_well_formed) == (call, True)


def test_tools_have_one_order_and_the_paper_s_grammar_knows_zoom_alone() -> None:
    assert Rules(tools=("transcript", "crop", "zoom")).tools == ("zoom", "crop", "transcript")
    with pytest.raises(ValueError, match="grammar video_zoom knows no tool but zoom"):
        Rules(grammar="video_zoom", tools=BOTH)


def test_a_crop_earns_the_bonus_of_tools_and_finds_evidence() -> None:
    parts = score(play('{"crop": [0, 0, 1, 1], "at": 30.5}', RIGHT))
    assert (parts.tool, parts.grounding, parts.zoom_cost, parts.format) == (1.0, 0.5, 0.0, 1.0)
    assert score(play(LOOK, '{"answer": "A"}')).tool == 0.0


@pytest.mark.parametrize(
    ("replies", "repeats"),
    [
        ([LOOK, LOOK], 1),
        ([LOOK, '{"crop": [0.2, 0.3, 0.4, 0.5], "at": 12.5001}'], 1),
        ([LOOK, '{"crop": [0.2, 0.3, 0.4, 0.5], "at": 12.6}'], 0),
        ([LOOK, '{"crop": [0.05, 0.3, 0.4, 0.5], "at": 12.5}'], 0),
        ([LOOK, '{"crop": [0.2, 0.1, 0.4, 0.5], "at": 12.5}'], 0),
        ([LOOK, '{"crop": [0.2, 0.3, 0.6, 0.5], "at": 12.5}'], 0),
        ([LOOK, '{"crop": [0.2, 0.3, 0.4, 0.7], "at": 12.5}'], 0),
        ([LOOK, '{"segment": [12.5, 13.5], "fps": 1}'], 0),  # shows the whole frame
        (['{"segment": [12.5, 13.5], "fps": 1}', LOOK], 0),  # shows more detail
        (['{"crop": [0, 0, 1, 1], "at": 0}'], 0),  # that of the overview is smaller
    ],
)
def test_a_crop_inside_an_earlier_one_of_the_frame_shows_nothing_new(
    replies: list[str], repeats: int
) -> None:
    parts = score(play(*replies, RIGHT), FURTHER)
    assert (parts.repeat_cost, parts.tool_cost) == (repeats, len(replies))


def test_ten_thousand_hostile_replies_cost_a_turn_each_and_keep_the_rules() -> None:
    rng = random.Random(2)
    parts = [
        "{", "}", "[", "]", '"', ":", ",", "\n", " ", '"crop"', '"at"', '"segment"', '"fps"',
        '"answer"', LOOK, RIGHT, "<think>", "</think>", "NaN", "1e999", "-1", "-0", "0", "0.5", "1",
        "59.99", "60", "true", "null", "\ud800", "9" * 400,
    ]  # fmt: skip
    texts = ["".join(rng.choices(parts, k=rng.randint(0, 12))) for _ in range(5_000)]
    numbers = ["-1", "-0", "0", "0.25", "0.5", "1", "1.5", "60", "1e999", "NaN", "null", '"1"']
    for _ in range(5_000):
        edges = ", ".join(rng.choices(numbers, k=rng.randint(3, 5)))
        texts.append(f'{{"crop": [{edges}], "at": {rng.choice(numbers)}}}')
    num_shown = 0
    for reply in [*texts, *nasty_replies(20_000).values()]:
        after = play(reply)
        [turn] = after.turns
        num_shown += turn.crop is not None
        assert after.frames_used == 64 + sum(call.num_frames for call in after.shown)
        assert bool(turn.error) == (after.answer is None and not turn.shown)
        if crop := turn.crop:
            assert 0 <= crop.left < crop.right <= 1
            assert 0 <= crop.top < crop.bottom <= 1
            assert 0 <= crop.at_s < after.duration_s
        try:
            action = read_reply(turn.reply, "json", BOTH).action
        except ReplyError:
            assert turn.error
        else:
            assert read_reply(write_reply(action, "json"), "json", BOTH).action == action
    assert num_shown > 50
