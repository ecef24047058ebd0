"""The leaderboard in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.leaderboard import ALL, METRICS, Estimate, OfficialRow, Row, chance, officials
from zoomgym.records import Record

__all__ = ["show_table"]

READINGS = ("strict", "official")


def show_table(console: Console, rows: Sequence[Row], records: Sequence[Record]) -> None:
    """Prints every metric over all tasks, accuracy by category, and benchmarks' own scores."""
    console.print(_overall([row for row in rows if row.category == ALL]))
    console.print(_by_category(rows, records))
    if official := officials(records):
        console.print(_official(official))


def _overall(rows: Sequence[Row]) -> Table:
    """Returns the table of every metric, a row an agent."""
    table = Table(title="All tasks (mean, 95% interval)", title_justify="left")
    table.add_column("agent")
    table.add_column("tasks", justify="right")
    for metric in METRICS:
        table.add_column(f"{metric.name}\n{metric.unit}".strip(), justify="right")
    for row in rows:
        found = [row.estimates.get(metric.name) for metric in METRICS]
        count = _count(row.num_episodes, row.num_ungraded)
        table.add_row(escape(row.agent), count, *map(_interval, found))
    return table


def _by_category(rows: Sequence[Row], records: Sequence[Record]) -> Table:
    """Returns the table of accuracy, a row an agent, a column a category."""
    categories = sorted({row.category for row in rows} - {ALL})
    by_place = {(row.agent, row.category): row.estimates.get("accuracy") for row in rows}
    table = Table(title="Accuracy by category (mean, 95% interval)", title_justify="left")
    table.add_column("agent")
    for category in categories:
        table.add_column(escape(category) or "(none)", justify="right")
    for agent in dict.fromkeys(row.agent for row in rows):
        found = [by_place.get((agent, category)) for category in categories]
        table.add_row(escape(agent), *map(_interval, found))
    own = [[record for record in records if record.task.category == c] for c in categories]
    table.add_section()
    table.add_row("(chance)", *(f"{chance(some):.2f}" for some in own))
    return table


def _official(rows: Sequence[OfficialRow]) -> Table:
    """Returns the table of benchmarks' own scores, with the groups that they report."""
    table = Table(
        title="Public benchmarks, averaged as each does: our strict reading beside its own\n"
        "scorer's (official); parted: tasks that the two read differently",
        title_justify="left",
    )
    for index, name in enumerate(("benchmark", "agent", "group", "tasks", *READINGS, "parted")):
        table.add_column(name, justify="right" if index > 2 else "left")
    for row in rows:
        score = row.comparison
        table.add_section()
        table.add_row(
            escape(row.task_set),
            escape(row.agent),
            "mean of groups" if score.is_macro else ALL,
            _count(score.num_tasks + row.num_ungraded, row.num_ungraded),
            f"{score.strict:.3f}",
            f"{score.official:.3f}",
            str(len(score.parted)),
        )
        for group in score.groups:
            scores = f"{group.strict:.3f}", f"{group.official:.3f}"
            table.add_row(
                "", "", escape(f"{group.kind}: {group.name}"), str(group.num_tasks), *scores
            )
    return table


def _count(num_episodes: int, num_ungraded: int) -> str:
    """Returns a number of episodes, and below it how many of them nobody could grade."""
    return f"{num_episodes}\n{num_ungraded} ungraded" if num_ungraded else str(num_episodes)


def _interval(estimate: Estimate | None) -> str:
    """Returns an estimate, and below it its interval."""
    if estimate is None:
        return "-"
    return f"{estimate.mean:.2f}\n[dim]{estimate.low:.2f}..{estimate.high:.2f}[/]"
