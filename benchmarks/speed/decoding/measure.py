"""Measures decoding, prints the tables, and keeps the results as JSON."""

import json
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import av
from rich.console import Console
from rich.table import Table

from benchmarks.speed.decoding.against_peers import measure_peers
from benchmarks.speed.decoding.files import FILES, QUICK_FILES, speed_dir
from benchmarks.speed.decoding.peers import OURS, PEERS, is_installed
from benchmarks.speed.decoding.plan import DecodingPlan, Measurement, Timing
from benchmarks.speed.decoding.sharing import (
    measure_length,
    measure_memory,
    measure_rollouts,
    measure_threads,
    measure_vector,
)

PARTS: Mapping[str, Callable[[DecodingPlan], Measurement]] = {
    "peers": measure_peers,
    "length": measure_length,
    "rollouts": measure_rollouts,
    "threads": measure_threads,
    "vector": measure_vector,
    "memory": measure_memory,
}


def measure_video(
    console: Console,
    out: Path,
    parts: Sequence[str],
    peers: Sequence[str],
    files: Sequence[str],
    repeats: int,
    *,
    is_quick: bool = False,
) -> None:
    """Measures, prints, and writes video.json to the folder out.

    Each peer decodes each of files in so many processes; those that are not installed are listed as
    absent. If `is_quick`, small files and few calls give numbers without meaning.
    """
    absent = [name for name in peers if not is_installed(name)]
    present = tuple(name for name in peers if name not in absent)
    plan = DecodingPlan(FILES, speed_dir(), present, tuple(files), repeats)
    if is_quick:
        plan = DecodingPlan(QUICK_FILES, speed_dir(), present, tuple(files), 1, 8, 1, 8)
    run = {**describe_run(absent), "is_quick": is_quick}
    for name in parts:  # written as it goes: the whole takes half an hour
        part = PARTS[name](plan)
        print_part(console, part)
        path = write_part(out, run, name, part)
        console.print(f"{len(part.rows)} rows -> {path}")
    for name in absent:
        console.print(f"absent: {name} (needs the package {PEERS[name].package})")
    if is_quick:
        console.print("quick: it runs, but the numbers mean nothing")


PACKAGES = ("av", "decord", "torchcodec", "torch", "opencv-python-headless", "numpy", "pillow")
LINUX = sys.platform == "linux"


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
