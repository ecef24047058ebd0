"""Reads rows of JSON, JSON Lines and parquet files that others wrote.

A row knows its place (`file row 3`, or `file:3` where rows are lines). Its values are checked when
they are read, so that unused columns may hold anything.
"""

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import TextIOWrapper
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

from zoomgym.errors import TaskError
from zoomgym.io import (
    LINKS_VARIABLE,
    brief,
    is_finite_number,
    is_inside,
    no_folder,
    open_named,
    reason,
    unreadable,
)
from zoomgym.rules import Segment, VideoQuestion
from zoomgym.tasks.datasets.parquet import MAX_ROW_CHARS, read_parquet

MAX_TEXT_CHARS = 100_000
MAX_PATH_CHARS = 1000
DECODER = json.JSONDecoder()
BLANKS = re.compile(r"[ \t\n\r]*")


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A row's task, or all that is wrong with it, beside what can be read of a bad row."""

    where: str
    task: VideoQuestion | None = None
    problems: tuple[str, ...] = ()
    video: str = ""
    evidence: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file, named by its place. Its methods raise TaskError for bad values."""

    where: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Says why there are no fields."""

    def has(self, key: str) -> bool:
        """Returns whether the row says anything under key."""
        return self.fields.get(key) is not None

    def value(self, *keys: str) -> Any:
        """Returns the value of the first of keys that the row has."""
        if self.problem:
            raise TaskError(self.problem)
        for key in keys:
            if self.has(key):
                return self.fields[key]
        names = " or ".join(map(repr, keys))
        raise TaskError(f"needed the key {names}, got {brief(sorted(self.fields))}")

    def text(self, *keys: str) -> str:
        """Returns the text under the first of keys that the row has."""
        return _checked_text(keys[0], self.value(*keys))

    def text_or_none(self, key: str) -> str:
        """Returns the text under key, or an empty one."""
        return self.text(key) if self.has(key) else ""

    def texts(self, *keys: str) -> tuple[str, ...]:
        """Returns the list of texts under the first of keys that the row has."""
        value = self.value(*keys)
        if not isinstance(value, list):
            raise TaskError(f"{keys[0]} needs a list of texts, got {brief(value)}")
        return tuple(_checked_text(keys[0], text) for text in value)

    def whole(self, *keys: str) -> int:
        """Returns the whole number under the first of keys that the row has."""
        value = self.value(*keys)
        if type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not int:
            raise TaskError(f"{keys[0]} needs a whole number, got {brief(value)}")
        return value

    def number(self, *keys: str) -> float:
        """Returns the finite number under the first of keys that the row has."""
        value = self.value(*keys)
        if not is_finite_number(value):
            raise TaskError(f"{keys[0]} needs a finite number, got {brief(value)}")
        return float(value)

    def name(self, *keys: str) -> str:
        """Returns an id or a name as text: hubs write both `7` and `"7"`."""
        value = self.value(*keys)
        return self.text(*keys) if isinstance(value, str) else str(self.whole(*keys))

    def part(self, key: str) -> "Row":
        """Returns the object under key, as a row at the same place."""
        value = self.value(key)
        if not isinstance(value, dict):
            raise TaskError(f"{key} needs an object, got {brief(value)}")
        return Row(self.where, value)


def _checked_text(key: str, value: Any) -> str:
    """Returns value if it is a text, and not too long. Raises TaskError."""
    if not isinstance(value, str):
        raise TaskError(f"{key} needs a text, got {brief(value)}")
    if len(value) > MAX_TEXT_CHARS:
        raise TaskError(f"{key} needs at most {MAX_TEXT_CHARS} characters, got {len(value)}")
    return value


def contained(path: str) -> str:
    """Returns path, absolute or not, as one below a folder. Raises TaskError if it leads out."""
    parts = [part for part in PurePosixPath(path).parts if part != "/" and part != "//"]
    if not parts or ".." in parts or "\0" in path or len(path) > MAX_PATH_CHARS:
        raise TaskError(f"a path needs to stay below the folder, got {brief(path)}")
    return "/".join(parts)


def is_file(path: Path) -> bool:
    """Returns whether there is a file at path; False for an impossible name."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or one with a lone surrogate
        return False


def find_files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Returns the files that the first pattern with any matches, in order.

    Raises TaskError if the folder is missing, no pattern matches, or a link leads out of it.
    """
    if not folder.is_dir():
        raise TaskError(no_folder(folder, "the folder that holds the files"))
    for pattern in patterns:
        if paths := sorted(path for path in folder.glob(pattern) if path.is_file()):
            for path in paths:
                if problem := leads_out(path, folder):
                    raise TaskError(problem)
            return paths
    raise TaskError(f"{folder}: needed {' or '.join(patterns)} in it, got none of them")


def has_files(folder: Path, patterns: Sequence[str]) -> bool:
    """Returns whether a file in folder matches any of patterns."""
    return any(path.is_file() for pattern in patterns for path in folder.glob(pattern))


def leads_out(path: Path, folder: Path) -> str:
    """Returns the problem with a file that a link takes out of folder; empty if it stays."""
    try:
        if is_inside(path, folder):
            return ""
        end = f"a link to {path.resolve()}"
    except (OSError, RuntimeError, ValueError) as error:
        end = reason(error)
    return (
        f"{path}: needed a file in {folder}, got {end}: copy it, or name the folder that it leads "
        f"to in {LINKS_VARIABLE}"
    )


def read_files(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of the files that the first pattern with any matches. Raises TaskError."""
    for path in find_files(folder, patterns):
        yield from read_file(path, columns)


def read_file(path: Path, columns: Sequence[str] = ()) -> Iterator[Row]:
    """Yields the rows of a parquet file, of JSON Lines, or of a `.json` file that is one list.

    Of parquet, only columns are read. Raises TaskError for an unreadable file or too long a row.
    """
    if path.suffix == ".parquet":
        for number, fields in enumerate(read_parquet(path, columns), start=1):
            yield Row(f"{path} row {number}", fields)
        return
    try:
        with open_named(path) as file:
            head = file.read(MAX_ROW_CHARS).removeprefix(codecs.BOM_UTF8).lstrip()
            file.seek(0)
            is_list = path.suffix == ".json" and head.startswith(b"[")
            with TextIOWrapper(file, encoding="utf-8-sig") as text:
                try:
                    yield from _read_list(path, text) if is_list else _read_lines(path, text)
                except UnicodeDecodeError as error:
                    error.start += file.tell() - len(error.object)  # counted from the first byte
                    raise
    except (OSError, ValueError) as error:
        raise TaskError(unreadable(path, "a file of tasks", error)) from error


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Yields the lines of a text that are not blank, each after its place. Raises TaskError."""
    try:
        with open_named(path) as file, TextIOWrapper(file, encoding="utf-8-sig") as text:
            yield from _lines(path, text)
    except (OSError, ValueError) as error:
        raise TaskError(unreadable(path, "a file of tasks", error)) from error


def _lines(path: Path, file: TextIO) -> Iterator[tuple[str, str]]:
    """Yields the lines that are not blank, each after its place. Raises TaskError."""
    for number in count(1):
        line = file.readline(MAX_ROW_CHARS + 1)
        where = f"{path}:{number}"
        if not line:
            return
        line = line.removesuffix("\n")
        if len(line) > MAX_ROW_CHARS:
            raise TaskError(f"{where}: needed a line of at most {MAX_ROW_CHARS} characters")
        if line.strip():
            yield where, line


def _read_lines(path: Path, file: TextIO) -> Iterator[Row]:
    """Yields the objects of JSON Lines; any other line becomes a row with a problem."""
    for where, line in _lines(path, file):
        try:
            yield _to_row(where, json.loads(line))
        except (ValueError, RecursionError) as error:
            problem = f"needed one JSON object, got {line[:60]!r} ({error})"
            yield Row(where, problem=problem)


def _read_list(path: Path, file: TextIO) -> Iterator[Row]:
    """Yields the objects of a JSON list, one after the other. Raises TaskError."""
    text = PartlyRead(file)
    number = 0
    try:
        text.take("[")
        while text.next_sign() != "]" or number:
            number += 1
            yield _to_row(f"{path} row {number}", text.take_value())
            if text.next_sign() != ",":
                break
            text.take(",")
        text.take("]")
        text.take_end()
    except UnicodeDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        raise TaskError(
            f"{path}: needed a JSON list of objects, got {error} in row {max(number, 1)}"
        ) from error


def _to_row(where: str, value: Any) -> Row:
    """Returns the row of a JSON value."""
    if isinstance(value, dict):
        return Row(where, value)
    return Row(where, problem=f"needed one JSON object, got {brief(value)}")


class PartlyRead:
    """The text of a JSON file, read in pieces that hold at least the next row."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._at = 0
        self._is_all = False

    def next_sign(self) -> str:
        """Returns the next character that is not blank, without taking it; none at the end."""
        while True:
            self._fill()
            blanks = BLANKS.match(self._text, self._at)
            assert blanks is not None  # there may be none of them
            self._at = blanks.end()
            if self._at < len(self._text) or self._is_all:
                return self._text[self._at : self._at + 1]

    def take(self, sign: str) -> None:
        """Takes the next sign. Raises ValueError if it is another one."""
        found = self.next_sign()
        if found != sign:
            raise ValueError(f"{found!r} where {sign!r} is needed")
        self._at += 1

    def take_end(self) -> None:
        """Raises ValueError unless the text ends here."""
        if found := self.next_sign():
            raise ValueError(f"{found!r} after the end")

    def take_value(self) -> Any:
        """Takes and returns the next JSON value. Raises ValueError if it is broken or too long."""
        self.next_sign()
        self._fill()
        try:
            value, end = DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            or_long = "" if self._is_all else f", or more than {MAX_ROW_CHARS} characters"
            raise ValueError(f"{error.msg}{or_long}") from error
        if end - self._at > MAX_ROW_CHARS:
            raise ValueError(f"more than {MAX_ROW_CHARS} characters")
        self._at = end
        return value

    def _fill(self) -> None:
        """Reads until a whole row is there, or the file ends."""
        if not self._is_all and len(self._text) - self._at <= MAX_ROW_CHARS:
            more = self._file.read(MAX_ROW_CHARS)
            self._is_all = len(more) < MAX_ROW_CHARS
            self._text, self._at = self._text[self._at :] + more, 0
