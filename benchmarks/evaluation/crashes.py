"""Episodes that failed, and why; kept beside the records."""

import json
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path

from zoomgym.errors import RecordError, ZoomGymError
from zoomgym.io import attempt, plain, replaced
from zoomgym.records import load_row, read_lines

NEEDED = "a failed episode"
MAX_REASON = 500
"""Characters of a reason; it may quote strangers."""
MAX_TRACEBACK = 8000
"""Characters of a traceback, counted from its end."""
MAX_CALLS = 20
"""The innermost calls of a traceback; the others are the runner's own."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an episode has no record."""

    agent: str
    task_id: str
    reason: str
    is_skipped: bool = False
    """Whether its video cannot be shown and the run skips such tasks."""
    traceback: str = field(default="", compare=False)
    """Traceback of an unexpected error."""


def tell_failure(agent: str, task_id: str, error: BaseException) -> Failure:
    """Returns the failure of an episode that an error ended."""
    is_ours = isinstance(error, ZoomGymError)
    told = attempt(partial(str, error))  # which is anybody's code, too
    said = told if isinstance(told, str) else ""
    reason = " ".join((said if is_ours else f"{type(error).__name__}: {said}").split())
    shown = plain(reason[:MAX_REASON])[:MAX_REASON]
    return Failure(agent, task_id, shown, traceback="" if is_ours else _traceback(error))


def _traceback(error: BaseException) -> str:
    """Returns the end of a traceback, cleaned line by line."""
    lines = attempt(partial(traceback.format_exception, error, limit=-MAX_CALLS))
    whole = "" if isinstance(lines, BaseException) else "".join(lines).rstrip()
    shown = "\n".join(map(plain, whole[-MAX_TRACEBACK:].split("\n")))
    is_cut = max(len(whole), len(shown)) > MAX_TRACEBACK
    return f"...{shown[-MAX_TRACEBACK:]}" if is_cut else shown


def write_failures(path: Path, failures: Iterable[Failure]) -> None:
    """Replaces a file with these failures, or deletes it if there are none."""
    text = "".join(f"{json.dumps(asdict(failure))}\n" for failure in failures)
    if text:
        with replaced(path) as file:
            file.write(text.encode("ascii"))
    else:
        path.unlink(missing_ok=True)


def read_failures(path: Path) -> list[Failure]:
    """Returns the failures in a file; none if it is missing. Raises RecordError."""
    return list(read_lines(path, _from_json)) if path.exists() else []


def _from_json(line: str) -> Failure:
    """Returns the failure in a line, cleaned again. Raises RecordError."""
    row = load_row(line, NEEDED)
    types = {one.name: bool if one.name == "is_skipped" else str for one in fields(Failure)}
    if row.keys() != types.keys() or any(type(row[name]) is not types[name] for name in row):
        raise RecordError(f"needed {NEEDED} with {', '.join(types)}, got other keys or values")
    clean = "\n".join(map(plain, row["traceback"][: MAX_TRACEBACK + 3].split("\n")))
    clean = clean[: MAX_TRACEBACK + 3]
    names = ("agent", "task_id", "reason")
    short = {name: plain(row[name][:MAX_REASON])[:MAX_REASON] for name in names}
    return Failure(**short, is_skipped=row["is_skipped"], traceback=clean)
