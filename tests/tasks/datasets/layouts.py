"""What tests of readers share: files in the layouts of the hubs, and tasks read from them."""

import importlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks import TaskSet
from zoomgym.tasks.catalog import open_task_set


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_lines(path: Path, *values: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [value if isinstance(value, str) else json.dumps(value) for value in values]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_parquet(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    pyarrow = importlib.import_module("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


def write_file(path: Path, content: bytes = b"no video") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def open_tasks(name: str, folder: Path, **arguments: Any) -> TaskSet:
    return open_task_set(f"{name}:{folder}", **{"split": "test", **arguments})


def all_tasks(tasks: TaskSet) -> list[VideoQuestion]:
    return [tasks[index] for index in range(len(tasks))]
