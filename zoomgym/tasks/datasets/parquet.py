"""Reads parquet files in another process, whose memory is bounded."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from zoomgym.errors import TaskError
from zoomgym.io import open_named, unreadable

WORKER = Path(__file__).with_name("parquet_worker.py")
MAX_BYTES = 512 * 1024**2
"""Most memory that reading one file may take."""
MAX_ROW_CHARS = 4_000_000
LEAST_CHARS, CHARS_PER_BYTE, MOST_CHARS = 16_000_000, 100, 256_000_000
"""Bounds of a file's rows as JSON, beyond what distinct texts compress to."""


def read_parquet(
    path: Path, columns: Sequence[str], max_bytes: int = MAX_BYTES
) -> Iterator[dict[str, Any]]:
    """Yields the rows of a parquet file, with those of columns that it has and that hold no bytes.

    Memory is bounded on Linux only. Raises TaskError if the file cannot be read within the bounds.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise TaskError(f"{path}: parquet needs pyarrow, got none: pip install pyarrow")
    try:
        with open_named(path) as file:  # no pipe and no device
            num_bytes = os.fstat(file.fileno()).st_size
    except (OSError, ValueError) as error:
        raise TaskError(unreadable(path, "a parquet file", error)) from error
    num_chars = min(MOST_CHARS, LEAST_CHARS + CHARS_PER_BYTE * num_bytes)
    arguments = [str(path.absolute()), json.dumps(list(columns)), str(max_bytes)]
    with subprocess.Popen(
        [sys.executable, "-P", str(WORKER), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1"},
        encoding="ascii",
    ) as worker:
        try:
            assert worker.stdout is not None
            yield from _rows(path, worker.stdout, num_chars)
        finally:
            worker.kill()


def _rows(path: Path, lines: IO[str], chars_left: int) -> Iterator[dict[str, Any]]:
    """Yields the rows that the process writes. Raises TaskError."""
    problem = "one that ends the process that reads it, or takes too long"
    while line := lines.readline(MAX_ROW_CHARS):
        chars_left -= len(line)
        if chars_left < 0 or len(line) == MAX_ROW_CHARS:
            problem = "rows of more text than such a file can say"
            break
        kind, _, content = line.partition(" ")
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):  # it ended in the middle of a line
            break
        if kind == "end":
            if not value:
                return
            problem = value
            break
        yield value
    raise TaskError(f"{path}: needed a parquet file, got {problem}")
