from dataclasses import replace

import pytest

from tests.conftest import TASK, new_episode
from zoomgym.rules.episode import Episode, advance
from zoomgym.rules.rewards import (
    RewardParts,
    evidence_share,
    is_gated_right,
    merge_weights,
    score,
)
from zoomgym.rules.timeline import Segment


def test_the_reward_is_the_weighted_sum_of_its_terms() -> None:
    weights = merge_weights(None)
    assert RewardParts(accuracy=1, format=1, tool=1).total(weights) == 1.5
    assert RewardParts(accuracy=1, format=1).total(weights) == 1.0
    assert RewardParts(accuracy=1).total(weights) == 0.9
    assert RewardParts(format=1).total(weights) == 0.1
    assert RewardParts(grounding=1, zoom_cost=4).total(weights) == 0.0


def test_given_weights_are_put_over_the_defaults() -> None:
    weights = merge_weights({"tool": 0, "zoom_cost": -0.1})
    assert weights == {
        "accuracy": 0.9,
        "format": 0.1,
        "tool": 0.0,
        "grounding": 0.0,
        "zoom_cost": -0.1,
    }
    assert RewardParts(accuracy=1, format=1, tool=1, zoom_cost=2).total(weights) == 0.8


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"acuracy": 1}, "needs names from .*, got 'acuracy'"),
        ({"tool": "1"}, "needs finite numbers, got tool='1'"),
        ([1, 2], r"needs a dict of \['accuracy', .*, got \[1, 2\]"),
        ({"tool": float("nan")}, "needs finite numbers, got tool=nan"),
    ],
)
def test_wrong_weights_are_refused(weights: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        merge_weights(weights)


def test_the_evidence_share_counts_segments_that_hold_a_clip_frame() -> None:
    evidence = (Segment(1, 2), Segment(5, 6))
    assert evidence_share([1.0, 1.5], evidence) == 0.5
    assert evidence_share([1.0, 5.9], evidence) == 1.0
    assert evidence_share([2.0, 6.0], evidence) == 0.0
    assert evidence_share([], evidence) == 0.0
    assert evidence_share([1.0], ()) == 0.0


def ended(*replies: str, evidence: tuple[Segment, ...] = TASK.evidence) -> Episode:
    episode = new_episode(replace(TASK, evidence=evidence))
    for reply in replies:
        episode = advance(episode, reply)
    assert episode.is_over
    return episode


FURTHER = merge_weights({"evidence_iou": 0.5, "repeat_cost": -0.125})
RIGHT, WRONG = '{"answer": "B"}', '{"answer": "A"}'


def test_further_terms_are_measured_only_where_weights_name_them() -> None:
    episode = ended(RIGHT)
    assert list(score(episode).by_name()) == list(merge_weights(None))
    assert list(score(episode, FURTHER).by_name()) == list(FURTHER)
    assert score(new_episode(), FURTHER).by_name() == dict.fromkeys(FURTHER, 0.0)
    assert score(episode, merge_weights({"repeat_cost": 0})).by_name()["repeat_cost"] == 0.0
    with pytest.raises(ValueError, match=r"needs names from .*'repeat_cost'.*, got 'repeats'"):
        merge_weights({"repeats": 1})


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"answer": "B", "evidence": [[10, 14]]}', 1.0),
        ('{"answer": "B", "evidence": [[10, 12]]}', 0.5),
        ('{"answer": "B", "evidence": [[12, 16]]}', 1 / 3),
        ('{"answer": "B", "evidence": [[10, 12], [11, 14]]}', 1.0),  # what overlaps counts once
        ('{"answer": "B", "evidence": [[0, 4]]}', 0.0),
        ('{"answer": "B"}', 0.0),
        ('{"answer": "A", "evidence": [[10, 14]]}', 0.0),  # only if it is right
    ],
)
def test_named_evidence_is_compared_with_that_of_the_task(answer: str, expected: float) -> None:
    parts = score(ended(answer, evidence=(Segment(10, 14),)), FURTHER)
    assert parts.evidence_iou == pytest.approx(expected, abs=1e-15)
    assert score(ended(answer, evidence=()), FURTHER).evidence_iou == 0.0


ZOOM = '{"segment": [4, 6], "fps": 4}'


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([ZOOM], 0),
        ([ZOOM, ZOOM], 1),
        ([ZOOM, ZOOM, ZOOM], 2),
        ([ZOOM, '{"segment": [4, 6], "fps": 2}'], 1),  # every second of its frames
        ([ZOOM, '{"segment": [4.0004, 6], "fps": 2}'], 1),
        ([ZOOM, '{"segment": [4.002, 6], "fps": 2}'], 0),
        ([ZOOM, '{"segment": [4, 6], "fps": 5}'], 0),  # some are new
        (['{"segment": [0, 0.5], "fps": 2}'], 1),  # the overview shows it
        (["what?", ZOOM], 0),
    ],
)
def test_zooms_that_show_nothing_new_are_counted(replies: list[str], expected: int) -> None:
    assert score(ended(*replies, WRONG), FURTHER).repeat_cost == expected


def test_a_repeated_zoom_costs_what_its_weight_says() -> None:
    parts = score(ended(ZOOM, ZOOM, RIGHT), FURTHER)
    assert parts.total(FURTHER) == 1.375
    assert parts.total(merge_weights(None)) == 1.5


def test_a_right_answer_is_gated_by_what_was_seen() -> None:
    hidden = (Segment(4.1, 4.4), Segment(8.1, 8.4))  # between frames of the overview
    first = '{"segment": [4, 5], "fps": 10}'
    assert not is_gated_right(ended(RIGHT, evidence=hidden))
    assert is_gated_right(ended(first, RIGHT, evidence=hidden))  # half of it
    assert not is_gated_right(ended(first, WRONG, evidence=hidden))
    assert not is_gated_right(ended(first, RIGHT, evidence=(*hidden, Segment(9.1, 9.4))))
    assert is_gated_right(ended(RIGHT, evidence=(Segment(0, 5),)))  # the overview shows it
    assert is_gated_right(ended(RIGHT, evidence=()))
