"""Kinds of failure of an episode, each found from its record alone.

A kind describes what the agent did, even if its answer was right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from benchmarks.evaluation.metrics import covers, frames_show_evidence, missed, shown_in, zooms_of
from zoomgym.records import Record
from zoomgym.rules import Segment, ZoomCall, error_kind


def failures_of(record: Record) -> tuple[str, ...]:
    """Returns the failures of an episode, in the order of FAILURES."""
    facts = _EpisodeFacts(record)
    return tuple(kind.name for kind in KINDS if is_told(kind.name, record) and kind.is_in(facts))


def is_told(kind: str, record: Record) -> bool:
    """Returns whether a record can show a kind of failure: some need known evidence."""
    return frames_show_evidence(record) or kind not in BY_EVIDENCE


@dataclass(frozen=True)
class _EpisodeFacts:
    """Facts of an episode that kinds of failure are found from, read from its record once."""

    record: Record

    @cached_property
    def zooms(self) -> list[ZoomCall]:
        """The zooms that delivered frames."""
        return zooms_of(self.record)

    @cached_property
    def hidden(self) -> list[Segment]:
        """The parts of the evidence that the overview leaves unseen."""
        return missed(self.record, [])

    @cached_property
    def unseen(self) -> list[Segment]:
        """The parts of the evidence that stayed unseen to the end."""
        return missed(self.record, shown_in(self.record))

    @property
    def is_right(self) -> bool:
        """Whether the answer was graded right."""
        return self.record.is_graded and self.record.reward_parts.accuracy == 1

    def is_covered(self, part: Segment) -> bool:
        """Returns whether a zoom covered at least half of an unseen part."""
        return any(covers(zoom, part) for zoom in self.zooms)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of failure."""

    name: str
    meaning: str
    is_in: Callable[[_EpisodeFacts], bool]
    needs_evidence: bool = False
    """Whether only records with evidence can show it."""


def _never_zoomed(facts: _EpisodeFacts) -> bool:
    is_known = frames_show_evidence(facts.record)
    needs_one = bool(facts.hidden) if is_known else not facts.is_right
    return needs_one and not shown_in(facts.record)


def _wrong_segment(facts: _EpisodeFacts) -> bool:
    return bool(facts.zooms) and not all(map(facts.is_covered, facts.unseen))


def _redundant(facts: _EpisodeFacts) -> bool:
    shown = set[int]()
    for index, zoom in enumerate(facts.zooms):
        times = {round(time_s * 1e6) for time_s in zoom.times_s}  # one time, reckoned in two ways
        if times <= shown or any(_is_thinner(zoom, one) for one in facts.zooms[:index]):
            return True
        shown |= times
    return bool(facts.hidden) and not missed(facts.record, facts.zooms[:-1])


def _is_thinner(zoom: ZoomCall, earlier: ZoomCall) -> bool:
    """Returns whether a zoom repeats part of an earlier one at a lower rate."""
    is_within = earlier.start_s <= zoom.start_s and zoom.end_s <= earlier.end_s
    return is_within and zoom.fps < earlier.fps


def _malformed(facts: _EpisodeFacts) -> bool:
    rules = facts.record.rules
    return any(
        not turn.is_well_formed and error_kind(turn, rules.grammar, rules.tools) != "impossible"
        for turn in facts.record.turns
    )


def _refused(facts: _EpisodeFacts) -> bool:
    rules = facts.record.rules
    early = facts.record.turns[: rules.max_turns - 1]
    return any(
        error_kind(turn, rules.grammar, rules.tools) in ("impossible", "refused") for turn in early
    )


def _wrong_answer(facts: _EpisodeFacts) -> bool:
    is_wrong = facts.record.answer is not None and facts.record.is_graded and not facts.is_right
    return is_wrong and not facts.unseen


KINDS = (
    Kind(
        "never zoomed",
        "No call delivered frames, although the overview left evidence unseen "
        "(or, without known evidence, the answer was not right).",
        _never_zoomed,
    ),
    Kind(
        "wrong segment",
        "It zoomed, but some evidence stayed unseen, and no zoom covered half of it.",
        _wrong_segment,
        needs_evidence=True,
    ),
    Kind(
        "right segment but fps too low",
        "A zoom covered at least half of some evidence, which fell between its frames.",
        lambda facts: any(map(facts.is_covered, facts.unseen)),
        needs_evidence=True,
    ),
    Kind(
        "redundant zoom",
        "A zoom repeated part of an earlier one at a lower rate, showed no new times, "
        "or came after earlier ones had shown all the evidence.",
        _redundant,
    ),
    Kind(
        "zoomed when the overview was enough",
        "A zoom delivered frames, although the overview had shown all the evidence.",
        lambda facts: not facts.hidden and bool(facts.zooms),
        needs_evidence=True,
    ),
    Kind(
        "ran out of turns",
        "The episode ended without an answer.",
        lambda facts: facts.record.answer is None,
    ),
    Kind("malformed", "A reply did not follow its grammar exactly.", _malformed),
    Kind(
        "refused",
        "A zoom call was clear, but the rules forbade it, before the last turn "
        "(which allows none).",
        _refused,
    ),
    Kind(
        "right evidence but wrong answer",
        "The answer was wrong, although the frames had shown all the evidence.",
        _wrong_answer,
        needs_evidence=True,
    ),
)

FAILURES: Mapping[str, str] = {kind.name: kind.meaning for kind in KINDS}
"""Every kind of failure and its meaning. `docs/leaderboard.md` has the details."""

BY_EVIDENCE = {kind.name for kind in KINDS if kind.needs_evidence}
