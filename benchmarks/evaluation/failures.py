"""What went wrong in an episode: kinds of failure, each told from its record alone.

Kinds say what the agent did, not whether it was lucky: a right answer may have failures, too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from benchmarks.evaluation.metrics import covers, missed, zooms_of
from zoomgym.records import Record
from zoomgym.rules import Segment, ZoomCall, error_kind


def failures_of(record: Record) -> tuple[str, ...]:
    """Returns what went wrong in an episode, in the order of FAILURES; empty if nothing did."""
    facts = _EpisodeFacts(record)
    return tuple(kind.name for kind in KINDS if is_told(kind.name, record) and kind.is_in(facts))


def is_told(kind: str, record: Record) -> bool:
    """Returns whether a record tells of a kind of failure: some are told by the evidence only."""
    return bool(record.task.evidence) or kind not in BY_EVIDENCE


@dataclass(frozen=True)
class _EpisodeFacts:
    """What a record says of its episode, each thing worked out once."""

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
        return missed(self.record, self.zooms)

    @property
    def has_evidence(self) -> bool:
        """Whether it is known where the answer is."""
        return bool(self.record.task.evidence)

    @property
    def is_right(self) -> bool:
        """Whether the answer was graded right."""
        return self.record.is_graded and self.record.reward_parts.accuracy == 1

    def is_covered(self, part: Segment) -> bool:
        """Returns whether a zoom stretched over at least half of an unseen part."""
        return any(covers(zoom, part) for zoom in self.zooms)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of failure."""

    name: str
    meaning: str
    is_in: Callable[[_EpisodeFacts], bool]
    needs_evidence: bool = False
    """Whether it can be told only of records with evidence."""


def _never_zoomed(facts: _EpisodeFacts) -> bool:
    """Returns whether no zoom delivered frames where one was needed."""
    needs_one = bool(facts.hidden) if facts.has_evidence else not facts.is_right
    return needs_one and not facts.zooms


def _wrong_segment(facts: _EpisodeFacts) -> bool:
    """Returns whether it zoomed, and evidence stayed unseen where no zoom went."""
    return bool(facts.zooms) and not all(map(facts.is_covered, facts.unseen))


def _fps_too_low(facts: _EpisodeFacts) -> bool:
    """Returns whether evidence stayed unseen between the frames of zooms."""
    return any(map(facts.is_covered, facts.unseen))


def _redundant(facts: _EpisodeFacts) -> bool:
    """Returns whether a zoom brought nothing that was needed after those before it."""
    shown = set[int]()
    for index, zoom in enumerate(facts.zooms):
        times = {round(time_s * 1e6) for time_s in zoom.times_s}  # one time, reckoned in two ways
        if times <= shown or any(_is_thinner(zoom, one) for one in facts.zooms[:index]):
            return True
        shown |= times
    return bool(facts.hidden) and not missed(facts.record, facts.zooms[:-1])


def _is_thinner(zoom: ZoomCall, earlier: ZoomCall) -> bool:
    """Returns whether a zoom looks more thinly into an earlier one's stretch."""
    is_within = earlier.start_s <= zoom.start_s and zoom.end_s <= earlier.end_s
    return is_within and zoom.fps < earlier.fps


def _overview_was_enough(facts: _EpisodeFacts) -> bool:
    """Returns whether it zoomed though the overview had shown all the evidence."""
    return not facts.hidden and bool(facts.zooms)


def _ran_out_of_turns(facts: _EpisodeFacts) -> bool:
    """Returns whether no answer came."""
    return facts.record.answer is None


def _malformed(facts: _EpisodeFacts) -> bool:
    """Returns whether a reply was not written as its grammar says."""
    grammar = facts.record.rules.grammar
    return any(
        not turn.is_well_formed and error_kind(turn, grammar) != "impossible"
        for turn in facts.record.turns
    )


def _refused(facts: _EpisodeFacts) -> bool:
    """Returns whether a clear zoom call was not executed while there were turns for one."""
    rules = facts.record.rules
    early = facts.record.turns[: rules.max_turns - 1]
    return any(error_kind(turn, rules.grammar) in ("impossible", "refused") for turn in early)


def _wrong_answer(facts: _EpisodeFacts) -> bool:
    """Returns whether the answer was wrong though all the evidence had been shown."""
    is_wrong = facts.record.answer is not None and facts.record.is_graded and not facts.is_right
    return is_wrong and not facts.unseen


KINDS = (
    Kind(
        "never zoomed",
        "No zoom delivered frames, though the overview had left evidence unseen "
        "(or, where no evidence is known, though the answer was not right).",
        _never_zoomed,
    ),
    Kind(
        "wrong segment",
        "It zoomed, but evidence stayed unseen of which no zoom held half.",
        _wrong_segment,
        needs_evidence=True,
    ),
    Kind(
        "right segment but fps too low",
        "Evidence stayed unseen of which a zoom held at least half: it fell between its frames.",
        _fps_too_low,
        needs_evidence=True,
    ),
    Kind(
        "redundant zoom",
        "A zoom looked more thinly into an earlier one's stretch, showed no new times, "
        "or came after earlier ones had shown all the evidence.",
        _redundant,
    ),
    Kind(
        "zoomed when the overview was enough",
        "A zoom delivered frames, though the overview had shown all the evidence.",
        _overview_was_enough,
        needs_evidence=True,
    ),
    Kind("ran out of turns", "The episode ended without an answer.", _ran_out_of_turns),
    Kind("malformed", "A reply was not written exactly as its grammar says.", _malformed),
    Kind(
        "refused",
        "A zoom call was clear, but the rules forbade it, before the last turn "
        "(which has none to give).",
        _refused,
    ),
    Kind(
        "right evidence but wrong answer",
        "The frames had shown all the evidence, and the answer was wrong.",
        _wrong_answer,
        needs_evidence=True,
    ),
)

FAILURES: Mapping[str, str] = {kind.name: kind.meaning for kind in KINDS}
"""Every kind of failure, and what it means. `docs/leaderboard.md` says it in full."""

BY_EVIDENCE = {kind.name for kind in KINDS if kind.needs_evidence}
