"""The tool `transcript`: what is offered, how it is asked for, and what it tells."""

import json
import random
from dataclasses import replace

import pytest

from tests.conftest import TASK, new_episode
from zoomgym.errors import ReplyError
from zoomgym.rules.actions import Answer, TranscriptCall, ZoomCall
from zoomgym.rules.episode import Episode, Turn, advance, error_kind
from zoomgym.rules.grammar import lesson, read_reply, write_reply
from zoomgym.rules.rewards import merge_weights, score
from zoomgym.rules.settings import Rules
from zoomgym.rules.transcript import MOST_TRANSCRIPT_CHARS, Cue, told
from zoomgym.testing import nasty_replies

BOTH = ("zoom", "transcript")
CUES = (Cue(10.0, 12.0, "hello"), Cue(12.0, 15.5, "who is there?"), Cue(40.0, 41.0, "nobody"))
ASK = '{"transcript": [10, 30]}'
RIGHT = '{"answer": "B"}'


def play(*replies: str, tools: tuple[str, ...] = BOTH) -> Episode:
    episode = new_episode(TASK, tools=tools)
    for reply in replies:
        episode = advance(episode, reply, tell=lambda call: told(CUES, call))
    return episode


def test_a_call_is_told_what_is_said_and_costs_a_turn_but_no_frame() -> None:
    episode = play(ASK)
    [turn] = episode.turns
    assert (turn.transcript, turn.zoom, turn.error) == (TranscriptCall(10, 30), None, "")
    assert turn.told == "[10.0, 12.0] hello\n[12.0, 15.5] who is there?"
    assert episode.feedback == (
        "Said in [10.00, 30.00) s:\n[10.0, 12.0] hello\n[12.0, 15.5] who is there?\n"
        "Frames left: 64. Turns left: 4."
    )
    assert (episode.frames_used, episode.turns_left) == (64, 4)


def test_a_call_where_nothing_is_said_delivers_nothing() -> None:
    episode = play('{"transcript": [20, 90]}')
    assert episode.feedback == (
        "Said in [20.00, 60.00) s:\n[40.0, 41.0] nobody\nFrames left: 64. Turns left: 4."
    )
    episode = play('{"transcript": [20, 40]}', RIGHT)
    assert episode.turns[0].feedback == (
        "Nothing is said in [20.00, 40.00) s. Frames left: 64. Turns left: 4."
    )
    assert score(episode).tool == 0.0
    assert score(play(ASK, RIGHT)).tool == 1.0
    assert score(play(ASK, '{"answer": "A"}')).tool == 0.0


@pytest.mark.parametrize(
    ("reply", "kind", "error"),
    [
        ('{"transcript": [30, 10]}', "impossible", "transcript needs 0 <= start < end, got"),
        ('{"transcript": [-1, 10]}', "impossible", "transcript needs 0 <= start < end, got"),
        ('{"transcript": [1, 1e999]}', "impossible", "transcript needs finite numbers, got"),
        ('{"transcript": [1, %s]}' % ("9" * 400), "impossible", "transcript needs finite numbers"),
        ('{"transcript": [60, 70]}', "refused", "transcript needs start < 60.00, the end of the"),
        ('{"transcript": 5}', "unreadable", r'like {"transcript": \[10, 60\]}, got 5'),
        ('{"transcript": [1, 2, 3]}', "unreadable", "got a list of 3"),
        ('{"transcript": ["1", 2]}', "unreadable", "transcript needs JSON numbers, got '1'"),
        ('{"transcript": [true, 2]}', "unreadable", "transcript needs JSON numbers, got True"),
        (
            '{"transcript": [1, 2], "answer": "B"}',
            "unreadable",
            "needs either one call or an answer",
        ),
        ('{"transcript": [1, 2], "segment": [1, 2], "fps": 1}', "unreadable", "either one call or"),
        (f"{ASK} {ASK}", "unreadable", "needs exactly one JSON object"),
        ('{"listen": [1, 2]}', "unreadable", "either one call or an answer"),
    ],
)
def test_a_call_that_cannot_be_executed_costs_a_turn(reply: str, kind: str, error: str) -> None:
    episode = play(reply)
    [turn] = episode.turns
    assert error_kind(turn, "json", BOTH) == kind
    with pytest.raises(AssertionError, match=error):
        raise AssertionError(turn.error)
    assert (turn.transcript, turn.told, episode.turns_left) == (None, "", 4)
    assert score(play(reply, RIGHT)).format == 0.0


def test_only_what_is_offered_is_executed() -> None:
    episode = play('{"segment": [4, 6], "fps": 1}', tools=("transcript",))
    assert episode.turns[0].error == "zoom is not offered: use transcript, or answer"
    assert error_kind(episode.turns[0], "json", ("transcript",)) == "refused"
    assert play(ASK, tools=("transcript",)).turns[0].transcript == TranscriptCall(10, 30)


def test_where_only_zoom_is_offered_everything_is_as_it_was() -> None:
    episode = play(ASK, tools=("zoom",))
    assert episode.turns[0].error.startswith("reply needs either a zoom or an answer, ")
    both = '{"transcript": [1, 2], "answer": "B"}'  # an unknown key beside an answer
    assert play(both, tools=("zoom",)).answer == "B"
    assert Rules() == Rules(tools=("zoom",))
    assert "tools" not in Rules().by_name()
    assert lesson("json") == lesson("json", ("zoom",))
    assert "transcript" not in lesson("json")


def test_in_the_last_turn_nothing_is_told() -> None:
    episode = play(*[ASK] * 5)
    assert episode.turns[4].error == (
        "the last turn needs an answer, got a transcript: it was not executed"
    )
    assert (episode.end_reason, len([turn for turn in episode.turns if turn.told])) == (
        "out_of_turns", 4,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tools", "message"),
    [
        (
            (),
            r"tools needs one or more of \['zoom', .*, 'find'\], each once, got \(\)",
        ),
        (("zoom", "zoom"), "tools needs one or more of"),
        (("ears",), "tools needs one or more of"),
        ("ears", "tools needs one or more of"),
        (5, "tools needs one or more of"),
    ],
)
def test_unknown_tools_are_refused(tools: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rules(tools=tools)  # type: ignore[arg-type]


def test_tools_end_in_one_order_and_need_a_grammar_with_words_for_them() -> None:
    assert Rules(tools=("transcript", "zoom")) == Rules(tools=BOTH)
    assert Rules(tools=BOTH).by_name()["tools"] == ["zoom", "transcript"]
    with pytest.raises(ValueError, match="grammar video_zoom knows no tool but zoom, got tools"):
        Rules(grammar="video_zoom", tools=BOTH)


def test_a_lesson_teaches_what_is_offered() -> None:
    taught = lesson("json", BOTH)
    assert taught == (
        "Reply with exactly one JSON object and nothing else: either a zoom call, which shows you "
        "the frames of [start, end) in seconds at fps frames per second,\n"
        '{"segment": [12.5, 15.0], "fps": 2}\n'
        "or a transcript call, which tells you what is said in [start, end) in seconds,\n"
        '{"transcript": [10, 60]}\n'
        'or your answer,\n{"answer": "B"}'
    )
    assert "zoom" not in lesson("json", ("transcript",))


@pytest.mark.parametrize(
    "action", [TranscriptCall(1.5, 2.25), ZoomCall(1.0, 2.0, 3.0), Answer("B")]
)
def test_every_action_is_written_as_it_is_read(action: TranscriptCall | ZoomCall | Answer) -> None:
    reading = read_reply(write_reply(action, "json"), "json", BOTH)
    assert (reading.action, reading.is_well_formed) == (action, True)


def test_lines_beyond_the_bound_are_counted() -> None:
    cues = [Cue(float(k), k + 1.0, "x" * 90) for k in range(100)]
    text = told(cues, TranscriptCall(0, 1000))
    assert len(text) <= MOST_TRANSCRIPT_CHARS
    *lines, last = text.splitlines()
    assert lines == [str(cue) for cue in cues[: len(lines)]]
    assert last == f"({100 - len(lines)} more lines: ask for a shorter stretch)"
    assert told(cues[:3], TranscriptCall(1, 2)) == str(cues[1])
    assert told(cues[2::-1], TranscriptCall(0, 9)).splitlines() == [str(cue) for cue in cues[:3]]


def test_one_long_line_is_cut() -> None:
    text = told([Cue(0.0, 1.0, "x" * 5000), Cue(1.0, 2.0, "y")], TranscriptCall(0, 9))
    first, last = text.splitlines()
    assert (first[:12], first[-3:], last[:12]) == ("[0.0, 1.0] x", "x..", "(1 more line")
    assert len(text) <= MOST_TRANSCRIPT_CHARS


def test_any_lines_stay_within_the_bound() -> None:
    rng = random.Random(0)
    for _ in range(2000):
        cues = [
            Cue(
                start := rng.uniform(0, 60), start + rng.uniform(0.1, 9), "w" * rng.randint(1, 3000)
            )
            for _ in range(rng.randint(0, 30))
        ]
        text = told(cues, TranscriptCall(0, 60))
        assert len(text) <= MOST_TRANSCRIPT_CHARS
        assert bool(text) == bool(cues)


FURTHER = merge_weights({"repeat_cost": 0, "tool_cost": 0})


@pytest.mark.parametrize(
    ("replies", "repeats", "calls"),
    [
        ([ASK], 0, 1),
        ([ASK, ASK], 1, 2),
        ([ASK, '{"transcript": [11, 14]}'], 1, 2),
        ([ASK, '{"transcript": [10, 50]}'], 0, 2),
        (['{"transcript": [20, 30]}'], 1, 1),  # nothing is said there
        ([ASK, '{"segment": [4, 6], "fps": 4}'], 0, 2),
        (["what?"], 0, 0),
    ],
)
def test_calls_are_counted_and_those_that_deliver_nothing_new(
    replies: list[str], repeats: int, calls: int
) -> None:
    parts = score(play(*replies, RIGHT), FURTHER)
    assert (parts.repeat_cost, parts.tool_cost) == (repeats, calls)


def test_ten_thousand_hostile_replies_cost_a_turn_each_and_keep_the_rules() -> None:
    rng = random.Random(1)
    parts = [
        "{", "}", "[", "]", '"', ":", ",", "\\", "\n", " ", '"transcript"', '"segment"', '"fps"',
        '"answer"', '"evidence"', ASK, RIGHT, "<think>", "</think>", "```", "NaN", "1e999", "-1",
        "0", "12.5", "60", "true", "null", "\ud800", "9" * 400,
    ]  # fmt: skip
    texts = ["".join(rng.choices(parts, k=rng.randint(0, 12))) for _ in range(10_000)]
    num_read = 0
    for reply in [*texts, *nasty_replies(20_000).values()]:
        episode = new_episode(TASK, tools=BOTH)
        after = advance(episode, reply, tell=lambda call: told(CUES, call))
        [turn] = after.turns
        num_read += not turn.error
        assert isinstance(turn, Turn)
        assert (after.frames_used, len(turn.told) <= MOST_TRANSCRIPT_CHARS) == (
            64 + (turn.zoom.num_frames if turn.zoom else 0), True,
        )  # fmt: skip
        try:
            action = read_reply(turn.reply, "json", BOTH).action
        except ReplyError:
            assert turn.error
        else:
            assert read_reply(write_reply(action, "json"), "json", BOTH).action == action
    assert num_read > 100


def test_rules_of_other_tools_make_other_episodes() -> None:
    assert replace(Rules(), tools=BOTH) != Rules()
    assert json.loads(json.dumps(Rules(tools=BOTH).by_name()))["tools"] == list(BOTH)
