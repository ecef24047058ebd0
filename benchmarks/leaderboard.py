"""The command `python -m benchmarks.leaderboard`: records of agents, compared in tables."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.text import Text

from benchmarks.evaluation.comparable import (
    EpisodeKey,
    Made,
    check_synthetic,
    check_terms,
    in_order,
)
from benchmarks.evaluation.formats import Sheet, as_words, to_csv, to_markdown, to_table
from benchmarks.evaluation.grouping import grouped
from benchmarks.evaluation.metrics import ALL, Score, leaderboard
from benchmarks.evaluation.paired import by_tools
from benchmarks.evaluation.suites import Suite
from benchmarks.evaluation.tables import (
    Agents,
    apart,
    by_rules,
    calls,
    details,
    ranking,
    show_table,
)
from zoomgym.errors import RecordError
from zoomgym.io import plain
from zoomgym.io.commands import Parser, ends_quietly
from zoomgym.records import Record, read_records, replay
from zoomgym.rules import Rules

UNEVEN = "Not all agents have played the same tasks: compare these in pairs."


@dataclass(frozen=True, slots=True)
class Block:
    """The tables of a suite by one set of rules, or the one that compares its rules."""

    about: dict[str, str]
    """What the records have in common."""
    notes: tuple[str, ...]
    sheets: tuple[Sheet, ...]

    @property
    def title(self) -> str:
        """Title of the tables."""
        return ", ".join(f"{name} {value}" for name, value in self.about.items() if value)


def blocks(records: Sequence[Record]) -> list[Block]:
    """Returns all tables of records that passed `check_terms`, in any order."""
    return [
        block
        for _, of_suite in groupby(in_order(records), key=lambda record: record.suite)
        for block in _of_suite(list(of_suite))
    ]


def show_ranking(console: Console, records: Sequence[Record], suite: Suite | None = None) -> None:
    """Prints the ranking of one suite (built in or not), for each of its rules.

    Then prints the calls of each tool where others than zoom are offered, and what tools change, if
    it was played with tools and without.
    """
    played, groups = apart(in_order(records)), list[tuple[Rules, Agents]]()
    for rules, own in played.items():
        rows = leaderboard(own)
        if len(played) > 1:
            title = ", ".join(f"{name} {value}" for name, value in rules.by_name().items())
            _show_title(console, title)
        show_table(console, rows, own, suite)
        groups.append((rules, _by_agent(rows, own)))
        if (told := calls(groups[-1][1])).lines:
            console.print(to_table(told))
    for sheet in by_tools(groups):
        console.print(to_table(sheet))


def _by_agent(rows: Sequence[Score], records: Sequence[Record]) -> Agents:
    """Returns records by agent, in the order of the rows."""
    of_agent = grouped(records, lambda record: record.agent)
    return {row.agent: of_agent[row.agent] for row in rows if row.category == ALL}


def _of_suite(records: Sequence[Record]) -> list[Block]:
    """Returns the tables of a suite for each of its rules, then the one that compares rules."""
    first = records[0]
    suite = {"suite": first.suite, "version": first.version}
    found: list[Block] = []
    groups: list[tuple[Rules, Agents]] = []
    for rules, own in apart(records).items():
        rows = leaderboard(own)
        by_agent = _by_agent(rows, own)
        about = {**suite, **{name: str(value) for name, value in rules.by_name().items()}}
        played = {frozenset(EpisodeKey.of(r).task for r in some) for some in by_agent.values()}
        notes = (UNEVEN,) * (len(played) > 1)
        found.append(Block(about, notes, (*ranking(rows, own), *details(by_agent))))
        groups.append((rules, by_agent))
    compared = (by_rules(groups), *by_tools(groups))
    return [*found, Block(suite, (), compared)] if len(groups) > 1 else found


def read_all(paths: Sequence[Path], *, is_replayed: bool = False) -> list[Record]:
    """Returns the records of files that belong in one leaderboard.

    If `is_replayed`, plays every episode again and makes synthetic tasks again. Raises RecordError
    if a file is no records file, records do not compare, or a replay differs.
    """
    files = {str(path): list(read_records(path)) for path in paths}
    check_terms(files)
    records = [record for own in files.values() for record in own]
    if not records:
        raise RecordError("needed at least one record, got none: run `python -m benchmarks.run`")
    if is_replayed:
        _check_again(files)
    return records


def _check_again(files: Mapping[str, Sequence[Record]]) -> None:
    """Plays every episode again. Raises RecordError with file, line, agent and task."""
    made: Made = {}
    for name, records in files.items():
        for line, record in enumerate(records, start=1):
            where = f"{name}:{line}"
            try:
                check_synthetic([record], made)
                where += f": agent {record.agent} on {record.task.id}"
                replay(record)
            except RecordError as error:
                raise RecordError(f"{where}: {error}") from error


def show(console: Console, found: Sequence[Block]) -> None:
    """Prints all tables."""
    for block in found:
        _show_title(console, block.title)
        for note in block.notes:
            console.print(note)
        for sheet in block.sheets:
            console.print(to_table(sheet))


def _show_title(console: Console, title: str) -> None:
    console.print(Text(plain(title), style="bold"))


def as_markdown(found: Sequence[Block]) -> str:
    """Returns all tables as a page of Markdown."""
    parts = ["# Leaderboard\n"]
    for block in found:
        words = (f"{name} {as_words(value)}" for name, value in block.about.items() if value)
        parts += [f"## {', '.join(words)}\n", *(f"{note}\n" for note in block.notes)]
        parts += [to_markdown(sheet) for sheet in block.sheets]
    return "\n".join(parts)


def as_csv(found: Sequence[Block]) -> str:
    """Returns all numbers as CSV, one a line."""
    return to_csv([(block.about, sheet) for block in found for sheet in block.sheets])


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Prints the records of files as tables, and writes them."""
    parser = Parser(prog="python -m benchmarks.leaderboard", description=__doc__)
    parser.add_argument("records", nargs="+", type=Path, help="files of records, JSON Lines")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="also write the tables there")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write every number there")
    parser.add_argument(
        "--replay",
        action="store_true",
        help="play every episode again, and refuse records that differ",
    )
    args = parser.parse_args(argv)
    try:
        found = blocks(read_all(args.records, is_replayed=args.replay))
        show(Console(), found)
        for path, text_of in ((args.markdown, as_markdown), (args.csv, as_csv)):
            if path:
                path.write_text(text_of(found), encoding="utf-8", newline="\n")
    except (RecordError, OSError) as error:
        parser.fail(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
