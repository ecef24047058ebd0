"""What the decoding benchmark measured, as tables and as JSON."""

import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.table import Table

from benchmarks.speed.decoding.peers import OURS

__all__ = ["Measurement", "SpeedClaim", "Timing", "describe_run", "print_part", "write_part"]

PACKAGES = ("av", "decord", "torchcodec", "torch", "opencv-python-headless", "numpy", "pillow")
LINUX = sys.platform == "linux"


@dataclass(frozen=True, slots=True)
class Timing:
    """What one peer did to one file in one way."""

    work: str
    file: str
    peer: str
    wall_s: tuple[float, ...] = ()
    num_frames: int = 0
    """That were checked."""
    num_wrong: int = 0
    error: str = ""
    cpu_s: tuple[float, ...] = ()
    """Of all threads, where it was measured."""

    @property
    def median_s(self) -> float:
        """Median of the calls that went well; nan if none did."""
        return statistics.median(self.wall_s) if self.wall_s else math.nan

    @property
    def median_cpu_s(self) -> float:
        """Median of the processor time; nan if it was not measured."""
        return statistics.median(self.cpu_s) if self.cpu_s else math.nan


@dataclass(frozen=True, slots=True)
class SpeedClaim:
    """A claim: that a ratio stays on its side of a limit. Nan was not measured."""

    claim: str
    ratio: float
    limit: float
    is_floor: bool = False
    """The ratio has to be at least the limit, instead of at most."""
    cpu_ratio: float = math.nan
    """The same in processor time, which a busy machine hardly changes."""

    @property
    def verdict(self) -> str:
        """Returns whether the claim holds."""
        if math.isnan(self.ratio):
            return "not measured"
        is_met = self.ratio >= self.limit if self.is_floor else self.ratio <= self.limit
        return "met" if is_met else "NOT MET"


@dataclass(frozen=True, slots=True)
class Measurement:
    """Rows and bars of one kind of measurement."""

    rows: tuple[Timing, ...] = ()
    bars: tuple[SpeedClaim, ...] = ()
    notes: tuple[str, ...] = ()


def write_part(out: Path, run: Mapping[str, Any], name: str, part: Measurement) -> Path:
    """Adds a part to video.json in the folder out, and returns its path.

    Parts that earlier runs left there stay, each with what describe_run returned for it.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "video.json"
    parts = json.loads(path.read_text())["parts"] if path.exists() else {}
    measured = {
        **run,
        "rows": [_row_json(row) for row in part.rows],
        "bars": [asdict(bar) | {"verdict": bar.verdict} for bar in part.bars],
        "notes": list(part.notes),
    }
    path.write_text(json.dumps({"parts": parts | {name: _without_nan(measured)}}, indent=1) + "\n")
    return path


def describe_run(absent: Sequence[str], packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Returns when and where this process measures, with which versions and without which peers."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "num_cores": len(os.sched_getaffinity(0)) if LINUX else os.cpu_count(),
            "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        },
        "versions": {"python": platform.python_version(), **_versions(packages)},
        "absent": list(absent),
    }


def _row_json(row: Timing) -> dict[str, Any]:
    """Returns a row with its medians."""
    return asdict(row) | {"median_s": row.median_s, "median_cpu_s": row.median_cpu_s}


def _processor() -> str:
    """Returns what the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    """Returns the versions of what was measured, without what is not installed."""
    found = {"ffmpeg (PyAV's)": str(av.ffmpeg_version_info)}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _without_nan(value: Any) -> Any:
    """Returns value with None for nan, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def print_part(console: Console, part: Measurement) -> None:
    """Prints the rows of each file, against ours of the same work, then bars and notes."""
    ours_s = {(row.work, row.file): row.median_s for row in part.rows if row.peer == OURS}
    for file in sorted({row.file for row in part.rows}):  # a column of names would leave no room
        table = Table(title=f"Medians of {file}", title_justify="left")
        for name in ("work", "who", "ms", "x ours", "cpu ms", "wrong frames"):
            table.add_column(name, justify="left" if name in ("work", "who") else "right")
        own = [row for row in part.rows if row.file == file]
        for row in sorted(own, key=lambda row: row.work):
            times = row.median_s / ours_s.get((row.work, file), math.nan)
            wrong = f"{row.num_wrong} of {row.num_frames}" if row.num_frames else ""
            wrong = f"[red]{wrong}[/red]" if row.num_wrong else wrong
            error = f" {row.error}" if row.error else ""
            spans = (
                _shown(1e3 * row.median_s, 0),
                _shown(times),
                _shown(1e3 * row.median_cpu_s, 0),
            )
            table.add_row(row.work, row.peer, *spans, wrong + error)
        console.print(table)
    bars = Table(title="Bars", title_justify="left")
    for name in ("claim", "ratio", "bar", "", "in cpu time"):
        bars.add_column(name, justify="left" if name in ("claim", "") else "right", overflow="fold")
    for bar in part.bars:
        limit = f"{'at least' if bar.is_floor else 'at most'} {bar.limit:g}"
        bars.add_row(bar.claim, _shown(bar.ratio), limit, bar.verdict, _shown(bar.cpu_ratio))
    if part.bars:
        console.print(bars)
    for note in part.notes:
        console.print(note)


def _shown(value: float, digits: int = 2) -> str:
    """Returns a number as text; nothing for nan, which was not measured."""
    return "" if math.isnan(value) else f"{value:.{digits}f}"
