"""Judges a suite's claims about its agents, from records.

A claim is about an agent's accuracy on each of some families. The intervals hold for the whole
verdict at once: if all claims are true, all of them hold in 95 of 100 runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from rich.console import Console
from rich.table import Table

from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.metrics import chance
from benchmarks.evaluation.statistics import Estimate, wilson
from benchmarks.evaluation.suites import SOLVED, Claim, Level
from zoomgym.records import Record

CONFIDENCE = 0.95
"""Probability that all intervals of a verdict hold at once."""
WIDEST = 0.3
"""A wider interval says too little to call an agent at chance."""


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
        low, high, middle = self.estimate.low, self.estimate.high, (1 + self.chance) / 2
        match self.claim.level:
            case Level.CHANCE:
                fails = not low <= self.chance <= high
                holds = not fails and high - low <= WIDEST
            case Level.LOW:
                fails, holds = low > middle, high < middle
            case Level.SOLVED:
                fails, holds = high < SOLVED, low > SOLVED
        if fails:
            return ClaimOutcome.FAILS
        return ClaimOutcome.HOLDS if holds else ClaimOutcome.OPEN

    @property
    def is_false(self) -> bool:
        """Whether the interval contradicts the claim."""
        return self.outcome is ClaimOutcome.FAILS


def judge(claims: Sequence[Claim], records: Sequence[Record]) -> list[Finding]:
    """Returns a finding for each claim and family with records, in their order."""
    graded = [record for record in records if record.is_graded]
    by_place = grouped(graded, lambda record: (record.agent, record.task.category))
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
    """Prints each claim with its outcome, and how many hold."""
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
    return ", ".join(finding.family for finding in findings)


def _intervals(findings: Sequence[Finding]) -> str:
    """Returns the families of findings, each with its interval on a line."""
    return "\n".join(
        f"{finding.family}: {finding.estimate.mean:.3f} "
        f"({finding.estimate.low:.3f}..{finding.estimate.high:.3f})"
        for finding in findings
    )
