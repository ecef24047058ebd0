"""Compares an agent with itself: the same tasks, with tools and without.

Without tools, an episode has one turn, for the answer; all else is the same. *Gain* is the share of
tasks that are wrong without tools and right with them, *harm* the reverse.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmarks.evaluation.comparable import EpisodeKey
from benchmarks.evaluation.formats import Cell, Line, Sheet
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.metrics import num_calls, video_of
from benchmarks.evaluation.statistics import Estimate, bootstrap, rate
from benchmarks.evaluation.summary import listed
from benchmarks.evaluation.tables import Agents, names_of
from zoomgym.io import number_of
from zoomgym.records import Record
from zoomgym.rules import Rules

WITHOUT, WITH = "without", "with"
MOSTLY = 0.95
"""Share of tasks that an agent answers without tools; below, the reading says so."""


@dataclass(frozen=True, slots=True)
class Twins:
    """One agent on one graded task with one seed, without tools and with them."""

    without: Record
    tooled: Record


Pairing = tuple[str, Rules, list[Twins]]
"""An agent, the rules with tools, and its twins."""


def is_right(record: Record) -> bool:
    """Returns whether an answer is right, however it can be read: the accuracy of all tables."""
    return bool(record.reward_parts.accuracy)


def is_strictly_right(record: Record) -> bool:
    """Returns whether an answer is right and every reply is well-formed."""
    return is_right(record) and all(turn.is_well_formed for turn in record.turns)


READINGS: dict[str, Callable[[Record], bool]] = {"loose": is_right, "strict": is_strictly_right}
"""Readings of an episode."""


@dataclass(frozen=True, slots=True)
class Change:
    """An agent's answers without tools and with them, by one reading."""

    without: Estimate
    """Accuracy without tools."""
    tooled: Estimate
    """Accuracy with them."""
    difference: Estimate
    """The second minus the first."""
    gain: Estimate
    """Share of the tasks that are wrong without tools and right with them."""
    harm: Estimate
    """Share of the tasks that are right without tools and wrong with them."""
    p_value: float
    """The p-value of McNemar's exact test."""


def twins_of(with_tools: Sequence[Record], without: Sequence[Record]) -> list[Twins]:
    """Returns the graded episodes that differ in their turns alone, in the order of the first."""
    alone = {_place(record): record for record in without if record.is_graded}
    return [
        Twins(alone[place], record)
        for record in with_tools
        if record.is_graded and (place := _place(record)) in alone
    ]


def _place(record: Record) -> tuple[object, ...]:
    return EpisodeKey.of(record).task, record.agent, record.seed


def change(twins: Sequence[Twins], reads: Callable[[Record], bool]) -> Change:
    """Returns what tools change in the answers of some twins, by a reading."""
    without = [float(reads(one.without)) for one in twins]
    tooled = [float(reads(one.tooled)) for one in twins]
    videos = [video_of(one.tooled) for one in twins]
    differences = [after - before for before, after in zip(without, tooled, strict=True)]
    gained = [float(one > 0) for one in differences]
    harmed = [float(one < 0) for one in differences]
    return Change(
        rate(without, videos),
        rate(tooled, videos),
        bootstrap(differences, videos, (-1.0, 1.0)),
        rate(gained, videos),
        rate(harmed, videos),
        mcnemar(int(sum(gained)), int(sum(harmed))),
    )


def mcnemar(num_gained: int, num_harmed: int) -> float:
    """Returns the two-sided p-value of McNemar's exact test, which takes pairs for independent.

    If tools changed nothing, each pair that differs would be as likely a gain as a harm: this is
    how likely a split would be that is at least as uneven.

    Source: Q. McNemar, 1947, with the binomial distribution instead of its approximation.
    """
    number = num_gained + num_harmed
    tail = ways = 1
    for count in range(min(num_gained, num_harmed)):
        ways = ways * (number - count) // (count + 1)
        tail += ways
    return min(1.0, 2 * tail / (1 << number))


def needless(twins: Sequence[Twins]) -> Estimate | None:
    """Returns the share of calls on tasks that are right without tools; None without calls."""
    values, videos = [], []
    for one in twins:
        calls = num_calls(one.tooled)
        values += [float(is_right(one.without))] * calls
        videos += [video_of(one.tooled)] * calls
    return rate(values, videos) if values else None


def pairings(groups: Sequence[tuple[Rules, Agents]]) -> list[Pairing]:
    """Returns the twins of each agent by rules with tools, in order; none that are empty.

    The last group orders the agents.
    """
    alone = {rules: by_agent for rules, by_agent in groups if rules.max_turns == 1}
    found = []
    for agent in dict.fromkeys(agent for _, by_agent in groups[::-1] for agent in by_agent):
        for rules, by_agent in groups:
            without = alone.get(replace(rules, max_turns=1), {})
            if rules.max_turns > 1 and agent in by_agent and agent in without:
                twins = twins_of(by_agent[agent], without[agent])
                found += [(agent, rules, twins)] * bool(twins)
    return found


def by_tools(groups: Sequence[tuple[Rules, Agents]]) -> list[Sheet]:
    """Returns the tables of what tools change and cost; none if nothing was played without."""
    found = pairings(groups)
    return [_changes(found), _costs(found)] if found else []


def _changes(found: Sequence[Pairing]) -> Sheet:
    lines, labels_of = [], _labels(found)
    for agent, rules, twins in found:
        for name, reads in READINGS.items():
            told = change(twins, reads)
            cells = (told.without, told.tooled, told.difference, told.gain, told.harm)
            labels = (agent, labels_of[rules], name)
            lines.append(Line(labels, (len(twins), *cells, told.p_value)))
    return Sheet(
        "paired",
        "With tools and without, on the same tasks (mean, 95% interval)",
        ("agent", "most calls", "reading"),
        ("tasks", WITHOUT, WITH, "difference", "gain", "harm", "McNemar p"),
        tuple(lines),
        digits=3,
        main=("difference",),
        spared=("tasks",),
        reading=_reading(found),
    )


def _differences(found: Sequence[Pairing]) -> dict[Rules, str]:
    """Returns how rules differ in more than turns; nothing where they do not."""
    alone = {rules: replace(rules, max_turns=1) for _, rules, _ in found}
    names = names_of(list(dict.fromkeys(alone.values())))
    return {rules: names[same] for rules, same in alone.items()}


def _labels(found: Sequence[Pairing]) -> dict[Rules, str]:
    """Returns the most calls that rules allow, and how else they differ."""
    return {
        rules: ", ".join(filter(None, (str(rules.max_turns - 1), difference)))
        for rules, difference in _differences(found).items()
    }


def _reading(found: Sequence[Pairing]) -> str:
    """Returns whom the most turns help, by the intervals of the differences."""
    most, differences = max(rules.max_turns for _, rules, _ in found), _differences(found)
    by_rules = grouped([one for one in found if one[1].max_turns == most], lambda one: one[1])
    allowed = f"with at most {number_of(most - 1, 'call')}"
    said = [
        f"{allowed}{f' ({differences[rules]})' * bool(differences[rules])}, tools {_verdicts(own)}"
        for rules, own in by_rules.items()
    ]
    return (
        f"What it shows: {'; '.join(said)} (in accuracy on the same tasks, with 95% confidence)."
        + "".join(map(_silence, by_rules.values()))
    )


def _verdicts(found: Sequence[Pairing]) -> str:
    """Returns whom the tools of one set of rules help, harm, or neither."""
    verdicts: dict[str, list[str]] = {"help": [], "harm": [], "are too close to call for": []}
    for agent, _, twins in found:
        difference = change(twins, is_right).difference
        verdict = "help" if difference.low > 0 else "harm" if difference.high < 0 else ""
        verdicts[verdict or "are too close to call for"].append(agent)
    return "; ".join(f"{verdict} {listed(names)}" for verdict, names in verdicts.items() if names)


def _silence(found: Sequence[Pairing]) -> str:
    """Returns which agents of one set of rules often do not answer without tools, if any."""
    silent = [
        f"{listed([agent])} answers {share:.0%} of its tasks"
        for agent, _, twins in found
        if (share := sum(map(_answers, twins)) / len(twins)) < MOSTLY
    ]
    told = f" Without tools, {', '.join(silent)}: such a gain includes answering at all."
    return told if silent else ""


def _answers(twins: Twins) -> bool:
    """Returns whether an agent answers without tools."""
    return twins.without.answer is not None


def _costs(found: Sequence[Pairing]) -> Sheet:
    of_agents = [
        (agent, rules, twins, side, records)
        for agent, rules, twins in found
        for side, records in (
            (WITHOUT, [one.without for one in twins]),
            (WITH, [one.tooled for one in twins]),
        )
    ]
    used = sorted({name for *_, records in of_agents for one in records for name in one.usage})
    lines, labels_of = [], _labels(found)
    for agent, rules, twins, side, records in of_agents:
        cells: list[Cell] = [_mean([float(num_calls(one)) for one in records], records)]
        cells.append(needless(twins) if side == WITH else None)
        videos = [video_of(one) for one in records]
        cells.append(rate([float(one.answer is not None) for one in records], videos))
        cells.append(_mean([float(len(one.turns)) for one in records], records))
        cells.append(_mean([float(one.frames_used) for one in records], records))
        cells.append(_mean([one.agent_s + one.decode_s for one in records], records))
        for name in used:
            told = [one for one in records if name in one.usage]
            cells.append(_mean([one.usage[name] for one in told], told))
        lines.append(Line((agent, labels_of[rules], side), tuple(cells)))
    return Sheet(
        "paired_costs",
        "What an episode took with tools and without (mean, 95% interval);\n"
        "needless: share of the calls that were on tasks answered right without tools",
        ("agent", "most calls", "tools"),
        ("calls", "needless", "answered", "rounds", "frames", "seconds", *used),
        tuple(lines),
        main=("calls",),
    )


def _mean(values: Sequence[float], records: Sequence[Record]) -> Estimate | None:
    return bootstrap(values, [video_of(one) for one in records]) if values else None
