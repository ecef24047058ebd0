"""Measures decoding: ours against every peer that is installed, with what each one got wrong.

A time counts only beside the number of wrong frames: each frame shows its number, and ours are
also compared byte for byte with decoding the whole file in order.
"""

import hashlib
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from xml.sax.saxutils import escape

import av
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.peers import OURS, OURS_TWICE, PEERS, Call, Job, Outcome, is_installed, run_job
from benchmarks.video_files import (
    FILES,
    QUICK_FILES,
    SpeedFile,
    number_in,
    number_shown,
    speed_dir,
)
from zoomgym.synthetic.cache import written_file
from zoomgym.video import (
    VideoFile,
    close_files,
    forget_frames,
    native_size,
    set_frame_memory,
)
from zoomgym.video.scale import Scaler, orientation_of

__all__ = ["PARTS", "PEER_FILES", "Plan", "describe_run", "measure_video"]

T = TypeVar("T")
Played = Mapping[int, NDArray[np.uint8]]
"""Frame index -> its picture, (H, W, 3) uint8 RGB."""

MAX_PIXELS = 100_352
"""Of a frame, as VideoZoomer shows it."""
CLIP_FRAMES, CLIP_FPS = 16, 8
IN_FRAME = 0.4
"""Times are asked for this far into a frame, so that no peer's rounding decides which it is."""
JOB_LIMIT_S = 300
NUM_ROLLOUTS, ZOOMS_PER_ROLLOUT = 16, 4
PACKAGES = ("av", "decord", "torchcodec", "torch", "opencv-python-headless", "numpy", "pillow")

TEN_MIN, HOUR, HD = "h264_360p_10min.mp4", "h264_360p_60min_open.mp4", "h264_720p_5min.mp4"
PEER_FILES = (TEN_MIN, HOUR, HD, "hevc_360p_5min.mp4", "vp9_360p_5min.webm")
ZOOMER = "VideoZoomer's way"
OVERVIEW, COLD, WARM = "overview, cold", "zoom, cold", "zoom, warm"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    files: Mapping[str, SpeedFile]
    folder: Path
    peers: tuple[str, ...]
    peer_files: tuple[str, ...]
    """Files that all peers decode."""
    repeats: int
    num_overview: int = 64
    num_zooms: int = 8
    """Of each kind, per process."""
    num_cycles: int = 2000
    """Of opening, looking and closing, for the memory."""

    def path(self, name: str) -> str:
        """Returns the path of a file, written first if need be."""
        return str(self.files[name].path(self.folder))


@dataclass(frozen=True, slots=True)
class Row:
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
class Bar:
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
class Part:
    """Rows and bars of one kind of measurement."""

    rows: tuple[Row, ...] = ()
    bars: tuple[Bar, ...] = ()
    notes: tuple[str, ...] = ()


def measure_peers(plan: Plan) -> Part:
    """Measures overviews and zooms by every peer, by turns, each time in a fresh process."""
    rows = [row for name in plan.peer_files for row in _peer_rows(plan, name)]
    wrong = sum(row.num_wrong for row in rows if row.peer in (OURS, OURS_TWICE))
    exact = Bar("ours: frames that differ from decoding the whole file", wrong, 0)
    return Part(tuple(rows), (exact, *_peer_bars(rows)))


def _peer_rows(plan: Plan, name: str) -> list[Row]:
    """Returns the rows of one file."""
    file, path = plan.files[name], plan.path(name)
    size = native_size(file.segment.size, MAX_PIXELS)
    asked = _calls(plan, file)
    expected = _played(plan.folder, file, path, size, asked)
    turns = [peer for _ in range(plan.repeats) for peer in plan.peers]
    done = []
    for peer in tqdm(turns, file.name, unit="process", leave=False):
        job = Job(peer, path, size, tuple(_as_asked_of(peer, asked)), plan.path("small_01.mp4"))
        done.append((job, run_job(job, JOB_LIMIT_S)))
    return _rows(name, file, done, expected)


def _rows(
    name: str, file: SpeedFile, done: Sequence[tuple[Job, Outcome]], expected: Played | None
) -> list[Row]:
    """Returns a row for each kind of call and peer. expected: see _num_wrong."""
    rows: dict[tuple[str, str], Row] = {}
    for job, outcome in done:
        for k, call in enumerate(job.calls):
            if not call.name:
                continue
            row = rows.get((call.name, job.peer), Row(call.name, name, job.peer))
            frames = outcome.frames[k]
            if frames is None:
                row = replace(row, error=row.error or outcome.errors[k])
            else:
                row = replace(
                    row,
                    wall_s=(*row.wall_s, outcome.wall_s[k]),
                    cpu_s=(*row.cpu_s, outcome.cpu_s[k]),
                    num_frames=row.num_frames + len(frames),
                    num_wrong=row.num_wrong
                    + _num_wrong(job.peer, frames, call.times_s, file, expected),
                )
            rows[call.name, job.peer] = row
    return list(rows.values())


def _calls(plan: Plan, file: SpeedFile) -> list[Call]:
    """Returns what is asked of a file: no two zooms show the same seconds."""
    last = file.num_frames - 1
    spots = np.linspace(0, last, plan.num_overview).astype(int) + IN_FRAME
    clip_frames = CLIP_FRAMES * file.rate // CLIP_FPS
    rng = np.random.default_rng(0)
    starts = rng.integers(0, max(1, last - clip_frames), 2 * plan.num_zooms + 1)
    steps_s = np.arange(CLIP_FRAMES) / CLIP_FPS
    clips = [tuple(((start + IN_FRAME) / file.rate + steps_s).tolist()) for start in starts]
    return [
        Call(OVERVIEW, "cold", tuple((spots / file.rate).tolist())),
        *(Call(COLD, "cold", clip) for clip in clips[: plan.num_zooms]),
        Call("", "warm", clips[-1]),  # opens the file; its time does not count
        *(Call(WARM, "warm", clip) for clip in clips[plan.num_zooms : -1]),
    ]


def _as_asked_of(peer: str, asked: Sequence[Call]) -> Iterator[Call]:
    """Yields the calls that a peer can be asked: floors only when ready, reopeners only cold."""
    for call in asked:
        if PEERS[peer].is_floor:
            if call.name in (OVERVIEW, WARM):
                yield Call(call.name, "again", call.times_s)
        elif not (PEERS[peer].reopens and call.how == "warm"):
            yield call


def _played(
    folder: Path, file: SpeedFile, path: str, size: tuple[int, int], asked: Sequence[Call]
) -> Played:
    """Returns the frames that are asked for, out of decoding the whole file in order.

    That takes a minute for an hour of video, so they are kept.
    """
    indices = sorted({_index(time_s, file) for call in asked for time_s in call.times_s})
    digest = hashlib.sha256(f"{size} {indices}".encode()).hexdigest()[:12]
    kept = folder / "played" / f"{file.name}-{digest}.npy"

    def play(part: Path) -> None:
        with part.open("wb") as out:
            np.save(out, np.stack(list(_play(path, size, set(indices), file.num_frames))))

    pictures = np.load(written_file(kept, play), mmap_mode="r")
    for index, picture in zip(indices, pictures, strict=True):
        if number_in(picture) != number_shown(index, file):
            raise RuntimeError(f"{path}: frame {index} shows {number_in(picture)}: delete the file")
    return dict(zip(indices, pictures, strict=True))


def _play(
    path: str, size: tuple[int, int], indices: set[int], num_frames: int
) -> Iterator[NDArray[np.uint8]]:
    """Yields the pictures of the frames with these indices, decoding every frame."""
    scaler = Scaler()
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = tqdm(container.decode(video=0), "in order", num_frames, leave=False)
        for index, frame in enumerate(frames):
            if index in indices:
                yield scaler.picture(frame, size, orientation_of(frame))


def _index(time_s: float, file: SpeedFile) -> int:
    """Returns the index of the frame on screen."""
    return min(int(time_s * file.rate + 1e-6), file.num_frames - 1)


def _num_wrong(
    peer: str,
    frames: NDArray[np.uint8],
    times_s: Sequence[float],
    file: SpeedFile,
    expected: Played | None,
) -> int:
    """Returns how many frames show another number than those on screen.

    Ours may not differ in a byte from expected, if that is known.
    """
    indices = [_index(time_s, file) for time_s in times_s]
    if expected is not None and peer in (OURS, OURS_TWICE):
        pairs = zip(frames, indices, strict=True)
        return sum(not np.array_equal(frame, expected[i]) for frame, i in pairs)
    shown = [number_in(frame) for frame in frames]
    missing = abs(len(frames) - len(indices))
    pairs_shown = zip(shown, indices, strict=False)
    return missing + sum(number != number_shown(i, file) for number, i in pairs_shown)


def _peer_bars(rows: Sequence[Row]) -> Iterator[Bar]:
    """Yields what the peers' rows have to show."""
    by_place = {(row.work, row.file, row.peer): row for row in rows}

    def bar(file: str, mine: tuple[str, str], theirs: tuple[str, str], limit: float) -> Bar:
        ours, other = (
            by_place.get((work, file, peer), Row(work, file, peer)) for work, peer in (mine, theirs)
        )
        claim = f"{file}: {mine[0]}, {mine[1]} / {theirs[1]}"
        if mine[0] != theirs[0]:
            claim += f" ({theirs[0]})"
        cpu_ratio = ours.median_cpu_s / other.median_cpu_s
        return Bar(claim, ours.median_s / other.median_s, limit, cpu_ratio=cpu_ratio)

    for file, one, two in ((TEN_MIN, 0.45, 0.25), (HOUR, 0.42, 0.24), (HD, 0.65, 0.36)):
        yield bar(file, (OVERVIEW, OURS), (OVERVIEW, ZOOMER), one)
        yield bar(file, (OVERVIEW, OURS_TWICE), (OVERVIEW, ZOOMER), two)
        for exact in ("torchcodec exact", "torchcodec exact, 2 threads"):
            yield bar(file, (OVERVIEW, OURS), (OVERVIEW, exact), 0.75)
        yield bar(file, (OVERVIEW, OURS), (OVERVIEW, "ffmpeg floor"), 1.1)
    for file, cold, warm in ((TEN_MIN, 0.30, 0.26), (HOUR, 0.20, 0.15)):
        # Two threads against those that take both cores however few threads they are given.
        yield bar(file, (COLD, OURS_TWICE), (COLD, ZOOMER), cold)
        yield bar(file, (WARM, OURS_TWICE), (COLD, ZOOMER), warm)
        for threads in ("", ", 2 threads"):
            yield bar(file, (COLD, OURS_TWICE), (COLD, f"torchcodec approximate{threads}"), 0.65)
            yield bar(file, (WARM, OURS_TWICE), (WARM, f"torchcodec exact{threads}"), 0.65)


def measure_length(plan: Plan) -> Part:
    """Measures zooms in ten hours against ten minutes, encoded alike."""
    rows: list[Row] = []
    bars: list[Bar] = []
    notes: list[str] = []
    for suffix in ("mp4", "mkv"):
        names = [f"lean_10min.{suffix}", f"lean_10h.{suffix}"]
        jobs = {}
        for name in names:
            file = plan.files[name]
            calls = [call for call in _calls(plan, file) if call.name != OVERVIEW]
            size = native_size(file.segment.size, MAX_PIXELS)
            jobs[name] = Job(OURS, plan.path(name), size, tuple(calls), plan.path("small_01.mp4"))
        done: dict[str, list[tuple[Job, Outcome]]] = {name: [] for name in names}
        for _ in range(plan.repeats):
            for name in names:
                done[name].append((jobs[name], run_job(jobs[name], JOB_LIMIT_S)))
        medians_s = {}
        for name in names:
            for row in _rows(name, plan.files[name], done[name], expected=None):
                rows.append(row)
                medians_s[row.work, name] = row.median_s
        for work in (WARM, COLD):
            more = medians_s[work, names[1]] / medians_s[work, names[0]]
            claim = f"{work}, {suffix}: 10 h / 10 min"
            if (work, suffix) == (COLD, "mp4"):
                opening_s = fresh(_opening_s, plan.path(names[1]))
                again_s = fresh(_pooled_s, jobs[names[1]])
                notes.append(
                    f"{claim} = {more:.2f}: an mp4's whole index is read on opening, "
                    f"{1e3 * opening_s:.0f} of {1e3 * medians_s[work, names[1]]:.0f} ms. "
                    f"Another zoom by a new VideoFile, from the pool: {1e3 * again_s:.0f} ms"
                )
            else:
                bars.append(Bar(claim, more, 1.3))
    return Part(tuple(rows), tuple(bars), tuple(notes))


def _opening_s(path: str) -> float:
    """Returns how long FFmpeg alone takes to open a file, in seconds."""
    started_s = time.perf_counter()
    with av.open(path):
        return time.perf_counter() - started_s


def _pooled_s(job: Job) -> float:
    """Returns how long a zoom takes in a file that another VideoFile had open before."""
    first, *_, second = job.calls
    with VideoFile(job.path) as video:
        video.frames_at(first.times_s, job.size)
    started_s = time.perf_counter()
    with VideoFile(job.path) as video:
        video.frames_at(second.times_s, job.size)
    return time.perf_counter() - started_s


def measure_rollouts(plan: Plan) -> Part:
    """Measures the rollouts of one video at once, against one: they share its frames."""
    name = TEN_MIN
    walls: dict[int, list[float]] = {1: [], NUM_ROLLOUTS: []}
    for _ in range(plan.repeats):
        for count, wall_s in walls.items():
            wall_s.append(fresh(_rollouts_s, plan, name, count))
    rows = [Row(f"rollouts: {count}", name, OURS, tuple(wall_s)) for count, wall_s in walls.items()]
    ratio = rows[1].median_s / rows[0].median_s
    return Part(tuple(rows), (Bar(f"{NUM_ROLLOUTS} rollouts of one video / 1", ratio, 1.15),))


def _rollouts_s(plan: Plan, name: str, count: int) -> float:
    """Returns how long count rollouts take on threads: an overview and some zooms each."""
    file, path = plan.files[name], plan.path(name)
    size = native_size(file.segment.size, MAX_PIXELS)
    overview, *zooms = (call for call in _calls(plan, file) if call.how == "cold")

    def roll_out(_: int) -> None:
        with VideoFile(path) as video:
            for call in (overview, *zooms[:ZOOMS_PER_ROLLOUT]):
                video.frames_at(call.times_s, size)

    _warm_up(plan)
    started_s = time.perf_counter()
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(roll_out, range(count)))
    return time.perf_counter() - started_s


def measure_threads(plan: Plan) -> Part:
    """Measures two videos on two threads, against one after the other."""
    pairs = [fresh(_pair_s, plan) for _ in range(plan.repeats)]
    one_by_one, together = zip(*pairs, strict=True)
    rows = (
        Row("2 overviews, one by one", TEN_MIN, OURS, one_by_one),
        Row("2 overviews, 2 threads", TEN_MIN, OURS, together),
    )
    ratio = rows[0].median_s / rows[1].median_s
    return Part(rows, (Bar("2 videos: throughput of 2 threads / 1", ratio, 1.6, is_floor=True),))


def _pair_s(plan: Plan) -> tuple[float, float]:
    """Returns how long the overviews of two files take after each other, and at once."""
    names = (TEN_MIN, "h264_360p_10min_again.mp4")
    size = native_size(plan.files[TEN_MIN].segment.size, MAX_PIXELS)

    def look(name: str) -> None:
        overview = _calls(plan, plan.files[name])[0]
        with VideoFile(plan.path(name)) as video:
            video.frames_at(overview.times_s, size)

    def timed_s(num_threads: int) -> float:
        forget_frames()
        close_files()
        started_s = time.perf_counter()
        with ThreadPoolExecutor(num_threads) as threads:
            list(threads.map(look, names))
        return time.perf_counter() - started_s

    _warm_up(plan)
    return timed_s(1), timed_s(2)


def _warm_up(plan: Plan) -> None:
    """Loads every library before anything is timed."""
    with VideoFile(plan.path("small_01.mp4")) as video:
        video.frames_at([0.1, 1.1], (90, 160))


def measure_memory(plan: Plan) -> Part:
    """Measures what many openings leave behind."""
    if not STATM.exists():
        return Part(notes=("resident memory: not measured, it needs /proc",))
    megabytes = np.array(fresh(_resident_mb, plan))
    _, second, _, last = (float(quarter.mean()) for quarter in np.array_split(megabytes, 4))
    claim = f"resident memory, {plan.num_cycles} cycles over 20 files: last quarter / second"
    note = f"resident memory: second quarter {second:.1f} MB, last {last:.1f} MB"
    return Part(bars=(Bar(claim, last / second, 1.05),), notes=(note,))


STATM = Path("/proc/self/statm")
MEMORY_ROW_BYTES = 64 * 1024**2
"""Of the store of frames: full long before the second quarter begins."""


def _resident_mb(plan: Plan) -> list[float]:
    """Returns the resident megabytes after each cycle of open, overview, zoom, close."""
    files = [(plan.path(name), plan.files[name]) for name in plan.files if "small" in name]
    size = native_size(files[0][1].segment.size, MAX_PIXELS)
    rng = np.random.default_rng(0)
    set_frame_memory(MEMORY_ROW_BYTES)
    sizes = []
    for k in tqdm(range(plan.num_cycles), "memory", unit="cycle", leave=False):
        path, file = files[k % len(files)]
        end_s = file.num_frames / file.rate
        with VideoFile(path) as video:
            video.frames_at(np.linspace(0, video.last_frame_s, 8).tolist(), size)
            video.frames_at((rng.uniform(0, end_s) + np.arange(4) / 8).tolist(), size)
        close_files()
        sizes.append(int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
    return sizes


def fresh(function: Callable[..., T], *args: Any) -> T:
    """Returns function(*args), called in a process that has decoded nothing yet."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(function, *args).result()


PARTS: Mapping[str, Callable[[Plan], Part]] = {
    "peers": measure_peers,
    "length": measure_length,
    "rollouts": measure_rollouts,
    "threads": measure_threads,
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
    """Measures, prints, and writes video.json and video.svg to the folder out.

    Args:
        console: where the tables go.
        out: the folder.
        parts: of PARTS.
        peers: of PEERS. Those that are not installed are listed as absent.
        files: of PEER_FILES: what all peers decode.
        repeats: processes per peer and file.
        is_quick: whether small files and few calls do: numbers without meaning.
    """
    absent = [name for name in peers if not is_installed(name)]
    present = tuple(name for name in peers if name not in absent)
    plan = Plan(FILES, speed_dir(), present, tuple(files), repeats)
    if is_quick:
        plan = Plan(QUICK_FILES, speed_dir(), present, tuple(files), 1, 8, 1, 8)
    run = describe_run(absent)
    measured = []
    for name in parts:
        part = PARTS[name](plan)
        _print(console, part)
        measured.append(part)
    for name in absent:
        console.print(f"absent: {name} (needs the package {PEERS[name].package})")
    if is_quick:
        console.print("quick: it runs, but the numbers mean nothing")
    result = {
        **run,
        "is_quick": is_quick,
        "rows": [_row_json(row) for p in measured for row in p.rows],
        "bars": [asdict(bar) | {"verdict": bar.verdict} for p in measured for bar in p.bars],
        "notes": [note for part in measured for note in part.notes],
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "video.json").write_text(json.dumps(_without_nan(result), indent=1) + "\n")
    (out / "video.svg").write_text(_svg([row for part in measured for row in part.rows]))
    console.print(f"{sum(len(part.rows) for part in measured)} rows -> {out / 'video.json'}")


def describe_run(absent: Sequence[str]) -> dict[str, Any]:
    """Returns when and where this process measures, with which versions and without which peers."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "platform": platform.platform(),
            "processor": _processor(),
            "num_cores": len(os.sched_getaffinity(0)) if LINUX else os.cpu_count(),
            "load_average": os.getloadavg() if hasattr(os, "getloadavg") else None,
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "absent": list(absent),
    }


def _row_json(row: Row) -> dict[str, Any]:
    """Returns a row with its medians."""
    return asdict(row) | {"median_s": row.median_s, "median_cpu_s": row.median_cpu_s}


LINUX = sys.platform == "linux"


def _processor() -> str:
    """Returns what the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _versions() -> dict[str, str]:
    """Returns the versions of what was measured, without what is not installed."""
    found = {"ffmpeg (PyAV's)": str(av.ffmpeg_version_info)}
    for package in PACKAGES:
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


def _print(console: Console, part: Part) -> None:
    """Prints rows, each against ours of the same work and file, then bars and notes."""
    ours_s = {(row.work, row.file): row.median_s for row in part.rows if row.peer == OURS}
    table = Table(title="Medians", title_justify="left")
    for name in ("file", "work", "who", "ms", "x ours", "cpu ms", "wrong frames"):
        table.add_column(name, justify="left" if name in ("file", "work", "who") else "right")
    for row in sorted(part.rows, key=lambda row: (row.file, row.work)):
        times = f"{row.median_s / ours_s.get((row.work, row.file), math.nan):.2f}"
        wrong = f"{row.num_wrong} of {row.num_frames}" if row.num_frames else ""
        wrong = f"[red]{wrong}[/red]" if row.num_wrong else wrong
        error = f" {row.error}" if row.error else ""
        spans = (f"{1e3 * row.median_s:.0f}", times, f"{1e3 * row.median_cpu_s:.0f}")
        table.add_row(row.file, row.work, row.peer, *spans, wrong + error)
    if part.rows:
        console.print(table)
    bars = Table(title="Bars", title_justify="left")
    for name in ("claim", "ratio", "bar", "", "in cpu time"):
        bars.add_column(name, justify="left" if name in ("claim", "") else "right")
    for bar in part.bars:
        cpu = "" if math.isnan(bar.cpu_ratio) else f"{bar.cpu_ratio:.2f}"
        sign = "at least" if bar.is_floor else "at most"
        bars.add_row(bar.claim, f"{bar.ratio:.2f}", f"{sign} {bar.limit:g}", bar.verdict, cpu)
    if part.bars:
        console.print(bars)
    for note in part.notes:
        console.print(note)


BAR_H, LABEL_W, PLOT_W, SVG_W = 18, 270, 420, 800


def _svg(rows: Sequence[Row]) -> str:
    """Returns a picture of the medians: a group of bars per file and work, wrong ones hatched."""
    lines: list[str] = []
    y = 10
    for key in dict.fromkeys((row.file, row.work) for row in rows):
        group = [row for row in rows if (row.file, row.work) == key]
        if len(group) < 2:  # nothing to compare
            continue
        longest_s = max((row.median_s for row in group if row.wall_s), default=math.nan)
        y += 2 * BAR_H
        lines.append(f'<text x="10" y="{y}" font-weight="bold">{escape(" - ".join(key))}</text>')
        for row in group:
            y += BAR_H
            text = f"{1e3 * row.median_s:.0f} ms" if row.wall_s else row.error[:40]
            if row.num_wrong:
                text += f", {row.num_wrong} of {row.num_frames} frames wrong"
            width = PLOT_W * row.median_s / longest_s if row.wall_s else 0
            fill = "#0072b2" if row.peer.startswith(OURS) else "#999999"
            fill = "url(#wrong)" if row.num_wrong else fill
            lines += (
                f'<text x="{LABEL_W - 8}" y="{y}" text-anchor="end">{escape(row.peer)}</text>',
                f'<rect x="{LABEL_W}" y="{y - 12}" width="{width / 2:.1f}" height="14" '
                f'fill="{fill}"/>',
                f'<text x="{LABEL_W + width / 2 + 6:.1f}" y="{y}">{escape(text)}</text>',
            )
    height = y + 20
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SVG_W} {height}" '
            f'width="{SVG_W}" height="{height}" font-family="sans-serif" font-size="13">',
            '<defs><pattern id="wrong" width="6" height="6" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><rect width="6" height="6" fill="#f3c6b8"/>'
            '<rect width="3" height="6" fill="#d55e00"/></pattern></defs>',
            '<rect width="100%" height="100%" fill="white"/>',
            *lines,
            "</svg>\n",
        )
    )
