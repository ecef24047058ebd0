"""The process behind `parquet`: writes the rows of a parquet file as lines of JSON.

Runs as a file of its own, so that it imports only pyarrow. A parquet file can lie about itself, and
a few bytes of it can mean any number of values, so this process bounds its memory and time.

Arguments: the file, the columns to read, as JSON, and how many bytes reading it may take.
"""

import json
import sys
from collections.abc import Iterator
from numbers import Real
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import parquet

BATCH_ROWS = 100
MAX_CPU_S = 120
MAX_MESSAGE_CHARS = 300


def main(path: Path, columns: list[str], max_bytes: int) -> None:
    """Writes a line for every row, then one with the problem, which is empty if all went well."""
    _limit(max_bytes)
    try:
        for fields in _rows(path, columns):
            sys.stdout.write(f"row {json.dumps(fields, default=_unknown)}\n")
    except MemoryError:  # Arrow's as well
        problem = f"values that take more than {max_bytes} bytes of memory"
    except (OSError, ValueError, OverflowError, RecursionError, pyarrow.ArrowException) as error:
        problem = str(error)[:MAX_MESSAGE_CHARS]
    else:
        problem = ""
    sys.stdout.write(f"end {json.dumps(problem)}\n")


def _rows(path: Path, wanted: list[str]) -> Iterator[dict[str, Any]]:
    """Yields the rows, without the columns that hold bytes (pictures)."""
    num_bytes = path.stat().st_size
    with parquet.ParquetFile(path) as file:
        if file.metadata.num_rows > num_bytes:
            raise ValueError(f"{file.metadata.num_rows} rows in {num_bytes} bytes")
        kinds = {column.name: column.type for column in file.schema_arrow}
        columns = [name for name in wanted if name in kinds and not _holds_bytes(kinds[name])]
        if not columns:
            raise ValueError(f"none of the columns {wanted}, but {sorted(kinds)}")
        for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
            yield from batch.to_pylist()


def _holds_bytes(kind: Any) -> bool:
    """Returns whether a type is bytes, or has such a part."""
    is_bytes = str(kind) in ("binary", "large_binary", "binary_view")
    return is_bytes or any(_holds_bytes(kind.field(i).type) for i in range(kind.num_fields))


def _unknown(value: object) -> float | dict[str, str]:
    """Returns what replaces a value that JSON lacks: no reader takes it for a text or a number.

    Only what is a number stays one: older pyarrow gives half precision as NumPy's.
    """
    if isinstance(value, Real):
        return float(value)
    return {"a value of the kind": type(value).__name__}


def _limit(max_bytes: int) -> None:
    """Bounds memory beyond what is used now, and time."""
    if sys.platform == "win32":
        return
    import resource

    used = 0
    if (sizes := Path("/proc/self/statm")).exists():
        used = int(sizes.read_text().split()[0]) * resource.getpagesize()
    for kind, most in (
        (resource.RLIMIT_AS, used + max_bytes if used else resource.RLIM_INFINITY),
        (resource.RLIMIT_CPU, MAX_CPU_S),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            most = hard if most == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, hard))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), int(sys.argv[3]))
