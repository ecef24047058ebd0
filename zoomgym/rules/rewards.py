"""The reward of an episode: raw terms, and their weighted sum."""

import math
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoomgym.grading import Segment, overlap
from zoomgym.io import brief, is_finite_number
from zoomgym.rules.actions import CropCall
from zoomgym.rules.episode import Episode
from zoomgym.rules.turn import Turn

DEFAULT_WEIGHTS: Mapping[str, float] = {
    "accuracy": 0.9,
    "format": 0.1,
    "tool": 0.5,
    "grounding": 0.0,
    "zoom_cost": 0.0,
}
"""The paper's weights (arXiv 2512.22315, section 3.2), and two further terms that are off."""
GATE = 0.5
"""Share of the evidence that has to be seen for an answer to count as gated right."""
FURTHER_TERMS = ("evidence_iou", "repeat_cost", "tool_cost")
"""Terms that are measured only where they have a weight, which may be 0."""
SAME_MOMENT_S = 0.0005
"""Times that are as near as this show the same moment."""


@dataclass(frozen=True, slots=True)
class RewardParts:
    """The raw terms of a finished episode, unweighted, so that it can be re-scored."""

    accuracy: float = 0.0
    """1 if the answer is right."""
    format: float = 0.0
    """1 if every reply was well-formed and executable, and the last one answered."""
    tool: float = 0.0
    """1 if the answer is right and at least one call delivered frames, words or times."""
    grounding: float = 0.0
    """If the answer is right, the fraction of evidence segments in which a clip frame fell."""
    zoom_cost: float = 0.0
    """The number of zooms that delivered frames. Give it a negative weight."""
    evidence_iou: float | None = None
    """If the answer is right, how well the evidence that it names overlaps that of the task.

    Intersection over union, both taken as sets of moments. None if it is not measured."""
    repeat_cost: float | None = None
    """The number of calls that delivered no moment, part of a frame, line or match that was not
    there before. Give it a negative weight. None if it is not measured."""
    tool_cost: float | None = None
    """The number of calls that were executed, whatever the tool. Give it a negative weight. None if
    it is not measured."""

    def total(self, weights: Mapping[str, float]) -> float:
        """Returns the reward: the sum of the terms, each times its weight."""
        return math.fsum(weights.get(name, 0.0) * value for name, value in self.by_name().items())

    def by_name(self) -> dict[str, float]:
        """Returns the terms that are measured, by their names."""
        terms = {name: getattr(self, name) for name in self.__slots__}
        return {name: value for name, value in terms.items() if value is not None}


def merge_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Returns the default weights with the given ones over them, which may name further terms.

    Raises ValueError unless names are those of reward terms, and weights finite numbers.
    """
    merged, known = dict(DEFAULT_WEIGHTS), [*DEFAULT_WEIGHTS, *FURTHER_TERMS]
    if weights is not None and not isinstance(weights, Mapping):
        raise ValueError(f"reward_weights needs a dict of {known}, got {brief(weights)}")
    for name, weight in (weights or {}).items():
        if name not in known:
            raise ValueError(f"reward_weights needs names from {known}, got {brief(name)}")
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


def num_repeats(overview_s: Sequence[float], turns: Sequence[Turn]) -> int:
    """Returns how many calls delivered only moments, boxes and lines that were there before.

    A moment that a search tells is another thing than the frame that shows it.
    """
    shown_s, said, repeats = sorted(overview_s), set[str](), 0
    crops, found_s = list[CropCall](), list[float]()
    for turn in turns:
        for zoom in turn.all_zooms:
            repeats += all(_is_near(time_s, shown_s) for time_s in zoom.times_s)
            shown_s = sorted((*shown_s, *zoom.times_s))
        if crop := turn.crop:
            repeats += any(
                crop.is_within(one) and _is_near(crop.at_s, one.times_s) for one in crops
            )
            crops.append(crop)
        elif turn.find:
            repeats += all(_is_near(time_s, found_s) for time_s in turn.found_s)
            found_s = sorted((*found_s, *turn.found_s))
        elif turn.transcript:
            lines = set(turn.told.splitlines())
            repeats += lines <= said
            said |= lines
    return repeats


def _is_near(time_s: float, shown_s: Sequence[float]) -> bool:
    """Returns whether one of shown_s, which ascend, is the same moment as time_s."""
    place = bisect(shown_s, time_s - SAME_MOMENT_S)
    return place < len(shown_s) and shown_s[place] <= time_s + SAME_MOMENT_S


def is_gated_right(episode: Episode) -> bool:
    """Returns whether the answer is right and at least half of the evidence was seen.

    A segment of the evidence was seen if a frame of the overview or of a clip fell in it. Without
    evidence, there is nothing to see.
    """
    evidence = episode.task.evidence
    seen = evidence_share((*episode.overview_s, *episode.clip_s), evidence)
    return episode.is_right and (not evidence or seen >= GATE)


def score(episode: Episode, weights: Mapping[str, float] = DEFAULT_WEIGHTS) -> RewardParts:
    """Returns the raw reward terms; all are zero until the episode is over.

    Args:
        episode: that is played.
        weights: name the further terms that are measured.
    """
    further = [name for name in FURTHER_TERMS if name in weights]
    if not episode.is_over:
        return RewardParts(**dict.fromkeys(further, 0.0))
    is_right = episode.is_right
    is_clean = all(turn.is_well_formed and not turn.error for turn in episode.turns)
    evidence = episode.task.evidence
    share = evidence_share(episode.clip_s, evidence)
    measured = {name: _MEASURES[name](episode) for name in further}
    return RewardParts(
        accuracy=float(is_right),
        format=float(is_clean and episode.answer is not None),
        tool=float(is_right and any(map(_has_delivered, episode.turns))),
        grounding=share if is_right else 0.0,
        zoom_cost=float(len(episode.zooms)),
        **measured,
    )


def _has_delivered(turn: Turn) -> bool:
    return bool(turn.shown or turn.told or turn.found_s)


def _evidence_iou(episode: Episode) -> float:
    return overlap(episode.named, episode.task.evidence) if episode.is_right else 0.0


def _repeat_cost(episode: Episode) -> float:
    return float(num_repeats(episode.overview_s, episode.turns))


def _tool_cost(episode: Episode) -> float:
    return float(sum(turn.num_calls for turn in episode.turns))


_MEASURES = {
    "evidence_iou": _evidence_iou,
    "repeat_cost": _repeat_cost,
    "tool_cost": _tool_cost,
}
