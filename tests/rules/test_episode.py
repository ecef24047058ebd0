"""The rules of a turn, with exact values."""

import pytest

from tests.conftest import TASK, new_episode
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.episode import Episode, advance, error_kind, start
from zoomgym.rules.grammar import MAX_REPLY_CHARS
from zoomgym.rules.overview import Overview
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.rewards import score
from zoomgym.rules.settings import Rules

FULL_ZOOM = '{"segment": [4, 6], "fps": 8}'
RIGHT = '{"answer": "B"}'
WRONG = '{"answer": "A"}'


def play(episode: Episode, *replies: str) -> Episode:
    for reply in replies:
        episode = advance(episode, reply)
    return episode


def test_an_episode_starts_with_the_overview_paid_for(episode: Episode) -> None:
    assert (episode.frames_used, episode.budget.left, episode.turns_left) == (64, 64, 5)
    assert (episode.overview_s[0], episode.overview_s[-1]) == (0.0, 59.9)
    assert (episode.feedback, episode.is_over, episode.end_reason) == ("", False, "")


def test_four_to_six_at_eight_fps_is_sixteen_frames_and_leaves_48(episode: Episode) -> None:
    episode = play(episode, FULL_ZOOM)
    assert episode.zooms == (ZoomCall(4.0, 6.0, 8.0),)
    assert episode.clip_s == tuple(4 + k / 8 for k in range(16))
    assert episode.budget.left == 48
    assert episode.feedback == (
        "Zoom 1: 16 frames of [4.00, 6.00) s at 8 fps. Frames left: 48. Turns left: 4."
    )


def test_four_full_zooms_use_the_budget_up(episode: Episode) -> None:
    episode = play(episode, *[FULL_ZOOM] * 4)
    assert (episode.budget.left, episode.frames_used, len(episode.clip_s)) == (0, 128, 64)
    assert episode.feedback.endswith(
        "Frames left: 0. Turns left: 1. This is the last turn: only an answer counts."
    )


def test_a_zoom_in_the_last_turn_is_not_executed_and_ends_the_episode(episode: Episode) -> None:
    small = '{"segment": [4, 6], "fps": 1}'
    episode = play(episode, *[small] * 5)
    assert len(episode.zooms) == 4
    assert (episode.frames_used, episode.turns_left) == (72, 0)
    assert (episode.end_reason, episode.answer) == ("out_of_turns", None)
    assert episode.feedback == (
        "the last turn needs an answer, got a zoom: it was not executed. "
        "The episode is over: no turns are left."
    )
    parts = score(episode)
    assert (parts.accuracy, parts.format, parts.tool, parts.zoom_cost) == (0, 0, 0, 4)


@pytest.mark.parametrize(
    ("reply", "feedback"),
    [
        ('{"segment": [0, 1e999], "fps": 1}', "zoom needs finite numbers, got segment [0.0, inf]"),
        ('{"segment": [-1, 2], "fps": 1}', "zoom needs start >= 0, got -1"),
        ('{"segment": [6, 4], "fps": 1}', "zoom needs start < end, got [6, 4]"),
        ('{"segment": [60, 70], "fps": 1}', "zoom needs start < 60.00, the end of the video, got"),
        ('{"segment": [4, 6], "fps": 0}', "zoom needs fps > 0, got 0"),
        ('{"segment": [4, 6], "fps": 0.1}', "zoom needs at least 1 frame, got fps x length"),
        ('{"segment": [4, 6], "fps": 9}', "zoom needs at most 16 frames, got 18"),
        ("zoom!", "reply needs exactly one JSON object"),
    ],
)
def test_a_refused_call_costs_its_turn_and_no_frames(
    episode: Episode, reply: str, feedback: str
) -> None:
    episode = play(episode, reply)
    assert episode.feedback.startswith(feedback)
    assert episode.feedback.endswith(". Frames left: 64. Turns left: 4.")
    assert (episode.frames_used, episode.turns_left, episode.zooms) == (64, 4, ())
    parts = score(play(episode, RIGHT))
    assert (parts.accuracy, parts.format, parts.tool) == (1, 0, 0)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (FULL_ZOOM, ""),
        (f"I say {RIGHT}", ""),
        ("what?", "unreadable"),
        ('{"segment": [4], "fps": 8}', "unreadable"),
        ('{"segment": [6, 4], "fps": 8}', "impossible"),
        ('{"segment": [4, 6], "fps": 1e999}', "impossible"),
        ('{"segment": [4, 6], "fps": 9}', "refused"),
        ('{"segment": [90, 96], "fps": 1}', "refused"),
    ],
)
def test_the_kind_of_an_error_is_told_from_the_reply(
    episode: Episode, reply: str, kind: str
) -> None:
    [turn] = play(episode, reply).turns
    assert bool(turn.error) == bool(kind)
    assert error_kind(turn, "json") == kind


def test_a_zoom_over_what_is_left_is_refused() -> None:
    episode = play(new_episode(frame_budget=74), '{"segment": [4, 6], "fps": 4}')
    assert episode.budget.left == 2
    episode = play(episode, '{"segment": [4, 6], "fps": 2}')
    assert episode.feedback.startswith(
        "zoom needs at most 2 frames, all that are left, got 4: shorten it or lower fps."
    )


def test_an_end_beyond_the_video_is_cut_said_and_still_well_formed(episode: Episode) -> None:
    episode = play(episode, '{"segment": [50, 70], "fps": 1}')
    assert episode.zooms == (ZoomCall(50.0, 60.0, 1.0),)
    assert episode.budget.left == 54
    assert "The end was cut from 70.00 to 60.00, the video's end." in episode.feedback
    parts = score(play(episode, RIGHT))
    assert (parts.accuracy, parts.format, parts.tool) == (1, 1, 1)


def test_the_number_of_frames_is_that_of_the_cut_segment(episode: Episode) -> None:
    episode = play(episode, '{"segment": [59, 1000], "fps": 16}')
    assert episode.frames_used == 80


def test_a_right_answer_without_a_zoom_earns_no_tool_term(episode: Episode) -> None:
    parts = score(play(episode, RIGHT))
    assert (parts.accuracy, parts.format, parts.tool) == (1, 1, 0)


def test_a_wrong_answer_after_a_zoom_earns_format_alone(episode: Episode) -> None:
    parts = score(play(episode, FULL_ZOOM, WRONG))
    assert (parts.accuracy, parts.format, parts.tool, parts.grounding) == (0, 1, 0, 0)


def test_grounding_is_the_share_of_evidence_seen_if_the_answer_is_right(episode: Episode) -> None:
    assert score(play(episode, FULL_ZOOM, RIGHT)).grounding == 0.5
    both = play(episode, FULL_ZOOM, '{"segment": [30, 31], "fps": 1}', RIGHT)
    assert score(both).grounding == 1.0
    assert score(both).zoom_cost == 2


def test_the_reasoning_around_an_answer_is_not_graded() -> None:
    episode = play(
        new_episode(grammar="video_zoom"), "<think>The answer is B.</think><answer>A</answer>"
    )
    assert score(episode).accuracy == 0


def test_an_answer_ends_the_episode_and_a_further_reply_is_an_error(episode: Episode) -> None:
    episode = play(episode, RIGHT)
    assert (episode.end_reason, episode.turns_left, episode.feedback) == ("answered", 0, "")
    with pytest.raises(ValueError, match=r"episode is over .answered.: reset"):
        advance(episode, RIGHT)


def test_nothing_is_scored_before_the_end(episode: Episode) -> None:
    assert score(play(episode, FULL_ZOOM)) == type(score(episode))()


def test_the_only_turn_is_announced_as_the_last() -> None:
    episode = new_episode(max_turns=1)
    assert episode.feedback == "This is the last turn: only an answer counts."
    assert score(play(episode, RIGHT)).accuracy == 1


def test_an_open_question_is_graded_by_its_text() -> None:
    task = VideoQuestion(id="q", video="a.mp4", question="How many?", answer="12")
    assert score(play(new_episode(task), '{"answer": "12.0"}')).accuracy == 1
    assert score(play(new_episode(task), '{"answer": "13"}')).accuracy == 0


def test_of_an_endless_reply_so_much_is_kept_as_shows_that_it_is_too_long(
    episode: Episode,
) -> None:
    after = advance(episode, "\U0001f600" * 1_000_000)
    assert after.turns[0].reply == "\U0001f600" * (MAX_REPLY_CHARS + 1)
    assert after == advance(episode, after.turns[0].reply)
    assert "reply needs at most 65536 characters" in after.feedback


def test_an_episode_is_a_value(episode: Episode) -> None:
    after = play(episode, FULL_ZOOM)
    assert (len(episode.turns), len(after.turns)) == (0, 1)
    assert play(episode, FULL_ZOOM) == after


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"grammar": "xml"}, "grammar needs one of .*, got 'xml'"),
        ({"num_overview": -1}, "num_overview needs a whole number from 0 to 10000, or several"),
        ({"num_overview": ()}, r"or several that differ, got \(\)"),
        ({"num_overview": (4, 4)}, r"or several that differ, got \(4, 4\)"),
        ({"num_overview": (4, True)}, r"or several that differ, got \(4, True\)"),
        ({"num_overview": (4, 8.0)}, r"or several that differ, got \(4, 8.0\)"),
        ({"num_overview": "48"}, "or several that differ, got '48'"),
        ({"num_overview": (4, 129)}, "room for the overview of 129 frames, got 128"),
        ({"overview": ""}, "overview needs a name on one line, got ''"),
        ({"overview": "a\nb"}, "overview needs a name on one line"),
        ({"overview": 3}, "overview needs a name on one line, got 3"),
        ({"overview": "x" * 1001}, "overview needs a name of at most 1000 characters, got 1001"),
        ({"max_turns": 2.5}, "max_turns needs a whole number from 1 to 100, got 2.5"),
        ({"max_turns": True}, "max_turns needs a whole number"),
        ({"frame_budget": 63}, "room for the overview of 64 frames, got 63"),
    ],
)
def test_rules_that_leave_no_episode_are_refused(rules: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Rules(**rules)  # type: ignore[arg-type]


def test_the_most_clip_frames_are_bounded_by_budget_and_by_turns() -> None:
    assert Rules().max_clip_frames == 64
    assert Rules(max_turns=3).max_clip_frames == 32
    assert Rules(max_turns=1).max_clip_frames == 0
    assert Rules(frame_budget=70).max_clip_frames == 6
    assert Rules(num_overview=0, frame_budget=50).max_clip_frames == 50
    assert Rules(num_overview=(4, 64), frame_budget=64).max_clip_frames == 60


def test_several_numbers_are_kept_in_order_and_one_is_a_number() -> None:
    rules = Rules(num_overview=[8, 0, 4])  # type: ignore[arg-type]
    assert (rules.num_overview, rules.overview_sizes) == ((0, 4, 8), (0, 4, 8))
    assert Rules(num_overview=(64,)) == Rules()
    assert hash(rules) == hash(Rules(num_overview=(0, 4, 8)))


def test_rules_are_named_as_in_the_first_records_unless_later_ones_are_set() -> None:
    first = {
        "grammar": "json",
        "num_overview": 64,
        "frames_per_zoom": 16,
        "frame_budget": 128,
        "max_turns": 5,
    }
    assert Rules().by_name() == first
    several = Rules(num_overview=(8, 4), overview="change")
    assert several.by_name() == {**first, "num_overview": [4, 8], "overview": "change"}
    assert Rules(**several.by_name()) == several


def test_rules_with_one_number_and_with_several_can_be_ordered() -> None:
    every = [Rules(), Rules(num_overview=(4, 64)), Rules(num_overview=4), Rules(overview="change")]
    ordered = sorted(every, key=lambda rules: rules.order)
    assert ordered == [every[2], every[1], every[3], every[0]]


def test_an_episode_pays_for_the_overview_that_was_picked() -> None:
    rules = Rules(num_overview=(0, 2, 4), overview="mine:pick")
    episode = start(TASK, 60.0, 59.9, rules, "", Overview((1.0, 1.0), 77))
    assert (episode.overview_s, episode.frames_scanned) == ((1.0, 1.0), 77)
    assert (episode.frames_used, episode.budget.left) == (2, 126)
    assert start(TASK, 60.0, 59.9, rules, "", Overview(())).budget.left == 128


@pytest.mark.parametrize(
    ("rules", "overview", "message"),
    [
        (
            Rules(num_overview=(2, 4)),
            None,
            r"overviews of \(2, 4\) frames by 'uniform' needs the times",
        ),
        (Rules(overview="change"), None, "overviews of 64 frames by 'change' needs the times"),
        (Rules(num_overview=(2, 4)), (0.0, 1.0, 2.0), "needs 2 or 4 times, got 3"),
        (Rules(num_overview=(2, 4)), (0.0, 30.0), "uniform overview needs evenly spread times"),
        (Rules(num_overview=2, overview="x"), (2.0, 1.0), "needs times in ascending order"),
        (Rules(num_overview=2, overview="x"), (0.0, 60.0), "from 0 to 59.9, .* got 60"),
        (Rules(num_overview=2, overview="x"), (-1e-9, 1.0), "from 0 to 59.9, .* got -1e-09"),
        (Rules(num_overview=2, overview="x"), (0.0, float("nan")), "from 0 to 59.9, .* got nan"),
    ],
)
def test_an_overview_that_is_none_of_the_video_is_refused(
    rules: Rules, overview: tuple[float, ...] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        start(TASK, 60.0, 59.9, rules, "", None if overview is None else Overview(overview))
