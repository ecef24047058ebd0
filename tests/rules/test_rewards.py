import pytest

from zoomgym.rules.rewards import RewardParts, evidence_share, merge_weights
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
