"""Tables of numbers, written for a terminal, as Markdown, and as CSV.

Names of agents, categories and counters come from others: they are cleaned and escaped.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from rich.cells import cell_len, chop_cells
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from benchmarks.evaluation.statistics import Estimate
from zoomgym.io import plain

Cell = Estimate | float | int | None
Value = str | float | int

NONE = "-"
LABEL_WIDTHS = (60, 30, 20)
"""Columns of a terminal that a label may take before it wraps."""
HEAD, WORD = 6, 14
"""Columns that the head of a column may take, and a long word in it."""
WIDEST = 10_000
"""Columns of an imaginary terminal, wider than any real one."""
INTERVAL = "95% interval"
LARGE = 100
"""Numbers from here on are shown without decimals."""
VALUES = ("column", "count", "mean", "low", "high")
WORDS = re.compile(r"(?!.*www\.)[A-Za-z0-9().]+([ _-][A-Za-z0-9().]+)*")
"""Text that Markdown shows as it is."""
PUNCTUATION = re.compile("[!-/:-@[-`{-~]")
FORMULA = tuple("=+-@")
"""First characters that make a cell a formula in a spreadsheet."""


MARKS = r"(?:[-:/@_]|\.(?=[a-zA-Z]))"
PARTS = re.compile(rf"(?:(?!{MARKS})\S)+{MARKS}*\s?|{MARKS}+\s?")
"""Matches the parts of names and words. A line may end after each part."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a table."""

    labels: tuple[str, ...]
    """One for each label of the sheet: the names of its subject."""
    cells: tuple[Cell, ...]
    """One for each column of the sheet; None is shown as a dash."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table of numbers."""

    name: str
    """One word, for CSV."""
    title: str
    labels: tuple[str, ...]
    """Heads of the first columns, such as `agent`."""
    columns: tuple[str, ...]
    """Heads of the measured columns."""
    lines: tuple[Line, ...]
    digits: int = 2
    """Decimals shown."""
    turned: str = ""
    """If given, people see lines as columns, and columns as lines under this label."""
    main: tuple[str, ...] = ()
    """Columns that keep their intervals on a narrow terminal."""
    spared: tuple[str, ...] = ()
    """Columns that a narrow terminal leaves out, in this order."""
    reading: str = ""
    """A sentence about the result, printed below the table."""


def _for_people(sheet: Sheet) -> Sheet:
    """Returns the sheet as people see it: turned, if it says so."""
    if not sheet.turned:
        return sheet
    columns = tuple(" ".join(line.labels) for line in sheet.lines)
    lines = [
        Line((column,), tuple(line.cells[index] for line in sheet.lines))
        for index, column in enumerate(sheet.columns)
    ]
    return Sheet(sheet.name, sheet.title, (sheet.turned,), columns, tuple(lines), sheet.digits)


def to_table(sheet: Sheet) -> "_FittedTable":
    """Returns the sheet for a terminal. A first label equal to the one above is left out."""
    return _FittedTable(_for_people(sheet))


@dataclass(frozen=True, slots=True)
class _FittedTable:
    """A sheet on a terminal: as much of it as fits, and no number broken."""

    sheet: Sheet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yields the fullest table that fits, or else the columns in the fewest tables."""
        width = options.max_width
        shapes = list(_shapes(self.sheet))
        fitting = (shape for shape in shapes if _width(self.sheet, shape, console) <= width)
        shape = next(fitting, None) or _in_fewest_tables(self.sheet, shapes, console, width)
        yield Text(_title(self.sheet, shape), style="italic")
        for band in _bands(self.sheet, shape, console, width):
            yield _draw(self.sheet, band)
        if self.sheet.reading:
            yield Text(self.sheet.reading)
        if told := _left_out(self.sheet, shape):
            yield Text(f"Left out at {width} columns: {told}.", style="dim")


@dataclass(frozen=True, slots=True)
class _Shape:
    """The part of a sheet that is shown."""

    columns: tuple[int, ...]
    """Positions of those that are shown."""
    intervals: frozenset[int]
    """Positions of those that are shown with intervals."""
    label_width: int


def _shapes(sheet: Sheet) -> Iterator[_Shape]:
    """Yields the shapes of a sheet, the fullest first."""
    every = tuple(range(len(sheet.columns)))
    places = {column: place for place, column in enumerate(sheet.columns)}
    main = [places[column] for column in sheet.main]
    spared = [places[column] for column in sheet.spared]
    kept = [
        tuple(place for place in every if place not in spared[:count])
        for count in range(len(spared) + 1)
    ]
    plans = [(every, frozenset(every))]
    plans += [(columns, frozenset(main)) for columns in kept if main]
    plans += [(kept[-1], frozenset(main[:count])) for count in reversed(range(max(1, len(main))))]
    for columns, intervals in plans:
        for label_width in LABEL_WIDTHS:
            yield _Shape(columns, intervals, label_width)


def _bands(sheet: Sheet, shape: _Shape, console: Console, width: int) -> Iterator[_Shape]:
    """Yields shapes that split the columns of one, each as wide as fits."""
    rest = shape.columns
    while rest or not shape.columns:
        count = len(rest)
        while count > 1 and _width(sheet, replace(shape, columns=rest[:count]), console) > width:
            count -= 1
        yield replace(shape, columns=rest[:count])
        rest = rest[count:]
        if not shape.columns:
            return


def _in_fewest_tables(
    sheet: Sheet, shapes: Sequence[_Shape], console: Console, width: int
) -> _Shape:
    """Returns the shape that needs the fewest tables; of these, the one with most intervals."""
    last = shapes[-1]
    plans = [
        shape
        for shape in shapes
        if len(shape.intervals) <= len(sheet.main)
        and (shape.columns, shape.label_width) == (last.columns, last.label_width)
    ]
    return min(plans, key=lambda shape: len(list(_bands(sheet, shape, console, width))))


def _width(sheet: Sheet, shape: _Shape, console: Console) -> int:
    options = console.options.update(width=WIDEST)
    return Measurement.get(console, options, _draw(sheet, shape)).maximum


def _draw(sheet: Sheet, shape: _Shape) -> Table:
    """Returns the table of a shape, its columns as wide as their content."""
    table = Table()
    for label in sheet.labels:
        table.add_column(label, max_width=shape.label_width, overflow="fold")
    cells = [
        [_parts(line.cells[place], sheet.digits, place in shape.intervals) for line in sheet.lines]
        for place in shape.columns
    ]
    for place, own in zip(shape.columns, cells, strict=True):
        widest = max((cell_len("".join(cell)) for cell in own), default=1)
        head = _wrapped(plain(sheet.columns[place]), widest)
        width = max(widest, *map(cell_len, head))
        table.add_column(escape("\n".join(head)), width=width, justify="right", no_wrap=True)
    above = None
    for index, line in enumerate(sheet.lines):
        shown = [
            escape("\n".join(_folded(plain(label), shape.label_width))) for label in line.labels
        ]
        if len(shown) > 1:
            if line.labels[0] == above:
                shown[0] = ""
            else:
                table.add_section()
            above = line.labels[0]
        table.add_row(*shown, *(f"{own[index][0]}[dim]{own[index][1]}[/]" for own in cells))
    return table


def _wrapped(head: str, width: int) -> list[str]:
    """Returns the head of a column in lines; only very long words break."""
    longest = max(map(len, head.split()), default=0)
    return _folded(head, max(width, HEAD, min(longest, WORD)))


def _folded(text: str, width: int) -> list[str]:
    """Returns text in lines of a width; a long name breaks after one of its marks."""
    lines = [""]
    for part in PARTS.findall(" ".join(text.split())):
        line = lines[-1] + part
        if cell_len(line.rstrip()) > width:
            lines, line = [*lines, ""] if lines[-1] else lines, part
        *full, rest = chop_cells(line.rstrip(), width) or [""]
        lines[-1:] = [*full, rest + " " * line.endswith(" ")]
    return [line.rstrip() for line in lines]


def _title(sheet: Sheet, shape: _Shape) -> str:
    if shape.intervals:
        return sheet.title
    return sheet.title.replace(f" ({INTERVAL})", "").replace(f", {INTERVAL}", "")


def _left_out(sheet: Sheet, shape: _Shape) -> str:
    columns = [name for place, name in enumerate(sheet.columns) if place not in shape.columns]
    has_more = any(
        isinstance(line.cells[place], Estimate)
        for line in sheet.lines
        for place in shape.columns
        if place not in shape.intervals
    )
    intervals = f"{'other ' if shape.intervals else ''}intervals"
    return ", ".join([*map(plain, columns), *([intervals] * has_more)])


def _parts(cell: Cell, digits: int, with_interval: bool = True) -> tuple[str, str]:
    """Returns the number of a cell, and its interval in the one form."""
    if not isinstance(cell, Estimate):
        return _number(cell, digits), ""
    mean, low, high = (_number(value, digits) for value in (cell.mean, cell.low, cell.high))
    return mean, f" ({low}..{high})" if with_interval else ""


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return NONE
    if isinstance(value, int):
        return str(value)
    return f"{value:.{0 if abs(value) >= LARGE else digits}f}"


def to_markdown(sheet: Sheet) -> str:
    """Returns the sheet as a heading and a table in GitHub's Markdown."""
    sheet = _for_people(sheet)
    head = [*sheet.labels, *map(as_words, sheet.columns)]
    rule = ["---"] * len(sheet.labels) + ["---:"] * len(sheet.columns)
    rows = [
        [*map(as_words, line.labels), *("".join(_parts(c, sheet.digits)) for c in line.cells)]
        for line in sheet.lines
    ]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
    return f"### {sheet.title}\n\n{table}\n"


def as_words(text: str) -> str:
    """Returns text so that Markdown shows it as it is."""
    if WORDS.fullmatch(text):
        return text
    return PUNCTUATION.sub(r"\\\g<0>", plain(text)) or NONE


def to_csv(sheets: Sequence[tuple[Mapping[str, str], Sheet]]) -> str:
    """Returns every number of the sheets on a line of its own, after its labels."""
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
    """Yields the numbers of a line by column."""
    for column, cell in zip(sheet.columns, line.cells, strict=True):
        if isinstance(cell, Estimate):
            yield {"column": column, **asdict(cell)}
        elif cell is not None:
            yield {"column": column, "mean": cell}


def _as_text(value: Value) -> str:
    """Returns a value for CSV; what a spreadsheet would calculate gets an apostrophe."""
    if not isinstance(value, str):
        return f"{value:.9g}"
    text = plain(value)
    return f"'{text}" if text.startswith(FORMULA) else text
