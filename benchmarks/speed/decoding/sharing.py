"""Measures the shared reader: long files, many rollouts, threads, vectors, and memory."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import av
import numpy as np
from gymnasium.vector import AsyncVectorEnv
from tqdm import tqdm

from benchmarks.speed.decoding.against_peers import JOB_LIMIT_S, measure_peers, rows_of
from benchmarks.speed.decoding.measure import (
    CLIP_FPS,
    COLD,
    OVERVIEW,
    TEN_MIN,
    WARM,
    DecodingPlan,
    Measurement,
    SpeedClaim,
    Timing,
    calls_of,
    fresh,
)
from benchmarks.speed.decoding.peers import OURS, PeerJob, PeerOutcome, run_job
from zoomgym import ZoomEnv
from zoomgym.envs.vector import ZoomVectorEnv
from zoomgym.video import VideoFile, close_files, forget_frames, set_frame_memory

NUM_ROLLOUTS, ZOOMS_PER_ROLLOUT = 16, 4
VECTOR_FILES = (
    TEN_MIN,
    "h264_360p_10min_again.mp4",
    "h264_360p_60min_open.mp4",
    "hevc_360p_5min.mp4",
    "vp9_360p_5min.webm",
    "lean_10min.mp4",
    "lean_10min.mkv",
)
EPISODES_PER_ENV = 2
VECTORS = (
    ((27, 12), "4 different files"),
    ((27, 12, 0), "6 different files"),
    (tuple(range(8)), "7 shared files"),
)
"""Seeds of the environments, which draw tasks on so many files."""


def measure_length(plan: DecodingPlan) -> Measurement:
    """Measures zooms in ten hours against ten minutes of the same encoding."""
    rows: list[Timing] = []
    bars: list[SpeedClaim] = []
    notes: list[str] = []
    for suffix in ("mp4", "mkv"):
        names = [f"lean_10min.{suffix}", f"lean_10h.{suffix}"]
        jobs = {}
        for name in names:
            calls = [call for call in calls_of(plan, plan.files[name]) if call.name != OVERVIEW]
            jobs[name] = plan.job(OURS, name, calls)
        done: dict[str, list[tuple[PeerJob, PeerOutcome]]] = {name: [] for name in names}
        for _ in range(plan.repeats):
            for name in names:
                done[name].append((jobs[name], run_job(jobs[name], JOB_LIMIT_S)))
        medians_s = {}
        for name in names:
            for row in rows_of(name, plan.files[name], done[name], expected=None):
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
                bars.append(SpeedClaim(claim, more, 1.3))
    return Measurement(tuple(rows), tuple(bars), tuple(notes))


def _opening_s(path: str) -> float:
    started_s = time.perf_counter()
    with av.open(path):
        return time.perf_counter() - started_s


def _pooled_s(job: PeerJob) -> float:
    """Returns how long a zoom takes in a file that another VideoFile opened before."""
    first, *_, second = job.calls
    with VideoFile(job.path) as video:
        video.frames_at(first.times_s, job.size)
    started_s = time.perf_counter()
    with VideoFile(job.path) as video:
        video.frames_at(second.times_s, job.size)
    return time.perf_counter() - started_s


def measure_rollouts(plan: DecodingPlan) -> Measurement:
    """Measures simultaneous rollouts of one video, which share its frames, against one."""
    name = TEN_MIN
    walls: dict[int, list[float]] = {1: [], NUM_ROLLOUTS: []}
    for _ in range(plan.repeats):
        for count, wall_s in walls.items():
            wall_s.append(fresh(_rollouts_s, plan, name, count))
    one, many = (
        Timing(f"rollouts: {count}", name, OURS, tuple(wall_s)) for count, wall_s in walls.items()
    )
    claim, ratio = f"{NUM_ROLLOUTS} rollouts of one video / 1", many.median_s / one.median_s
    return Measurement((one, many), (SpeedClaim(claim, ratio, 1.15),))


def _rollouts_s(plan: DecodingPlan, name: str, count: int) -> float:
    path, size = plan.path(name), plan.size(name)
    cold = [call for call in calls_of(plan, plan.files[name]) if call.how == "cold"]

    def roll_out(_: int) -> None:
        with VideoFile(path) as video:
            for call in cold[: 1 + ZOOMS_PER_ROLLOUT]:
                video.frames_at(call.times_s, size)

    _warm_up(plan)
    started_s = time.perf_counter()
    with ThreadPoolExecutor(count) as threads:
        list(threads.map(roll_out, range(count)))
    return time.perf_counter() - started_s


def measure_threads(plan: DecodingPlan) -> Measurement:
    """Measures two videos on two threads against one thread."""
    pairs = [fresh(_pair_s, plan) for _ in range(plan.repeats)]
    one, two = (
        Timing(f"2 overviews, {how}", TEN_MIN, OURS, wall_s)
        for how, wall_s in zip(("one by one", "2 threads"), zip(*pairs, strict=True), strict=True)
    )
    claim, ratio = "2 videos: throughput of 2 threads / 1", one.median_s / two.median_s
    return Measurement((one, two), (SpeedClaim(claim, ratio, 1.6, is_floor=True),))


def _pair_s(plan: DecodingPlan) -> tuple[float, float]:
    names = (TEN_MIN, "h264_360p_10min_again.mp4")
    size = plan.size(TEN_MIN)

    def look(name: str) -> None:
        overview = calls_of(plan, plan.files[name])[0]
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


def measure_vector(plan: DecodingPlan) -> Measurement:
    """Measures a vector of environments on threads against one of processes."""
    rows: list[Timing] = []
    bars: list[SpeedClaim] = []
    for seeds, files in VECTORS:
        work = f"{len(seeds)} environments, {EPISODES_PER_ENV * len(seeds)} episodes"
        walls: dict[str, list[float]] = {"ZoomVectorEnv": [], "AsyncVectorEnv": []}
        for _ in range(plan.repeats):
            for name, wall_s in walls.items():
                wall_s.append(fresh(_vector_s, plan, name, seeds))
        ours, other = (Timing(work, files, name, tuple(wall_s)) for name, wall_s in walls.items())
        rows += (ours, other)
        claim = f"{work} on {files}: ZoomVectorEnv / AsyncVectorEnv"
        bars.append(SpeedClaim(claim, ours.median_s / other.median_s, 1.0))
    return Measurement(tuple(rows), tuple(bars))


def _vector_s(plan: DecodingPlan, name: str, seeds: Sequence[int]) -> float:
    """Returns how long a vector takes for episodes of an overview, four zooms and an answer.

    Both kinds draw the same tasks. Starting processes does not count.
    """
    manifest = plan.folder / "vector.jsonl"
    rows = [
        {"id": file, "video": plan.path(file), "question": "What is seen?", "answer": "nothing"}
        for file in VECTOR_FILES
    ]
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    num_envs, tasks = len(seeds), str(manifest)
    vector = (
        ZoomVectorEnv(num_envs, tasks=tasks)
        if name == "ZoomVectorEnv"
        else AsyncVectorEnv([partial(ZoomEnv, tasks=tasks)] * num_envs)
    )
    shortest_s = min(plan.files[file].num_frames / plan.files[file].rate for file in VECTOR_FILES)
    replies = [
        json.dumps({"segment": [start_s, start_s + 2], "fps": CLIP_FPS})
        for start_s in np.linspace(0, shortest_s - 2, ZOOMS_PER_ROLLOUT).tolist()
    ]
    started_s = time.perf_counter()
    vector.reset(seed=list(seeds))
    episode = (*replies, '{"answer": "nothing"}', "is passed over by the reset")
    for reply in (episode * EPISODES_PER_ENV)[:-1]:
        vector.step([reply] * num_envs)
    wall_s = time.perf_counter() - started_s
    vector.close()
    return wall_s


def _warm_up(plan: DecodingPlan) -> None:
    with VideoFile(plan.path("small_01.mp4")) as video:
        video.frames_at([0.1, 1.1], (90, 160))


def measure_memory(plan: DecodingPlan) -> Measurement:
    """Measures the memory that many openings leave behind."""
    if not STATM.exists():
        return Measurement(notes=("resident memory: not measured, it needs /proc",))
    quarters = np.array_split(np.array(fresh(_resident_mb, plan)), 4)
    second, last = float(quarters[1].mean()), float(quarters[3].mean())
    claim = f"resident memory, {plan.num_cycles} cycles over 20 files: last quarter / second"
    note = f"resident memory: second quarter {second:.1f} MB, last {last:.1f} MB"
    return Measurement(bars=(SpeedClaim(claim, last / second, 1.05),), notes=(note,))


STATM = Path("/proc/self/statm")
MEMORY_ROW_BYTES = 64 * 1024**2
"""Size of the store of frames: full before the second quarter begins."""


def _resident_mb(plan: DecodingPlan) -> list[float]:
    files = [(plan.path(name), plan.files[name]) for name in plan.files if "small" in name]
    size = plan.size("small_00.mp4")
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


PARTS: Mapping[str, Callable[[DecodingPlan], Measurement]] = {
    "peers": measure_peers,
    "length": measure_length,
    "rollouts": measure_rollouts,
    "threads": measure_threads,
    "vector": measure_vector,
    "memory": measure_memory,
}
