"""The form of the decoding benchmark: calls to each file, results, and their report."""

import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
from rich.console import Console

from benchmarks.speed.decoding.files import SpeedFile
from benchmarks.speed.decoding.peers import OURS, PEERS, FrameCall, PeerJob
from benchmarks.speed.tables import number_table
from zoomgym.video import native_size

T = TypeVar("T")

MAX_PIXELS = 100_352
"""Pixels of a frame in VideoZoomer."""
CLIP_FRAMES, CLIP_FPS = 16, 8
IN_FRAME = 0.4
"""Calls ask for times this far into a frame, so that no peer's rounding matters."""
TEN_MIN, HOUR, HD = "h264_360p_10min.mp4", "h264_360p_60min_open.mp4", "h264_720p_5min.mp4"
OVERVIEW, COLD, WARM = "overview, cold", "zoom, cold", "zoom, warm"
PACKAGES = ("av", "decord", "torchcodec", "torch", "opencv-python-headless", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class DecodingPlan:
    """The amount of work that is measured."""

    files: Mapping[str, SpeedFile]
    folder: Path
    peers: tuple[str, ...]
    peer_files: tuple[str, ...]
    """Files that all peers decode."""
    repeats: int
    num_overview: int = 64
    num_zooms: int = 8
    """Zooms of each kind, per process."""
    num_cycles: int = 2000
    """Cycles of open, look and close in the measurement of memory."""

    def path(self, name: str) -> str:
        """Returns the path of a file, written first if need be."""
        return str(self.files[name].path(self.folder))

    def size(self, name: str) -> tuple[int, int]:
        """Returns the (H, W) at which the frames of a file are wanted."""
        return native_size(self.files[name].segment.size, MAX_PIXELS)

    def job(self, peer: str, name: str, calls: Iterable[FrameCall]) -> PeerJob:
        """Returns the job of asking a peer for frames of a file."""
        warm_up = self.path("small_01.mp4")
        return PeerJob(peer, self.path(name), self.size(name), tuple(calls), warm_up)


@dataclass(frozen=True, slots=True)
class Timing:
    """Times and errors of one peer on one file, for one kind of call."""

    work: str
    file: str
    peer: str
    wall_s: tuple[float, ...] = ()
    num_frames: int = 0
    num_wrong: int = 0
    error: str = ""
    cpu_s: tuple[float, ...] = ()
    """Processor time of all threads, if measured."""

    @property
    def median_s(self) -> float:
        """Median of the successful calls; nan if there are none."""
        return statistics.median(self.wall_s) if self.wall_s else math.nan

    @property
    def median_cpu_s(self) -> float:
        """Median of the processor time; nan if not measured."""
        return statistics.median(self.cpu_s) if self.cpu_s else math.nan


@dataclass(frozen=True, slots=True)
class SpeedClaim:
    """A claim that a ratio stays on its side of a limit. Nan is not measured."""

    claim: str
    ratio: float
    limit: float
    is_floor: bool = False
    """The ratio must be at least the limit, instead of at most."""
    cpu_ratio: float = math.nan
    """The ratio in processor time, which a busy machine hardly changes."""

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


def calls_of(plan: DecodingPlan, file: SpeedFile) -> list[FrameCall]:
    """Returns the calls to a file. Warm zooms repeat the cold ones: no peer caches frames."""
    last = file.num_frames - 1
    spots = np.linspace(0, last, plan.num_overview).astype(int) + IN_FRAME
    clip_frames = CLIP_FRAMES * file.rate // CLIP_FPS
    rng = np.random.default_rng(0)
    starts = rng.integers(0, max(1, last - clip_frames), plan.num_zooms + 1)
    steps_s = np.arange(CLIP_FRAMES) / CLIP_FPS
    clips = [tuple(((start + IN_FRAME) / file.rate + steps_s).tolist()) for start in starts]
    return [
        FrameCall(OVERVIEW, "cold", tuple((spots / file.rate).tolist())),
        *(FrameCall(COLD, "cold", clip) for clip in clips[:-1]),
        FrameCall("", "warm", clips[-1]),  # opens the file; its time does not count
        *(FrameCall(WARM, "warm", clip) for clip in clips[:-1]),
    ]


def fresh(function: Callable[..., T], *args: Any) -> T:
    """Returns function(*args), called in a new process that has decoded nothing."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *args).result()


def print_absent(console: Console, absent: Sequence[str]) -> None:
    """Prints which peers are not installed, and what they need."""
    for name in absent:
        console.print(f"absent: {name} (needs the package {PEERS[name].package})")


def write_part(out: Path, run: Mapping[str, Any], name: str, part: Measurement) -> Path:
    """Adds a part to video.json in the folder out, and returns its path.

    Parts of earlier runs stay, each with its own `describe_run`.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "video.json"
    parts = json.loads(path.read_text())["parts"] if path.exists() else {}
    measured = {
        **run,
        "rows": [
            asdict(row) | {"median_s": row.median_s, "median_cpu_s": row.median_cpu_s}
            for row in part.rows
        ],
        "bars": [asdict(bar) | {"verdict": bar.verdict} for bar in part.bars],
        "notes": list(part.notes),
    }
    path.write_text(json.dumps({"parts": parts | {name: _without_nan(measured)}}, indent=1) + "\n")
    return path


def describe_run(absent: Sequence[str], packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Returns when and where this process measures, its versions, and the absent peers."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "num_cores": len(os.sched_getaffinity(0))
            if sys.platform == "linux"
            else os.cpu_count(),
            "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        },
        "versions": {
            "python": platform.python_version(),
            "ffmpeg (PyAV's)": str(av.ffmpeg_version_info),
            **_versions(packages),
        },
        "absent": list(absent),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _without_nan(value: Any) -> Any:
    """Returns value with None in place of nan, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def print_part(console: Console, part: Measurement) -> None:
    """Prints the rows of each file, beside ours of the same work, then bars and notes."""
    ours_s = {(row.work, row.file): row.median_s for row in part.rows if row.peer == OURS}
    for file in sorted({row.file for row in part.rows}):  # a column of names would leave no room
        numbers = ("ms", "x ours", "cpu ms", "wrong frames")
        table = number_table(f"Medians of {file}", ("work", "who"), numbers)
        own = [row for row in part.rows if row.file == file]
        for row in sorted(own, key=lambda row: row.work):
            times = _shown(row.median_s / ours_s.get((row.work, file), math.nan))
            wall, cpu = (_shown(1e3 * s, 0) for s in (row.median_s, row.median_cpu_s))
            wrong = f"{row.num_wrong} of {row.num_frames}" if row.num_frames else ""
            wrong = f"[red]{wrong}[/red]" if row.num_wrong else wrong
            error = f" {row.error}" if row.error else ""
            table.add_row(row.work, row.peer, wall, times, cpu, wrong + error)
        console.print(table)
    bars = number_table("Bars", ("claim",), ("ratio", "bar", "", "in cpu time"))
    for bar in part.bars:
        limit = f"{'at least' if bar.is_floor else 'at most'} {bar.limit:g}"
        bars.add_row(bar.claim, _shown(bar.ratio), limit, bar.verdict, _shown(bar.cpu_ratio))
    if part.bars:
        console.print(bars)
    for note in part.notes:
        console.print(note)


def _shown(value: float, digits: int = 2) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}f}"
