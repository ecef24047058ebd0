"""Says in a sentence which agents beat which, and which are too close to call."""

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum, auto
from itertools import groupby, pairwise

from agents.registry import is_told_evidence
from benchmarks.evaluation.metrics import Score, chance, pairs
from benchmarks.evaluation.statistics import Estimate
from zoomgym.io import plain
from zoomgym.records import Record

MARK = "*"
"""Marks agents that are told the evidence. ASCII, for every terminal."""


class Verdict(Enum):
    """Result of comparing two agents on the tasks that both played."""

    BETTER = auto()
    CLOSE = auto()
    WORSE = auto()
    APART = auto()
    """They have no task in common."""


def reading(rows: Sequence[Score], records: Sequence[Record]) -> str:
    """Returns the reading of a ranking, the best agent first; nothing if no answer is graded.

    Intervals decide: between neighbors, of their difference on shared tasks; against guessing, of
    the agent's accuracy.
    """
    accuracies = {
        row.agent: row.estimates["accuracy"] for row in rows if "accuracy" in row.estimates
    }
    if not accuracies:
        return ""
    clauses = [*_of_neighbors(list(accuracies), records), *_of_guessing(accuracies, records)]
    how = "in accuracy on the same tasks, with 95% confidence"
    if any(map(is_told_evidence, accuracies)):
        how += f"; {MARK} is told where to look"
    return f"What it shows: {'; '.join(clauses)} ({how})." if clauses else ""


def _of_neighbors(agents: Sequence[str], records: Sequence[Record]) -> Iterator[str]:
    """Yields clauses on each agent and the next; equal verdicts in a row share one."""
    for verdict, run in groupby(pairwise(agents), lambda pair: _verdict(pair, records)):
        neighbors = list(run)
        first, *others = names = [neighbors[0][0], *(worse for _, worse in neighbors)]
        if verdict is Verdict.BETTER:
            yield f"{_named(first)} beats {', which beats '.join(map(_named, others))}"
        elif verdict is Verdict.CLOSE:
            how = "are each too close to the next" if len(others) > 1 else "are too close"
            yield f"{listed(names)} {how} to call"
        elif verdict is Verdict.WORSE:
            for better, worse in neighbors:
                yield f"{_named(worse)} beats {_named(better)} where both played"
        else:
            for pair in neighbors:
                yield f"{listed(pair)} share no task"


def _verdict(neighbors: tuple[str, str], records: Sequence[Record]) -> Verdict:
    found = pairs(records, neighbors)
    if not found:
        return Verdict.APART
    difference = found[0].difference
    if difference.low > 0:
        return Verdict.BETTER
    return Verdict.WORSE if difference.high < 0 else Verdict.CLOSE


def _of_guessing(accuracies: Mapping[str, Estimate], records: Sequence[Record]) -> Iterator[str]:
    """Yields which agents do not beat guessing, if guessing is ever right."""
    guessed = chance(records)
    if not guessed:
        return
    guessing = f"guessing ({guessed:.2f})"
    close = [agent for agent, one in accuracies.items() if one.low <= guessed <= one.high]
    worse = [agent for agent, one in accuracies.items() if one.high < guessed]
    if close:
        yield f"{listed(close)} {_is(close)} too close to {guessing} to call"
    if worse:
        yield f"{listed(worse)} {_is(worse)} worse than {guessing}"
    if not close and not worse:
        agents = list(accuracies)
        yield f"all beat {guessing}" if len(agents) > 1 else f"{listed(agents)} beats {guessing}"


def _is(agents: Sequence[str]) -> str:
    return "are" if len(agents) > 1 else "is"


def listed(agents: Sequence[str]) -> str:
    """Returns the names of agents as a list in prose."""
    *more, last = map(_named, agents)
    return f"{', '.join(more)} and {last}" if more else last


def _named(agent: str) -> str:
    return plain(agent) + MARK * is_told_evidence(agent)
