"""Records that a stranger has forged: an error that names file and line, or tables and a page.

Whatever a record says, nothing crashes or hangs, no private file is read, nothing is written but
what was asked for, and neither terminal, page, Markdown nor spreadsheet obeys it.
"""

import csv
import io
import json
import os
import random
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.leaderboard import as_csv, as_markdown, blocks, read_all, show
from benchmarks.page.write import write_report
from tests.benchmarks.episodes import RIGHT, WRONG, played, zoom
from zoomgym.errors import RecordError
from zoomgym.records import Record, read_records
from zoomgym.rules.overview import Overview
from zoomgym.rules.search import Found
from zoomgym.rules.settings import Rules
from zoomgym.tasks.catalog import open_task_set
from zoomgym.tasks.synthetic import FAMILIES

pytestmark = pytest.mark.slow

NUM_LINES = 20_000
"""Mutated lines that are read."""
NUM_SHOWN = 20
"""Of those that are still records: so many go into tables and a page."""
MOST_READING_S, MOST_SHOWING_S = 0.5, 20
"""Of processor time, for one record: a hundred times what an honest one takes."""
SECRET = "the secret of the house"
MARK = "<img src=x onerror=evil()>"
TEXTS = (
    "", " ", "A", "0", "-1", MARK, "</script><script>evil()</script>", "]]>", "{{ 7*7 }}",
    "[red]x[/]", "[/]", "[link=http://evil]x", "\\", "\\[", "\x1b[2J\x1b[31m", "\x07", "a\nb", "\r",
    "\u202e", "\u2028", "\ud800", "\x00", "=cmd|'/c calc'!A1", "+1", "-1+1", "@x", "|", "`", "<!--",
    "![x](http://evil)", "a" * 9_999, "a" * 10_001, "\U0001f600" * 300, "é", "/dev/zero", "../..",
    "synthetic", "synthetic:count", "synthetic:x", "videomme", "mmvu", "ungraded", "judge:m",
    "quick-v0", "standard-v0", "calls-v0", "oracle", "A. 7", "\\boxed{A}", "1e999", "hard",
)  # fmt: skip
NUMBERS = (
    0, -0.0, 1, -1, 0.5, 2, 64, 100, -100, 128, 1e16, 1e300, -1e300, 5e-324, 1.7e308, 10**18,
    10**30, 10**400, 59.75, 60, 60.1, 36_000, 864_000, 864_001, 1e-9,
)  # fmt: skip
ATOMS = (*TEXTS, *NUMBERS, None, True, False)
RAW = ("NaN", "-Infinity", "1e999", "-1e999", "1" * 5000, '{"a":1,"a":2}', "[" * 30 + "]" * 30)
"""What `json.dumps` does not write."""
SHOWN: tuple[tuple[Any, ...], ...] = (
    ("agent",), ("suite",), ("version",), ("grading",), ("task_set",), ("answer",), ("key",),
    ("task", "category"), ("task", "question"), ("task", "id"), ("task", "video"),
    ("task", "options", 1), ("settings", "difficulty"), ("settings", "split"),
    ("settings", "source"), ("turns", 0, "reply"), ("turns", 0, "feedback"), ("turns", 0, "error"),
    ("rules", "overview"), ("settings", "overview"), ("rules", "finder"), ("settings", "finder"),
)  # fmt: skip
"""Where the texts are that people are shown."""

Row = dict[str, Any]
Place = tuple[Any, ...]


def searched() -> Record:
    """Returns the record of an episode with a search and a crop."""
    replies = ('{"find": "a car", "segment": [0, 600]}', '{"crop": [0, 0, 1, 1], "at": 20.3}')
    rules = Rules(tools=("zoom", "crop", "find"), finder="mine:score").by_name()
    return played(*replies, RIGHT, find=lambda call: Found((20.3, 5.0), 240), **rules)


def bases(folder: Path) -> list[Row]:
    """Returns rows of honest records: synthetic, of a benchmark, open-ended, of a private set."""
    records = [played(zoom(20, 21, 10), zoom(30, 31, 8), RIGHT), played("hm", WRONG)]
    for family in FAMILIES:
        task = open_task_set(f"synthetic:{family}", split="test", source="scene")[3]
        records.append(played(zoom(5, 7, 8), RIGHT, task=task))
    rows: list[Row] = [json.loads(record.to_json()) for record in records]
    for row in rows[2:]:
        family = f"synthetic:{row['task']['category']}"
        row["task_set"], row["settings"]["tasks"], row["settings"]["source"] = (
            family,
            family,
            "file",
        )
        row["last_frame_s"] = 59 + 11 / 12
    rows[0]["task_set"], rows[0]["settings"]["tasks"] = "private.jsonl", f"{folder}/private.jsonl"
    rows[0]["usage"] = {"tokens": 7, "cost": 0.5}
    rows[1]["task_set"], rows[1]["task"]["labels"] = "videomme", [["duration", "long"]]
    rows.append(json.loads(searched().to_json()))
    rows[-1]["settings"] |= rows[-1]["rules"]
    rules = Rules(num_overview=(0, 4, 9), overview="mine:pick").by_name()
    shown = Overview((0.5, 3.0, 3.0, 9.0), 71)
    picked = played(zoom(20, 21, 10), RIGHT, picked=shown, **rules)
    rows.append(json.loads(picked.to_json()))
    rows[-1]["settings"] |= rows[-1]["rules"]
    return rows


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Yields where all values within a value are: keys from the outside in."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield (*here, key)
        yield from places(value[key], (*here, key))


def change(row: Row, rng: random.Random) -> None:
    """Changes one value somewhere in a row."""
    *path, key = rng.choice(list(places(row)))
    inner: Any = row
    for step in path:
        inner = inner[step]
    old = inner[key]
    match rng.randrange(12):
        case 0 | 1 | 2:
            inner[key] = rng.choice(ATOMS)
        case 3:
            inner[key] = rng.choice(TEXTS if isinstance(old, str) else NUMBERS)
        case 4:
            inner[key] = f"{old}{rng.choice(TEXTS)}" if isinstance(old, str) else [old]
        case 5 if isinstance(old, int | float) and abs(old) < 1e300:
            inner[key] = rng.choice((-old, old + 1, old - 1, old / 3, old * 10, float(old)))
        case 6 if isinstance(old, list) and len(json.dumps(old)) < 1000:
            inner[key] = old * rng.choice((0, 2, 50, 1001, 40_000))
        case 7:
            del inner[key]
        case 8:
            inner[key] = {"a": old, rng.choice(TEXTS): rng.choice(ATOMS)}
        case 9:
            inner[key] = f"@{rng.randrange(len(RAW))}@"
        case 10 if isinstance(inner, dict):
            inner[rng.choice(TEXTS)] = rng.choice(ATOMS)
        case _:
            other: Any = row
            for step in rng.choice(list(places(row))):
                other = other[step]
            inner[key] = json.loads(json.dumps(other))


def forged(row: Row, rng: random.Random) -> str:
    """Returns the line of a row with some changes."""
    row = json.loads(json.dumps(row))
    if rng.random() < 0.3:
        for *path, key in rng.sample(SHOWN, rng.randint(1, 4)):
            inner: Any = row
            for step in path:
                inner = inner[step]
            inner[key] = rng.choice(TEXTS)
        row["usage"] = {rng.choice(TEXTS): rng.choice(NUMBERS)} if rng.random() < 0.2 else {}
        return json.dumps(row)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        if row:
            change(row, rng)
    line = json.dumps(row)
    for index, raw in enumerate(RAW):
        line = line.replace(f'"@{index}@"', raw)
    if rng.random() < 0.1:
        place = rng.randrange(len(line))
        line = line[:place] + rng.choice('{}[]",:\\0n') + line[place + rng.randrange(3) :]
    return line


def read(line: str) -> Record | str:
    """Returns the record in a line, or the error."""
    try:
        return Record.from_json(line)
    except RecordError as error:
        return str(error)


def survivors(folder: Path, rng: random.Random, num_lines: int) -> Iterator[str]:
    """Yields those of some forged lines that are records; all others are refused."""
    rows = bases(folder)
    assert all(isinstance(read(json.dumps(row)), Record) for row in rows)
    for _ in range(num_lines):
        line = forged(rng.choice(rows), rng)
        began_s = time.process_time()
        outcome = read(line)
        assert time.process_time() - began_s < MOST_READING_S, line[:1000]
        if isinstance(outcome, Record):
            assert read(outcome.to_json()) == outcome
            yield line
        else:
            assert outcome.isprintable()
            assert len(outcome) < 1000


def test_a_forged_line_is_a_record_or_an_error(tmp_path: Path) -> None:
    num_records = sum(1 for _ in survivors(tmp_path, random.Random(0), NUM_LINES))
    assert NUM_LINES // 10 < num_records < NUM_LINES * 9 // 10  # both are tried


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags, self.handlers = set[str](), set[str]()
        self.num_scripts = 0
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.num_scripts += tag == "script"
        self.handlers |= {name for name, _ in attrs if name.startswith("on")}
        assert not {"src", "href"} & {
            name for name, value in attrs if value and not value.startswith(("#", "data:"))
        }


def replay_all(path: Path) -> list[Record] | str:
    """Returns the records of a file that are played again, or the error."""
    try:
        return read_all([path], is_replayed=True)
    except RecordError as error:
        return str(error)


def check_tables(records: list[Record]) -> None:
    """Shows records in a terminal, as Markdown and for a spreadsheet."""
    found = blocks(records)
    for width in (80, 132):
        out = io.StringIO()
        show(Console(file=out, width=width), found)
        assert all(sign.isprintable() or sign == "\n" for sign in out.getvalue())
    markdown = as_markdown(found)
    assert all(sign.isprintable() or sign == "\n" for sign in markdown)
    assert not re.search(r"(?<!\\)[<\[`]", markdown)
    for cells in csv.reader(io.StringIO(as_csv(found))):
        for cell in cells:
            assert cell.isprintable()
            assert re.fullmatch(r"-?[\d.e+-]+", cell) or not cell.startswith(tuple("=+-@\t\r"))


def check_page(records: list[Record], folder: Path) -> None:
    """Writes a page about records."""
    write_report(folder / "p.html", records[0].suite, records, cache_dir=folder / "cache")
    source = (folder / "p.html").read_text(encoding="utf-8")
    page = Page(source)
    assert not page.handlers
    assert page.num_scripts == 2  # the data, and the viewer
    assert "img" not in page.tags
    assert SECRET not in source
    assert not (folder / "cache").exists()


@pytest.mark.parametrize(("name", "index"), [("overview", -1), ("finder", -2)])
def test_no_name_of_a_picker_or_finder_is_obeyed(tmp_path: Path, name: str, index: int) -> None:
    row = bases(tmp_path)[index]
    lines = []
    for text in TEXTS:
        for place in ("rules", "settings"):
            row[place][name] = text
        record = read(json.dumps({**row, "suite": f"s{len(lines)}"}))
        if isinstance(record, str):
            assert record.isprintable()
            continue
        others = [record, replace(record, agent="b"), replace(record, agent="c")]
        check_tables(others)
        check_page(others, tmp_path)
        lines.append(text)
    assert MARK in lines
    assert "\u202e" in lines


def test_a_forged_record_makes_tables_and_a_page_that_do_not_obey_it(tmp_path: Path) -> None:
    rng = random.Random(1)
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "private.jsonl").write_text(f"{SECRET}\n")
    path, num_shown = tmp_path / "records.jsonl", 0
    for line in survivors(tmp_path, rng, NUM_LINES):
        row = json.loads(line)
        if rng.random() < 0.2:
            row["settings"]["tasks"] = rng.choice((f"{tmp_path}/pipe.jsonl", "/dev/zero"))
        rival = {**row, "agent": f"{row['agent']}*"}
        path.unlink(missing_ok=True)  # to write over a file makes the disk wait
        path.write_text(f"{json.dumps(row)}\n{json.dumps(rival)}\n")
        began_s = time.process_time()
        records = list(read_records(path))
        replayed = replay_all(path)
        assert replayed == records or SECRET not in str(replayed)
        check_tables(records)
        check_page(records, tmp_path)
        assert time.process_time() - began_s < MOST_SHOWING_S, line[:1000]
        num_shown += 1
        if num_shown == NUM_SHOWN:
            break
    assert num_shown == NUM_SHOWN
    assert {one.name for one in tmp_path.iterdir()} == {
        "p.html", "pipe.jsonl", "private.jsonl", "records.jsonl",
    }  # fmt: skip
