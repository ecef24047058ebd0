"""The leaderboard in a terminal."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.leaderboard import ALL, METRICS, Estimate, Row, chance
from zoomgym.records import Record

__all__ = ["show_table"]


def show_table(console: Console, rows: Sequence[Row], records: Sequence[Record]) -> None:
    """Prints two tables: every metric over all tasks, and accuracy by category."""
    console.print(_overall([row for row in rows if row.category == ALL]))
    console.print(_by_category(rows, records))


def _overall(rows: Sequence[Row]) -> Table:
    """Returns the table of every metric, a row an agent."""
    table = Table(title="All tasks (mean, 95% interval)", title_justify="left")
    table.add_column("agent")
    table.add_column("tasks", justify="right")
    for metric in METRICS:
        table.add_column(f"{metric.name}\n{metric.unit}".strip(), justify="right")
    for row in rows:
        cells = [
            f"{row.estimates[m.name].mean:.2f}\n[dim]{_bounds(row.estimates[m.name])}[/]"
            for m in METRICS
        ]
        table.add_row(row.agent, str(row.num_episodes), *cells)
    return table


def _by_category(rows: Sequence[Row], records: Sequence[Record]) -> Table:
    """Returns the table of accuracy, a row an agent, a column a category."""
    categories = sorted({row.category for row in rows} - {ALL})
    by_place = {(row.agent, row.category): row.estimates["accuracy"] for row in rows}
    table = Table(title="Accuracy by category", title_justify="left")
    table.add_column("agent")
    for category in categories:
        table.add_column(category or "(none)", justify="right")
    for agent in dict.fromkeys(row.agent for row in rows):
        found = [by_place.get((agent, category)) for category in categories]
        table.add_row(agent, *(_interval(cell) if cell else "-" for cell in found))
    own = [[record for record in records if record.task.category == c] for c in categories]
    table.add_section()
    table.add_row("(chance)", *(f"{chance(some):.2f}             " for some in own))
    return table


def _interval(estimate: Estimate) -> str:
    """Returns an estimate as text."""
    return f"{estimate.mean:.2f} {_bounds(estimate)}"


def _bounds(estimate: Estimate) -> str:
    """Returns the interval of an estimate as text."""
    return f"{estimate.low:.2f}..{estimate.high:.2f}"
