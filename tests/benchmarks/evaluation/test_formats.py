import csv
import io
import re

import pytest
from rich.console import Console

from benchmarks.evaluation.formats import Line, Sheet, to_csv, to_markdown, to_table
from benchmarks.evaluation.statistics import Estimate
from zoomgym.io.text import plain

HALF = Estimate(0.5, 0.25, 0.751, 8)
SHEET = Sheet(
    "pairs",
    "In pairs",
    ("agent", "against"),
    ("tasks", "gain"),
    (Line(("x", "y"), (8, HALF)), Line(("x", "z"), (0, None)), Line(("y", "z"), (1234, 123.4))),
)
HOSTILE = "[red]|`<b>\\|\u202e=_a_ http://x"


def shown(sheet: Sheet, width: int = 100) -> str:
    """Returns what a terminal shows."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        console.print(to_table(sheet))
    return capture.get()


def test_a_terminal_shows_names_numbers_and_intervals() -> None:
    rows = [line.strip("│┃").split("│") for line in shown(SHEET).splitlines() if "│" in line]
    assert [[cell.strip() for cell in row] for row in rows] == [
        ["x", "y", "8", "0.50 (0.25..0.75)"],
        ["", "z", "0", "-"],
        ["y", "z", "1234", "123"],
    ]


METRICS = ("tasks", "accuracy", "reward", "zooms a task", "seconds")
MEASURED = Sheet(
    "agents",
    "All tasks (mean, 95% interval)",
    ("agent",),
    METRICS,
    (Line(("coarse_to_fine",), (8, *(Estimate(0.69, 0.495, 0.951, 8),) * 4)),),
    main=("accuracy", "reward"),
    spared=("seconds", "tasks"),
)


@pytest.mark.parametrize(
    ("width", "row", "left_out"),
    [
        (120, ["8", *["0.69 (0.49..0.95)"] * 4], ""),
        (100, ["8", *["0.69 (0.49..0.95)"] * 2, "0.69", "0.69"], "other intervals"),
        (81, ["8", *["0.69 (0.49..0.95)"] * 2, "0.69"], "seconds, other intervals"),
        (60, ["0.69 (0.49..0.95)", "0.69", "0.69"], "tasks, seconds, other intervals"),
        (47, ["0.69", "0.69", "0.69"], "tasks, seconds, intervals"),
    ],
)
def test_a_narrow_terminal_is_shown_fewer_columns_and_no_broken_number(
    width: int, row: list[str], left_out: str
) -> None:
    printed = shown(MEASURED, width)
    assert max(map(len, printed.splitlines())) <= width
    [line] = [line for line in printed.splitlines() if "coarse_to_fine" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == ["coarse_to_fine", *row]
    told = " ".join(printed.split()).partition(f"Left out at {width} columns: ")[2]
    assert told == (f"{left_out}." if left_out else "")
    assert printed.startswith(
        "All tasks (mean, 95%" if "..." in str(row) or ".." in line else "All"
    )


@pytest.mark.parametrize(
    ("width", "rows"),
    [
        (46, [["0.69 (0.49..0.95)"], ["0.69", "0.69"]]),  # a second one takes a third table
        (30, [["0.69 (0.49..0.95)"], ["0.69 (0.49..0.95)"], ["0.69"]]),
    ],
)
def test_where_one_table_is_too_wide_intervals_stay_if_they_take_no_further_table(
    width: int, rows: list[list[str]]
) -> None:
    printed = shown(MEASURED, width)
    assert max(map(len, printed.splitlines())) <= width
    assert [
        [cell.strip() for cell in line.strip("│").split("│")][1:]
        for line in printed.splitlines()
        if "0.69" in line
    ] == rows
    assert "other intervals" in " ".join(printed.split())


def test_a_long_name_goes_on_after_a_mark_in_it() -> None:
    names = ("my_module:MyAgent", "chat:Qwen2.5-VL-7B-Instruct@http://localhost:8000/v1", "x" * 70)
    lines = tuple(Line((name,), (0.5, 0.5, 0.5)) for name in names)
    printed = shown(Sheet("c", "By category", ("agent",), names, lines), 80)
    rows = [[cell.strip() for cell in row.split("│")[1:-1]] for row in printed.splitlines()]
    labels = [row[0] for row in rows if row]
    assert labels == [
        "my_module:MyAgent",
        *("chat:Qwen2.5-VL-7B-Instruct@", "http://localhost:8000/v1"),
        *("x" * 30, "x" * 30, "x" * 10),
    ]
    heads = [row.split("┃")[2:-1] for row in printed.splitlines() if "┃" in row]
    assert [word for cell in heads if (word := cell[0].strip())] == ["my_module:", "MyAgent"]


@pytest.mark.parametrize("width", [30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 132, 200])
def test_every_number_stands_whole_at_every_width(width: int) -> None:
    names = tuple(f"a rather long category {index}" for index in range(9))
    agents = ("chat:model@http://localhost:8000/v1?max_concurrent=8", "b")
    cells = tuple(Estimate(index / 8, 0.0123, 0.9876, 8) for index in range(9))
    lines = tuple(Line((agent,), cells) for agent in agents)
    printed = shown(Sheet("c", "By category (mean, 95% interval)", ("agent",), names, lines), width)
    assert max(map(len, printed.splitlines())) <= width
    numbers = re.findall(r"\d\.\d\d(?: \(0\.01\.\.0\.99\))?(?= +│)", printed)
    wanted = [f"{one.mean:.2f}" for one in cells] * 2
    assert sorted(number[:4] for number in numbers) == sorted(wanted)
    assert "…" not in printed


def test_a_turned_table_has_a_column_for_each_line() -> None:
    sheet = Sheet(
        "f", "F", ("agent",), ("lost", "found"),
        (Line(("x",), (1, 2)), Line(("y",), (3, None))), turned="kind",
    )  # fmt: skip
    assert to_markdown(sheet) == (
        "### F\n\n| kind | x | y |\n| --- | ---: | ---: |\n| lost | 1 | 3 |\n| found | 2 | - |\n"
    )
    assert to_csv([({}, sheet)]).splitlines()[1] == "f,x,lost,,1,,"


def test_markdown_shows_an_interval_beside_its_mean() -> None:
    assert to_markdown(SHEET) == (
        "### In pairs\n\n"
        "| agent | against | tasks | gain |\n"
        "| --- | --- | ---: | ---: |\n"
        "| x | y | 8 | 0.50 (0.25..0.75) |\n"
        "| x | z | 0 | - |\n"
        "| y | z | 1234 | 123 |\n"
    )


def test_csv_has_a_line_for_each_number() -> None:
    text = to_csv([({"suite": "s"}, SHEET), ({"suite": "t"}, SHEET)])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == [
        "suite", "table", "agent", "against", "column", "count", "mean", "low", "high",
    ]  # fmt: skip
    assert [tuple(row.values()) for row in rows[:3]] == [
        ("s", "pairs", "x", "y", "tasks", "", "8", "", ""),
        ("s", "pairs", "x", "y", "gain", "8", "0.5", "0.25", "0.751"),
        ("s", "pairs", "x", "z", "tasks", "", "0", "", ""),
    ]
    assert len(rows) == 10


def test_names_of_others_are_shown_and_never_obeyed() -> None:
    sheet = Sheet("s", "S", ("agent",), (HOSTILE,), (Line((HOSTILE,), (1,)), Line(("=1+1",), (2,))))
    assert "[red]|`<b>\\|\\u202e=_a_ http://x" in shown(sheet)
    lines = to_markdown(sheet).splitlines()
    escaped = "\\[red\\]\\|\\`\\<b\\>\\\\\\|\\\\u202e\\=\\_a\\_ http\\:\\/\\/x"
    assert lines[2] == f"| agent | {escaped} |"
    assert lines[4] == f"| {escaped} | 1 |"
    [first, second] = csv.DictReader(io.StringIO(to_csv([({}, sheet)])))
    assert first["agent"] == first["column"] == "[red]|`<b>\\|\\u202e=_a_ http://x"
    assert second["agent"] == "'=1+1"
    assert plain("a\x1b[31m\u2066") == "a\\x1b[31m\\u2066"


def test_simple_names_stay_as_they_are_in_markdown() -> None:
    names = ("coarse_to_fine", "65 to 80", "0.1.0", "ppo-2 (small)", "")
    sheet = Sheet("s", "S", ("agent",), (), tuple(Line((name,), ()) for name in names))
    shown = [line.strip("| ") for line in to_markdown(sheet).splitlines()[4:]]
    assert shown == ["coarse_to_fine", "65 to 80", "0.1.0", "ppo-2 (small)", "-"]
    hostile = Sheet("s", "S", ("agent",), (), (Line(("www.x.com",), ()), Line(("_a_",), ())))
    assert to_markdown(hostile).splitlines()[4:] == ["| www\\.x\\.com |", "| \\_a\\_ |"]
