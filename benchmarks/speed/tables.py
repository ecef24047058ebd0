"""The form of the tables that the measurements print."""

from collections.abc import Sequence

from rich.table import Table


def number_table(title: str, labels: Sequence[str], numbers: Sequence[str]) -> Table:
    """Returns an empty table: columns of labels, then columns of numbers, which align right."""
    table = Table(title=title, title_justify="left")
    for name in labels:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right")
    return table
