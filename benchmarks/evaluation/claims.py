"""Judges what a suite claims about its agents, from records.

A claim is about the accuracy of an agent on each of some families. It is judged by intervals that
hold for the whole verdict at once: if all claims are true, all of them hold in 95 of 100 runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from rich.console import Console
from rich.table import Table

from benchmarks.evaluation.metrics import chance
from benchmarks.evaluation.statistics import Estimate, wilson
from benchmarks.evaluation.suites import SOLVED, Claim, Level
from zoomgym.records import Record

CONFIDENCE = 0.95
"""Probability that all intervals of a verdict hold at once."""
WIDEST = 0.3
"""An interval that is wider says too little to call an agent at chance."""


class ClaimOutcome(Enum):
    """Outcome of a claim."""

    HOLDS = "holds"
    FAILS = "fails"
    OPEN = "open: needs more tasks"


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a claim on one of its families."""

    claim: Claim
    family: str
    estimate: Estimate
    """Accuracy, with an interval that holds for all findings at once."""
    chance: float

    @property
    def outcome(self) -> ClaimOutcome:
        """Whether the interval supports the claim."""
        return OUTCOMES[self.claim.level](self.estimate, self.chance)

    @property
    def is_false(self) -> bool:
        """Whether the interval contradicts the claim."""
        return self.outcome is ClaimOutcome.FAILS


def judge(claims: Sequence[Claim], records: Sequence[Record]) -> list[Finding]:
    """Returns a finding for every claim and family of which there are records, in their order."""
    by_place: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.is_graded:
            by_place.setdefault((record.agent, record.task.category), []).append(record)
    judged = [
        (claim, family, by_place[claim.agent, family])
        for claim in claims
        for family in claim.families
        if (claim.agent, family) in by_place
    ]
    confidence = 1 - (1 - CONFIDENCE) / max(1, len(judged))  # Bonferroni
    return [
        Finding(
            claim,
            family,
            wilson([record.reward_parts.accuracy for record in own], confidence),
            chance(own),
        )
        for claim, family, own in judged
    ]


def show_verdict(console: Console, findings: Sequence[Finding]) -> None:
    """Prints each claim with what became of it, and how many hold."""
    title = f"Claims (intervals of accuracy that hold at {CONFIDENCE:.0%} for all at once)"
    widest = max(len(line) for line in _intervals(findings).split("\n"))  # which is not broken
    table = Table(title=title, title_justify="left")
    for name in ("agent", "is", "on", "verdict"):
        table.add_column(name, min_width=widest if name == "on" else None, overflow="fold")
    for claim in dict.fromkeys(finding.claim for finding in findings):
        table.add_section()
        own = [finding for finding in findings if finding.claim == claim]
        for outcome in ClaimOutcome:
            if same := [finding for finding in own if finding.outcome is outcome]:
                shown = _families(same) if outcome is ClaimOutcome.HOLDS else _intervals(same)
                table.add_row(claim.agent, claim.level.value, shown, outcome.value)
    console.print(table)
    outcomes = [finding.outcome for finding in findings]
    counts = [
        f"{outcomes.count(outcome)} {word}"
        for outcome, word in ((ClaimOutcome.FAILS, "fail"), (ClaimOutcome.OPEN, "open"))
        if outcome in outcomes
    ]
    held = f"{outcomes.count(ClaimOutcome.HOLDS)} of {len(outcomes)} claims hold"
    console.print(f"[bold]Verdict: {', '.join([held, *counts])}.[/]")


def _families(findings: Sequence[Finding]) -> str:
    """Returns the families of findings."""
    return ", ".join(finding.family for finding in findings)


def _intervals(findings: Sequence[Finding]) -> str:
    """Returns the families of findings, each with its interval on a line of its own."""
    return "\n".join(
        f"{finding.family}: {finding.estimate.mean:.3f} "
        f"({finding.estimate.low:.3f}..{finding.estimate.high:.3f})"
        for finding in findings
    )


def _at_chance(estimate: Estimate, chance: float) -> ClaimOutcome:
    """Returns whether an interval holds chance, and is narrow enough to say so."""
    if not estimate.low <= chance <= estimate.high:
        return ClaimOutcome.FAILS
    return ClaimOutcome.HOLDS if estimate.high - estimate.low <= WIDEST else ClaimOutcome.OPEN


def _low(estimate: Estimate, chance: float) -> ClaimOutcome:
    """Returns whether an interval lies below the middle between chance and 1."""
    middle = (1 + chance) / 2
    if estimate.high < middle:
        return ClaimOutcome.HOLDS
    return ClaimOutcome.FAILS if estimate.low > middle else ClaimOutcome.OPEN


def _solved(estimate: Estimate, chance: float) -> ClaimOutcome:
    """Returns whether an interval lies above SOLVED."""
    if estimate.low > SOLVED:
        return ClaimOutcome.HOLDS
    return ClaimOutcome.FAILS if estimate.high < SOLVED else ClaimOutcome.OPEN


OUTCOMES: dict[Level, Callable[[Estimate, float], ClaimOutcome]] = {
    Level.CHANCE: _at_chance,
    Level.LOW: _low,
    Level.SOLVED: _solved,
}
