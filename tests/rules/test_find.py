"""The tool `find`: how a search is asked for, what it tells, and what the rules refuse."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import TASK, new_episode
from zoomgym.errors import ReplyError
from zoomgym.rules.actions import CropCall, FindCall, ZoomCall
from zoomgym.rules.episode import Episode, advance, error_kind
from zoomgym.rules.grammar import lesson, read_reply, write_reply
from zoomgym.rules.rewards import merge_weights, score
from zoomgym.rules.search import MOST_FOUND, MOST_SEARCHED, Found, best_matches, search_times
from zoomgym.rules.settings import Rules
from zoomgym.testing import nasty_replies

BOTH = ("zoom", "find")
ASK = '{"find": "a red car", "segment": [0, 600]}'
RIGHT = '{"answer": "B"}'
FURTHER = merge_weights({"repeat_cost": 0, "tool_cost": 0})


def found(call: FindCall) -> Found:
    """Finds two moments of the stretch; nothing of a cat."""
    length_s = call.end_s - call.start_s
    times_s = (call.start_s + length_s / 2, call.start_s + length_s / 4)
    return Found(() if call.text == "a cat" else times_s, 240)


def play(*replies: str, tools: tuple[str, ...] = BOTH, **rules: object) -> Episode:
    finder = {"finder": "m:score"} if "find" in tools else {}
    episode = new_episode(TASK, tools=tools, **finder, **rules)
    for reply in replies:
        episode = advance(episode, reply, find=found)
    return episode


def test_a_search_tells_times_and_costs_a_turn_but_no_frame() -> None:
    episode = play(ASK)
    [turn] = episode.turns
    assert (turn.find, turn.error) == (FindCall("a red car", 0.0, 60.0), "")
    assert (turn.call, turn.tool, turn.shown) == (turn.find, "find", None)
    assert (turn.found_s, turn.frames_scanned) == ((30.0, 15.0), 240)
    assert turn.feedback == (
        "Found in [0.00, 60.00) s, the best match first: 30.00, 15.00 s. "
        "Frames left: 64. Turns left: 4."
    )
    assert (episode.frames_used, episode.clip_s, episode.turns_left) == (64, (), 4)


def test_a_search_without_a_match_delivers_nothing() -> None:
    episode = play('{"find": "a cat", "segment": [0, 10]}', RIGHT)
    assert episode.turns[0].feedback == (
        "Nothing in [0.00, 10.00) s matches. Frames left: 64. Turns left: 4."
    )
    assert score(episode).tool == 0.0
    assert score(play(ASK, RIGHT)).tool == 1.0
    assert score(play(ASK, '{"answer": "A"}')).tool == 0.0


def test_the_same_search_finds_the_same_and_looks_at_nothing_again() -> None:
    episode = play(ASK, ASK, '{"find": "a red car", "segment": [0, 60]}')
    first, *others = episode.turns
    for turn in others:
        assert (turn.find, turn.found_s, turn.frames_scanned) == (first.find, first.found_s, 0)
    assert episode.all_scanned == 240
    assert play(ASK, '{"find": "a red bus", "segment": [0, 600]}').all_scanned == 480


@pytest.mark.parametrize(
    ("reply", "kind", "error"),
    [
        ('{"find": "", "segment": [0, 9]}', "impossible", "find needs a text on one line, got ''"),
        ('{"find": " \\n", "segment": [0, 9]}', "impossible", "find needs a text on one line"),
        ('{"find": "a\\nb", "segment": [0, 9]}', "impossible", "on one line, got 'a\\nb': name"),
        ('{"find": "\\ud800", "segment": [0, 9]}', "impossible", "on one line, got '\\ud800'"),
        ('{"find": "%s", "segment": [0, 9]}' % ("x" * 301), "impossible", "characters, got 301"),
        ('{"find": "x", "segment": [9, 9]}', "impossible", "needs 0 <= start < end, got [9, 9]"),
        ('{"find": "x", "segment": [-1, 9]}', "impossible", "find needs 0 <= start < end, got"),
        ('{"find": "x", "segment": [0, 1e999]}', "impossible", "find needs finite numbers, got"),
        ('{"find": "x", "segment": [0, %s]}' % ("9" * 400), "impossible", "finite numbers"),
        ('{"find": "x", "segment": [60, 70]}', "refused", "find needs start < 60.00, the end of"),
        ('{"find": 5, "segment": [0, 9]}', "unreadable", 'like {"find": "a red car", "segment": '),
        ('{"find": ["x"], "segment": [0, 9]}', "unreadable", "got a list of 1"),
        ('{"find": "x"}', "unreadable", "got no segment"),
        ('{"find": "x", "segment": 9}', "unreadable", "find needs [start, end] in seconds, like"),
        ('{"find": "x", "segment": [0, 1, 2]}', "unreadable", "got a list of 3"),
        ('{"find": "x", "segment": ["0", 9]}', "unreadable", "find needs JSON numbers, got '0'"),
        ('{"find": "x", "segment": [0, 9], "fps": 1}', "unreadable", "one call or an answer"),
        ('{"find": "x", "segment": [0, 9], "answer": "B"}', "unreadable", "one call or an answer"),
        ('{"find": "x", "segment": [0, 9], "at": 1, "crop": 5}', "unreadable", "one call or an"),
        (f"{ASK}{ASK}", "unreadable", "needs exactly one JSON object"),
    ],
)  # fmt: skip
def test_a_search_that_cannot_be_done_costs_a_turn(reply: str, kind: str, error: str) -> None:
    episode = play(reply)
    [turn] = episode.turns
    assert error_kind(turn, "json", BOTH) == kind
    assert error in turn.error
    assert (turn.find, turn.found_s, episode.turns_left) == (None, (), 4)
    assert score(play(reply, RIGHT)).format == 0.0


def test_a_search_is_not_done_where_it_is_not_offered_or_in_the_last_turn() -> None:
    assert play(ASK, tools=("zoom",)).turns[0].error.startswith("zoom needs the keys of")
    refused = play(ASK, tools=("zoom", "crop")).turns[0]
    assert refused.error == "find is not offered: use zoom or crop, or answer"
    assert play(ASK, tools=("find",)).turns[0].find
    last = play(ASK, max_turns=1).turns[0]
    assert last.error == "the last turn needs an answer, got a find: it was not executed"


def test_a_zoom_is_still_a_zoom_beside_a_search() -> None:
    assert play('{"segment": [4, 6], "fps": 2}').turns[0].zoom == ZoomCall(4, 6, 2)
    assert "zoom needs the keys of" in play('{"segment": [4, 6]}').turns[0].error


def test_the_lesson_teaches_a_search() -> None:
    assert lesson("json", ("find",)) == (
        "Reply with exactly one JSON object and nothing else: either a find call, which tells you "
        "the times in [start, end) in seconds at which the video looks most like a text, the best "
        f'match first,\n{ASK}\nor your answer,\n{{"answer": "B"}}'
    )


@pytest.mark.parametrize("call", [FindCall("a red car", 0.0, 600.0), FindCall('"ü"}', 1.5, 2)])
def test_a_search_is_written_as_it_is_read(call: FindCall) -> None:
    reading = read_reply(write_reply(call, "json"), "json", BOTH)
    assert (reading.action, reading.is_well_formed) == (call, True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tools": BOTH}, "the tool find needs a finder, got none: give finder='module:function'"),
        ({"finder": "m:f"}, r"finder needs the tool find, got tools \['zoom'\]: add it, or leave"),
        ({"tools": BOTH, "finder": " "}, "finder needs a name on one line, got ' '"),
        ({"tools": BOTH, "finder": "m:\nf"}, "finder needs a name on one line"),
        ({"tools": BOTH, "finder": 5}, "finder needs a name on one line, got 5"),
        ({"tools": BOTH, "finder": "m" * 1001}, "finder needs a name of at most 1000 characters"),
        ({"tools": BOTH, "finder": "m:f", "grammar": "video_zoom"}, "knows no tool but zoom"),
    ],
)
def test_a_search_needs_one_who_searches(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rules(**given)  # type: ignore[arg-type]


def test_the_finder_is_one_of_the_rules_where_it_is_set() -> None:
    rules = Rules(tools=("find", "zoom"), finder="m:f")
    assert rules.by_name()["finder"] == "m:f"
    assert Rules(**rules.by_name()) == rules != Rules(tools=BOTH, finder="m:g")
    assert "finder" not in Rules().by_name()


@pytest.mark.parametrize(
    ("replies", "repeats"),
    [
        ([ASK, ASK], 1),
        ([ASK, '{"find": "a bus", "segment": [0, 60]}'], 1),  # the same moments
        ([ASK, '{"find": "a bus", "segment": [0, 50]}'], 0),
        (['{"find": "a cat", "segment": [0, 60]}'], 1),  # nothing is found
        ([ASK, '{"segment": [30, 31], "fps": 1}'], 0),  # the frame is shown now
        (['{"segment": [30, 31], "fps": 1}', ASK], 0),  # which frame matches is new
    ],
)
def test_a_search_that_tells_no_new_moment_is_a_repeat(replies: list[str], repeats: int) -> None:
    parts = score(play(*replies, RIGHT), FURTHER)
    assert (parts.repeat_cost, parts.tool_cost) == (repeats, len(replies))


# Where a search looks, and what it takes ---------------------------------------------------------


@pytest.mark.parametrize(
    ("segment", "num_frames"),
    [((0, 600), MOST_SEARCHED), ((10, 12), 8), ((10, 10.3), 1), ((0, 0.01), 1), ((5, 69), 256)],
)
def test_a_search_looks_at_evenly_spread_frames(
    segment: tuple[float, float], num_frames: int
) -> None:
    start_s, end_s = segment
    times_s = search_times(FindCall("x", start_s, end_s))
    assert len(times_s) == num_frames
    step_s = (end_s - start_s) / num_frames
    expected = [start_s + k * step_s for k in range(num_frames)]
    assert times_s == pytest.approx(expected, abs=1e-9)  # sums are rounded in another order


@given(st.floats(0, 1e6), st.floats(1e-9, 1e6))
def test_a_search_looks_inside_its_stretch(start_s: float, length_s: float) -> None:
    if start_s < (end_s := start_s + length_s):
        times_s = search_times(FindCall("x", start_s, end_s))
        assert 1 <= len(times_s) <= MOST_SEARCHED
        assert all(start_s <= time_s < end_s for time_s in times_s)


INF = float("inf")


@pytest.mark.parametrize(
    ("scores", "places"),
    [
        ([1, 5, 1, 7, 1], [3, 1]),
        ([9, 1, 1, 1, 8], [0, 4]),
        ([1, 5, 5, 5, 1], [2]),  # one match, told by its middle
        ([0, 1, 1, 0, 1], [1, 4]),  # equal ones by time
        ([1, 2, 3, 4, 5], [4]),
        ([3, 3, 3, 3, 3], [2]),
        ([-INF, -INF, -INF, -INF, -INF], []),
        ([-INF, -4, -INF, -3, -3], [3, 1]),
        ([7], [0]),
        ([-INF], []),
    ],
)
def test_the_highest_peaks_match_best(scores: Sequence[float], places: list[int]) -> None:
    times_s = [10.0 + place for place in range(len(scores))]
    matches = best_matches(FindCall("x", 10, 42), times_s, np.array(scores))
    assert matches == tuple(times_s[place] for place in places)


@pytest.mark.parametrize(
    ("end_s", "places"), [(42, [3, 5, 1]), (74, [3, 5, 1]), (75, [3]), (106, [3])]
)
def test_an_event_is_told_once_in_a_long_stretch(end_s: float, places: list[int]) -> None:
    times_s = [10.0 + place for place in range(7)]
    scores = np.array([0, 4, 1, 9, 8, 8.5, 0])
    matches = best_matches(FindCall("x", 10, end_s), times_s, scores)
    assert matches == tuple(times_s[place] for place in places)


@given(st.lists(st.sampled_from([-INF, -1.0, 0.0, 0.5, 2.0]), min_size=1, max_size=300))
def test_any_scores_give_a_few_of_the_best_moments(scores: list[float]) -> None:
    times_s = [float(place) for place in range(len(scores))]
    matches = best_matches(FindCall("x", 0, len(scores)), times_s, np.array(scores))
    levels = [scores[int(time_s)] for time_s in matches]
    assert len(matches) <= MOST_FOUND
    gaps_s = np.diff(np.sort(matches))
    assert not len(gaps_s) or gaps_s.min() >= len(scores) / 32
    assert levels == sorted(levels, reverse=True)
    assert bool(matches) == (max(scores) > -INF)
    assert levels[:1] == [max(scores)] * bool(matches)


def test_ten_thousand_hostile_replies_cost_a_turn_each_and_keep_the_rules() -> None:
    rng = random.Random(3)
    tools = ("zoom", "crop", "transcript", "find")
    parts = [
        "{", "}", "[", "]", '"', ":", ",", "\n", " ", '"find"', '"segment"', '"fps"', '"crop"',
        '"answer"', ASK, RIGHT, "<think>", "</think>", "NaN", "1e999", "-1", "0", "12.5", "60",
        "true", "null", '"a"', "\ud800", "9" * 400,
    ]  # fmt: skip
    texts = ["".join(rng.choices(parts, k=rng.randint(0, 12))) for _ in range(5_000)]
    values = [
        "-1", "-0", "0", "0.25", "59.9", "60", "1e999", "NaN", "null", '"1"', '"a car"', '""',
        '"\\ud800"', '"a\\u0000b"', '"%s"' % ("x" * 400), "[0, 9]", "[9, 0]", "[0, 600]", "{}",
    ]  # fmt: skip
    for _ in range(5_000):
        extra = rng.choice(["", ', "fps": 1', ', "at": 1', ', "why": "so"'])
        texts.append(f'{{"find": {rng.choice(values)}, "segment": {rng.choice(values)}{extra}}}')
    num_found = 0
    for reply in [*texts, *nasty_replies(20_000).values()]:
        after = play(reply, tools=tools)
        [turn] = after.turns
        num_found += turn.find is not None
        assert after.frames_used == 64 + sum(call.num_frames for call in after.shown)
        assert bool(turn.error) == (after.answer is None and not turn.call)
        if find := turn.find:
            assert 0 <= find.start_s < find.end_s <= after.duration_s
            assert 0 < len(find.text) <= 300
            find.text.encode()  # a scorer can read it
        try:
            action = read_reply(turn.reply, "json", tools).action
        except ReplyError:
            assert turn.error
        else:
            assert read_reply(write_reply(action, "json"), "json", tools).action == action
    assert num_found > 100


def test_every_call_names_its_tool() -> None:
    tools = ("zoom", "crop", "transcript", "find")
    replies = [
        '{"segment": [4, 6], "fps": 2}', '{"crop": [0, 0, 1, 1], "at": 1}',
        '{"transcript": [0, 9]}', ASK,
    ]  # fmt: skip
    episode = play(*replies, tools=tools)
    assert [turn.tool for turn in episode.turns] == list(tools)
    assert episode.turns[1].call == CropCall(0, 0, 1, 1, 1)
    assert play("what?").turns[0].tool == play(RIGHT).turns[0].tool == ""
