"""The reward of an episode: five raw terms, and their weighted sum."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoomgym.io import brief, is_finite_number
from zoomgym.rules.episode import Episode
from zoomgym.rules.timeline import Segment

DEFAULT_WEIGHTS: Mapping[str, float] = {
    "accuracy": 0.9,
    "format": 0.1,
    "tool": 0.5,
    "grounding": 0.0,
    "zoom_cost": 0.0,
}
"""The paper's weights (arXiv 2512.22315, section 3.2), and two further terms that are off."""


@dataclass(frozen=True, slots=True)
class RewardParts:
    """The raw terms of a finished episode, unweighted, so that it can be re-scored."""

    accuracy: float = 0.0
    """1 if the answer is right."""
    format: float = 0.0
    """1 if every reply was well-formed and executable, and the last one answered."""
    tool: float = 0.0
    """1 if the answer is right and at least one zoom delivered frames."""
    grounding: float = 0.0
    """If the answer is right, the fraction of evidence segments in which a clip frame fell."""
    zoom_cost: float = 0.0
    """The number of zooms that delivered frames. Give it a negative weight."""

    def total(self, weights: Mapping[str, float]) -> float:
        """Returns the reward: the sum of the terms, each times its weight."""
        return math.fsum(weights[name] * value for name, value in self.by_name().items())

    def by_name(self) -> dict[str, float]:
        """Returns the terms by their names."""
        return {name: getattr(self, name) for name in self.__slots__}


def merge_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Returns the default weights with the given ones over them.

    Raises ValueError unless names are those of reward terms, and weights finite numbers.
    """
    merged = dict(DEFAULT_WEIGHTS)
    if weights is not None and not isinstance(weights, Mapping):
        raise ValueError(f"reward_weights needs a dict of {list(merged)}, got {brief(weights)}")
    for name, weight in (weights or {}).items():
        if name not in merged:
            raise ValueError(f"reward_weights needs names from {list(merged)}, got {brief(name)}")
        if not is_finite_number(weight):
            raise ValueError(
                f"reward_weights needs finite numbers, got {name}={brief(weight)}: "
                "give numbers below 1e300"
            )
        merged[name] = float(weight)
    return merged


def evidence_share(clip_s: Sequence[float], evidence: Sequence[Segment]) -> float:
    """Returns the fraction of evidence segments that hold a time of clip_s; 0.0 without any."""
    if not evidence:
        return 0.0
    return sum(any(map(segment.holds, clip_s)) for segment in evidence) / len(evidence)


def score(episode: Episode) -> RewardParts:
    """Returns the raw reward terms; all are zero until the episode is over."""
    if not episode.is_over:
        return RewardParts()
    is_right = episode.is_right
    is_clean = all(turn.is_well_formed and not turn.error for turn in episode.turns)
    share = evidence_share(episode.clip_s, episode.task.evidence)
    return RewardParts(
        accuracy=float(is_right),
        format=float(is_clean and episode.answer is not None),
        tool=float(is_right and bool(episode.zooms)),
        grounding=share if is_right else 0.0,
        zoom_cost=float(len(episode.zooms)),
    )
