"""Watches a training run and warns, in plain words, when it fails as the paper's runs did.

Source: arXiv 2512.22315, section 4.3: without the tool bonus the number of calls falls to 0, and
without reflections it settles at exactly 1.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from statistics import fmean

from zoomgym.records import Record

WINDOW = 10
"""Steps over which a symptom must show before a warning."""


def summarize(records: Iterable[Record]) -> dict[str, float]:
    """Returns the means over episodes that a monitor watches; empty without episodes."""
    played = list(records)
    if not played:
        return {}
    turns = [turn for record in played for turn in record.turns]
    zooms = [record.reward_parts.zoom_cost for record in played]
    return {
        "reward": fmean(record.reward for record in played),
        "accuracy": fmean(record.reward_parts.accuracy for record in played),
        "format": fmean(record.reward_parts.format for record in played),
        "tool": fmean(record.reward_parts.tool for record in played),
        "zooms": fmean(zooms),
        "zoomed": fmean(zoom > 0 for zoom in zooms),
        "zoomed_once": fmean(zoom == 1 for zoom in zooms),
        "refused": fmean(bool(turn.error) for turn in turns),
        "unanswered": fmean(record.answer is None for record in played),
        "frames": fmean(record.frames_used for record in played),
    }


@dataclass(frozen=True, slots=True)
class Symptom:
    """A sign of trouble if it lasts."""

    name: str
    is_shown: Callable[[Mapping[str, float]], bool]
    warning: str


SYMPTOMS = (
    Symptom(
        "no zooms",
        lambda means: means["zoomed"] < 0.05,
        "Fewer than 5% of the episodes zoom: the policy answers from the overview. In the paper "
        "this follows from a missing tool bonus: check reward_weights['tool'], and that the "
        "cold start had taught zooming.",
    ),
    Symptom(
        "always one zoom",
        lambda means: means["zoomed_once"] > 0.95,
        "More than 95% of the episodes zoom exactly once, whatever the task needs. In the paper "
        "this follows from a cold start without reflections: add some, or tasks that need two.",
    ),
    Symptom(
        "refused replies",
        lambda means: means["refused"] > 0.2,
        "More than 20% of the replies are refused: malformed, or against the rules. Train the "
        "cold start longer, lower the learning rate, or allow more tokens a reply.",
    ),
    Symptom(
        "no answers",
        lambda means: means["unanswered"] > 0.2,
        "More than 20% of the episodes spend all turns without an answer. Raise the weight of "
        "format, give zoom_cost a small negative weight, or look at what the replies say.",
    ),
    Symptom(
        "nothing to learn from",
        lambda means: means.get("flat_groups", 0.0) > 0.8,
        "In more than 80% of the groups every episode earns the same: nothing is learned from "
        "them. Choose harder or easier tasks, larger groups, or a higher temperature.",
    ),
)


@dataclass(slots=True)
class Monitor:
    """Remembers the last steps, and warns once of each symptom that their mean shows."""

    window: int = WINDOW
    seen: deque[Mapping[str, float]] = field(default_factory=deque, init=False)
    warned: set[str] = field(default_factory=set, init=False)

    def watch(self, means: Mapping[str, float]) -> list[str]:
        """Takes the means of a step and returns new warnings; a symptom that returns is new."""
        self.seen.append(means)
        while len(self.seen) > self.window:
            self.seen.popleft()
        if len(self.seen) < self.window:
            return []
        lasting = {key: fmean(step.get(key, 0.0) for step in self.seen) for key in means}
        shown = [sign for sign in SYMPTOMS if sign.is_shown(lasting)]
        new = [sign.warning for sign in shown if sign.name not in self.warned]
        self.warned = {sign.name for sign in shown}
        return new
