"""The leaderboard itself: every metric, accuracy by category, and benchmarks' own scores."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from rich.console import Console

from benchmarks.evaluation.coverage import extent_sheet, shortfalls
from benchmarks.evaluation.formats import Cell, Line, Sheet, to_table
from benchmarks.evaluation.metrics import ALL, METRICS, OfficialRow, Row, chance, officials
from benchmarks.evaluation.suites import Suite
from benchmarks.evaluation.summary import reading
from zoomgym.records import Record

__all__ = ["ranking", "show_table"]

READINGS = ("strict", "official")


def show_table(
    console: Console, rows: Sequence[Row], records: Sequence[Record], suite: Suite | None = None
) -> None:
    """Prints every metric over all tasks, accuracy by category, and benchmarks' own scores."""
    for sheet in ranking(rows, records, suite):
        console.print(to_table(sheet))


def ranking(
    rows: Sequence[Row], records: Sequence[Record], suite: Suite | None = None
) -> list[Sheet]:
    """Returns the tables of a leaderboard, after that of what is missing, if there is any.

    Args:
        rows: the leaderboard's.
        records: those it was made from.
        suite: theirs, if it is not built in.
    """
    pooled = [row for row in rows if row.category == ALL]
    official = officials(records)
    missing = {one.agent: one for one in shortfalls(records, suite)}
    extents = [missing[row.agent] for row in pooled if row.agent in missing]
    return [
        *([extent_sheet(extents)] * bool(extents)),
        replace(_overall(pooled), reading=reading(pooled, records)),
        _by_category(rows, records),
        *([_official(official)] * bool(official)),
    ]


def _overall(rows: Sequence[Row]) -> Sheet:
    """Returns the table of every metric, a line an agent."""
    counts = _count_columns(any(row.num_ungraded for row in rows))
    lines = [
        Line(
            (row.agent,),
            (
                *(row.num_episodes, row.num_ungraded)[: len(counts)],
                *(row.estimates.get(metric.name) for metric in METRICS),
            ),
        )
        for row in rows
    ]
    measured = tuple(f"{metric.name} {metric.unit}".strip() for metric in METRICS)
    title = "All tasks (mean, 95% interval)"
    return Sheet(
        "agents",
        title,
        ("agent",),
        (*counts, *measured),
        tuple(lines),
        main=("accuracy", "reward"),
        spared=("tool", "format", "grounding", "tasks"),
    )


def _count_columns(has_ungraded: bool) -> tuple[str, ...]:
    """Returns the columns that count episodes; one is for those whose answer nobody could grade."""
    return ("tasks", "ungraded") if has_ungraded else ("tasks",)


def _by_category(rows: Sequence[Row], records: Sequence[Record]) -> Sheet:
    """Returns the table of accuracy, a line an agent, a column a category."""
    categories = sorted({row.category for row in rows} - {ALL})
    by_place = {(row.agent, row.category): row.estimates.get("accuracy") for row in rows}
    lines = [
        Line((agent,), tuple(by_place.get((agent, category)) for category in categories))
        for agent in dict.fromkeys(row.agent for row in rows)
    ]
    own = [[record for record in records if record.task.category == c] for c in categories]
    lines.append(Line(("(chance)",), tuple(map(chance, own))))
    columns = tuple(category or "(none)" for category in categories)
    title = "Accuracy by category (mean, 95% interval)"
    return Sheet("categories", title, ("agent",), columns, tuple(lines))


def _official(rows: Sequence[OfficialRow]) -> Sheet:
    """Returns the table of benchmarks' own scores, with the groups that they report."""
    counts = _count_columns(any(row.num_ungraded for row in rows))
    return Sheet(
        "benchmarks",
        "Public benchmarks, averaged as each does: our strict reading beside its own\n"
        "scorer's (official); parted: tasks that the two read differently",
        ("benchmark", "agent", "group"),
        (*counts, *READINGS, "parted"),
        tuple(line for row in rows for line in _official_lines(row, len(counts))),
        digits=3,
        spared=("parted",),
    )


def _official_lines(row: OfficialRow, num_counts: int) -> Iterator[Line]:
    """Yields the line of an agent on a benchmark, and those of its groups."""
    score, place = row.comparison, (row.task_set, row.agent)
    counts: tuple[Cell, ...] = (score.num_tasks + row.num_ungraded, row.num_ungraded)
    yield Line(
        (*place, "mean of groups" if score.is_macro else ALL),
        (*counts[:num_counts], score.strict, score.official, len(score.parted)),
    )
    for group in score.groups:
        counts = (group.num_tasks, None)
        yield Line(
            (*place, f"{group.kind}: {group.name}"),
            (*counts[:num_counts], group.strict, group.official, None),
        )
