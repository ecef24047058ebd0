"""Tables of numbers, and how they are written: for a terminal, as Markdown, as CSV.

Names of agents, categories and counters come from others: they are shown, never obeyed.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from rich.markup import escape
from rich.table import Table

from benchmarks.estimates import Estimate

__all__ = ["Cell", "Line", "Sheet", "as_words", "plain", "to_csv", "to_markdown", "to_table"]

Cell = Estimate | float | int | None
Value = str | float | int

NONE = "-"
FEW = 4
"""Columns that leave room for intervals beside their means."""
LARGE = 100
"""Larger numbers are shown without decimals."""
VALUES = ("column", "count", "mean", "low", "high")
WORDS = re.compile(r"(?!.*www\.)[A-Za-z0-9().]+([ _-][A-Za-z0-9().]+)*")
"""What means nothing else in Markdown."""
PUNCTUATION = re.compile("[!-/:-@[-`{-~]")
FORMULA = tuple("=+-@")
"""A spreadsheet takes what begins so for something to reckon."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is said of one thing."""

    labels: tuple[str, ...]
    """What it is: one for each label of the sheet."""
    cells: tuple[Cell, ...]
    """One for each column of the sheet. None: there is nothing to tell."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of numbers."""

    name: str
    """One word, for other programs."""
    title: str
    labels: tuple[str, ...]
    """What the first columns hold, such as `agent`."""
    columns: tuple[str, ...]
    """What is measured."""
    lines: tuple[Line, ...]
    digits: int = 2
    """Decimals that are shown."""
    turned: str = ""
    """If given, people are shown lines as columns, and columns as lines under this label."""


def plain(text: str) -> str:
    """Returns text as it can be shown to people: what steers a terminal is spelt out."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def for_people(sheet: Sheet) -> Sheet:
    """Returns the sheet as people are shown it: one with many wide columns may be turned."""
    if not sheet.turned:
        return sheet
    columns = tuple(" ".join(line.labels) for line in sheet.lines)
    lines = [
        Line((column,), tuple(line.cells[index] for line in sheet.lines))
        for index, column in enumerate(sheet.columns)
    ]
    return replace(sheet, labels=(sheet.turned,), columns=columns, lines=tuple(lines), turned="")


def to_table(sheet: Sheet) -> Table:
    """Returns the sheet for a terminal. A first label that is the one above it is left out."""
    sheet = for_people(sheet)
    table = Table(title=escape(sheet.title), title_justify="left")
    for label in sheet.labels:
        table.add_column(label, overflow="fold")
    for column in sheet.columns:
        table.add_column(escape(plain(column)), justify="right", overflow="fold")
    is_wide = len(sheet.columns) > FEW
    above = None
    for line in sheet.lines:
        shown = [escape(plain(label)) for label in line.labels]
        if len(shown) > 1:
            if line.labels[0] == above:
                shown[0] = ""
            else:
                table.add_section()
            above = line.labels[0]
        table.add_row(*shown, *(_with_style(cell, sheet.digits, is_wide) for cell in line.cells))
    return table


def _with_style(cell: Cell, digits: int, is_wide: bool) -> str:
    """Returns a cell for a terminal: in a wide table, an interval stands below its mean."""
    mean, interval = _parts(cell, digits)
    if not interval:
        return mean
    return f"{mean}\n[dim]{interval}[/]" if is_wide else f"{mean} [dim]({interval})[/]"


def _parts(cell: Cell, digits: int) -> tuple[str, str]:
    """Returns what a cell says: its number, and its interval if it has one."""
    if not isinstance(cell, Estimate):
        return _number(cell, digits), ""
    mean, low, high = (_number(value, digits) for value in (cell.mean, cell.low, cell.high))
    return mean, f"{low}..{high}"


def _number(value: float | None, digits: int) -> str:
    """Returns a number for people."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return str(value)
    return f"{value:.{0 if abs(value) >= LARGE else digits}f}"


def to_markdown(sheet: Sheet) -> str:
    """Returns the sheet as a heading and a table in GitHub's Markdown."""
    sheet = for_people(sheet)
    head = [*sheet.labels, *map(as_words, sheet.columns)]
    rule = ["---"] * len(sheet.labels) + ["---:"] * len(sheet.columns)
    rows = [
        [*map(as_words, line.labels), *(_on_a_line(cell, sheet.digits) for cell in line.cells)]
        for line in sheet.lines
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
    return f"### {sheet.title}\n\n{table}\n"


def _on_a_line(cell: Cell, digits: int) -> str:
    """Returns a cell, an interval after its mean."""
    mean, interval = _parts(cell, digits)
    return f"{mean} ({interval})" if interval else mean


def as_words(text: str) -> str:
    """Returns text so that Markdown takes all of it for words; simple words stay as they are."""
    if WORDS.fullmatch(text):
        return text
    return PUNCTUATION.sub(r"\\\g<0>", plain(text)) or NONE


def to_csv(sheets: Sequence[tuple[Mapping[str, str], Sheet]]) -> str:
    """Returns every number of sheets on a line of its own.

    Args:
        sheets: each with what it is about: names and values, which stand before it.
    """
    rows = [
        {**about, "table": sheet.name, **dict(zip(sheet.labels, line.labels, strict=True)), **cell}
        for about, sheet in sheets
        for line in sheet.lines
        for cell in _in_cells(sheet, line)
    ]
    texts = dict.fromkeys(name for row in rows for name in row if name not in VALUES)
    file = io.StringIO()
    writer = csv.DictWriter(file, [*texts, *VALUES], restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _as_text(value) for name, value in row.items()} for row in rows)
    return file.getvalue()


def _in_cells(sheet: Sheet, line: Line) -> Iterator[dict[str, Value]]:
    """Yields the numbers of a line: what is measured, and how it came out."""
    for column, cell in zip(sheet.columns, line.cells, strict=True):
        if isinstance(cell, Estimate):
            yield {"column": column, **asdict(cell)}
        elif cell is not None:
            yield {"column": column, "mean": cell}


def _as_text(value: Value) -> str:
    """Returns a value for a file of numbers; what a spreadsheet would reckon gets an apostrophe."""
    if not isinstance(value, str):
        return f"{value:.9g}"
    text = plain(value)
    return f"'{text}" if text.startswith(FORMULA) else text
