"""Rows of files that others wrote: JSON, JSON Lines and parquet, read alike.

A row knows its place (`file row 3`, or `file:3` where rows are lines). What it holds is checked as
it is asked for, so that columns that nobody needs may hold anything.
"""

import importlib
import json
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.hints import no_folder, unreadable
from zoomgym.tasks import VideoQuestion
from zoomgym.timeline import Segment

__all__ = [
    "Row",
    "TaskRow",
    "contained",
    "find_files",
    "has_files",
    "is_file",
    "read_file",
    "read_files",
]

MAX_TEXT_CHARS = 100_000
MAX_PATH_CHARS = 1000
BATCH_ROWS = 1000
"""Rows of a parquet file that are held at a time."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One row: its task, or all that is wrong with it. What can be read of a bad row is there."""

    where: str
    """The row's place: file and row."""
    task: VideoQuestion | None = None
    problems: tuple[str, ...] = ()
    video: str = ""
    evidence: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One object of a file. What it is asked for and does not hold is a TaskError."""

    where: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    """Why there are no fields."""

    def has(self, key: str) -> bool:
        """Returns whether the row says anything under key."""
        return self.fields.get(key) is not None

    def value(self, *keys: str) -> Any:
        """Returns what stands under the first of keys that the row has. Raises TaskError."""
        if self.problem:
            raise TaskError(self.problem)
        for key in keys:
            if self.has(key):
                return self.fields[key]
        names = " or ".join(map(repr, keys))
        raise TaskError(f"needed the key {names}, got {reprlib.repr(sorted(self.fields))}")

    def text(self, *keys: str) -> str:
        """Returns the text under the first of keys that the row has. Raises TaskError."""
        return _checked_text(keys[0], self.value(*keys))

    def text_or_none(self, key: str) -> str:
        """Returns the text under key, or an empty one. Raises TaskError if it is no text."""
        return self.text(key) if self.has(key) else ""

    def texts(self, *keys: str) -> tuple[str, ...]:
        """Returns the list of texts under the first of keys that the row has. Raises TaskError."""
        value = self.value(*keys)
        if not isinstance(value, list):
            raise TaskError(f"{keys[0]} needs a list of texts, got {reprlib.repr(value)}")
        return tuple(_checked_text(keys[0], text) for text in value)

    def whole(self, *keys: str) -> int:
        """Returns the whole number under the first of keys that the row has. Raises TaskError."""
        value = self.value(*keys)
        if type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not int:
            raise TaskError(f"{keys[0]} needs a whole number, got {reprlib.repr(value)}")
        return value

    def number(self, *keys: str) -> float:
        """Returns the finite number under the first of keys that the row has. Raises TaskError."""
        value = self.value(*keys)
        if type(value) not in (int, float) or not abs(value) < 1e300:
            raise TaskError(f"{keys[0]} needs a finite number, got {reprlib.repr(value)}")
        return float(value)

    def name(self, *keys: str) -> str:
        """Returns what the row is called by: a text, or a whole number as text. Raises TaskError.

        Numbers become texts because hubs write ids both ways, `7` and `"7"`.
        """
        value = self.value(*keys)
        return self.text(*keys) if isinstance(value, str) else str(self.whole(*keys))

    def part(self, key: str) -> "Row":
        """Returns the object under key, as a row at the same place. Raises TaskError."""
        value = self.value(key)
        if not isinstance(value, dict):
            raise TaskError(f"{key} needs an object, got {reprlib.repr(value)}")
        return Row(self.where, value)


def _checked_text(key: str, value: Any) -> str:
    """Returns value if it is a text that can be meant. Raises TaskError."""
    if not isinstance(value, str):
        raise TaskError(f"{key} needs a text, got {reprlib.repr(value)}")
    if len(value) > MAX_TEXT_CHARS:
        raise TaskError(f"{key} needs at most {MAX_TEXT_CHARS} characters, got {len(value)}")
    return value


def contained(path: str) -> str:
    """Returns path as one below a folder: an absolute one too. Raises TaskError if it leads out."""
    parts = [part for part in PurePosixPath(path).parts if part != "/" and part != "//"]
    if not parts or ".." in parts or "\0" in path or len(path) > MAX_PATH_CHARS:
        raise TaskError(f"a path needs to stay below the folder, got {reprlib.repr(path)}")
    return "/".join(parts)


def is_file(path: Path) -> bool:
    """Returns whether there is a file at path; not if no file can be called so."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long a name, or one with a lone surrogate
        return False


def find_files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Returns the files that the first pattern with any matches, in order.

    Raises:
        TaskError: there is no such folder, or no pattern matches.
    """
    if not folder.is_dir():
        raise TaskError(no_folder(folder, "the folder that holds the files"))
    for pattern in patterns:
        if paths := sorted(path for path in folder.glob(pattern) if path.is_file()):
            return paths
    raise TaskError(f"{folder}: needed {' or '.join(patterns)} in it, got none of them")


def has_files(folder: Path, patterns: Sequence[str]) -> bool:
    """Returns whether a file in folder matches any of patterns."""
    return any(path.is_file() for pattern in patterns for path in folder.glob(pattern))


def read_files(folder: Path, patterns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of the files that the first pattern with any matches. Raises TaskError."""
    for path in find_files(folder, patterns):
        yield from read_file(path)


def read_file(path: Path) -> Iterator[Row]:
    """Yields the rows of a file, read as its name's ending says; JSON may be one list, or lines.

    Raises:
        TaskError: the file cannot be read.
    """
    if path.suffix == ".parquet":
        yield from _read_parquet(path)
        return
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(unreadable(path, "a file of tasks", error)) from error
    is_list = path.suffix == ".json" and text.lstrip().startswith("[")
    yield from _read_list(path, text) if is_list else _read_lines(path, text)


def _read_lines(path: Path, text: str) -> Iterator[Row]:
    """Yields the objects of JSON Lines; a line that is none becomes a row with a problem."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            yield _to_row(where, json.loads(line))
        except (ValueError, RecursionError) as error:
            problem = f"needed one JSON object, got {line[:60]!r} ({error})"
            yield Row(where, problem=problem)


def _read_list(path: Path, text: str) -> Iterator[Row]:
    """Yields the objects of a JSON list."""
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: needed a JSON list of objects, got {error}") from error
    for number, value in enumerate(values, start=1):
        yield _to_row(f"{path} row {number}", value)


def _to_row(where: str, value: Any) -> Row:
    """Returns the row of a JSON value."""
    if isinstance(value, dict):
        return Row(where, value)
    return Row(where, problem=f"needed one JSON object, got {reprlib.repr(value)}")


def _read_parquet(path: Path) -> Iterator[Row]:
    """Yields the rows of a parquet file, without the columns that hold bytes (pictures)."""
    try:
        pyarrow = importlib.import_module("pyarrow")
        parquet = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise TaskError(f"{path}: parquet needs pyarrow, got none: pip install pyarrow") from error
    try:
        with parquet.ParquetFile(path) as file:
            columns = [column.name for column in file.schema_arrow if not _holds_bytes(column.type)]
            number = 0
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                for fields in batch.to_pylist():
                    number += 1
                    yield Row(f"{path} row {number}", fields)
    except (OSError, ValueError, OverflowError, pyarrow.ArrowException) as error:
        raise TaskError(f"{path}: needed a parquet file, got {error}") from error


def _holds_bytes(kind: Any) -> bool:
    """Returns whether a parquet type is bytes, or has such a part."""
    is_bytes = str(kind) in ("binary", "large_binary")
    return is_bytes or any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))
