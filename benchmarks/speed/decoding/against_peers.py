"""Measures overviews and zooms: ours against every peer, with the wrong frames of each.

A time only counts beside its number of wrong frames: each frame shows its number, and ours are
also compared byte for byte with a sequential decode.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from benchmarks.speed.decoding.files import SpeedFile, number_in, number_shown
from benchmarks.speed.decoding.measure import (
    COLD,
    HD,
    HOUR,
    OVERVIEW,
    TEN_MIN,
    WARM,
    DecodingPlan,
    Measurement,
    SpeedClaim,
    Timing,
    calls_of,
)
from benchmarks.speed.decoding.peers import (
    OURS,
    OURS_TWICE,
    PEERS,
    FrameCall,
    PeerJob,
    PeerOutcome,
    run_job,
)
from zoomgym.io import cached_file
from zoomgym.tasks import is_sealed, seal
from zoomgym.video import Scaler, orientation_of

Played = Mapping[int, NDArray[np.uint8]]
"""Frame index -> its picture, (H, W, 3) uint8 RGB."""

JOB_LIMIT_S = 300
PEER_FILES = (TEN_MIN, HOUR, HD, "hevc_360p_5min.mp4", "vp9_360p_5min.webm")
ZOOMER = "VideoZoomer's way"


def measure_peers(plan: DecodingPlan) -> Measurement:
    """Measures overviews and zooms of all peers in turn, each time in a new process."""
    rows = [row for name in plan.peer_files for row in _peer_rows(plan, name)]
    wrong = sum(row.num_wrong for row in rows if row.peer in (OURS, OURS_TWICE))
    exact = SpeedClaim("ours: frames that differ from decoding the whole file", wrong, 0)
    return Measurement(tuple(rows), (exact, *_peer_bars(rows)))


def _peer_rows(plan: DecodingPlan, name: str) -> list[Timing]:
    file = plan.files[name]
    asked = calls_of(plan, file)
    expected = _played(plan.folder, file, plan.path(name), plan.size(name), asked)
    turns = [peer for _ in range(plan.repeats) for peer in plan.peers]
    done = []
    for peer in tqdm(turns, file.name, unit="process", leave=False):
        job = plan.job(peer, name, _as_asked_of(peer, asked))
        done.append((job, run_job(job, JOB_LIMIT_S)))
    return rows_of(name, file, done, expected)


def rows_of(
    name: str, file: SpeedFile, done: Sequence[tuple[PeerJob, PeerOutcome]], expected: Played | None
) -> list[Timing]:
    """Returns a row for each kind of call and peer. For `expected`, see `_num_wrong`."""
    rows: dict[tuple[str, str], Timing] = {}
    for job, outcome in done:
        for k, call in enumerate(job.calls):
            if not call.name:
                continue
            row = rows.get((call.name, job.peer), Timing(call.name, name, job.peer))
            frames = outcome.frames[k]
            if frames is None:
                row = replace(row, error=row.error or outcome.errors[k])
            else:
                num_wrong = _num_wrong(job.peer, frames, call.times_s, file, expected)
                row = replace(
                    row,
                    wall_s=(*row.wall_s, outcome.wall_s[k]),
                    cpu_s=(*row.cpu_s, outcome.cpu_s[k]),
                    num_frames=row.num_frames + len(frames),
                    num_wrong=row.num_wrong + num_wrong,
                )
            rows[call.name, job.peer] = row
    return list(rows.values())


def _as_asked_of(peer: str, asked: Sequence[FrameCall]) -> Iterator[FrameCall]:
    """Yields the calls that suit a peer: floors are only asked when ready, reopeners only cold."""
    for call in asked:
        if PEERS[peer].is_floor:
            if call.name in (OVERVIEW, WARM):
                yield FrameCall(call.name, "again", call.times_s)
        elif not (PEERS[peer].reopens and call.how == "warm"):
            yield call


def _played(
    folder: Path, file: SpeedFile, path: str, size: tuple[int, int], asked: Sequence[FrameCall]
) -> Played:
    """Returns the wanted frames of a sequential decode.

    That takes a minute for an hour of video, so they are kept in a file.
    """
    indices = sorted({_index(time_s, file) for call in asked for time_s in call.times_s})
    digest = hashlib.sha256(f"{size} {indices}".encode()).hexdigest()[:12]
    kept = folder / "played" / f"{file.name}-{digest}.npy"

    def play(part: Path) -> None:
        with part.open("wb") as out:
            np.save(out, np.stack(list(_play(path, size, set(indices), file.num_frames))))
        seal(part, kept.name)

    pictures = np.load(cached_file(kept, play, is_right=is_sealed), mmap_mode="r")
    for index, picture in zip(indices, pictures, strict=True):
        if number_in(picture) != number_shown(index, file):
            raise RuntimeError(f"{path}: frame {index} shows {number_in(picture)}: delete the file")
    return dict(zip(indices, pictures, strict=True))


def _play(
    path: str, size: tuple[int, int], indices: set[int], num_frames: int
) -> Iterator[NDArray[np.uint8]]:
    """Yields the pictures of these frames, decoding every frame."""
    scaler = Scaler()
    with av.open(path) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = tqdm(container.decode(video=0), "in order", num_frames, leave=False)
        for index, frame in enumerate(frames):
            if index in indices:
                yield scaler.picture(frame, size, orientation_of(frame))


def _index(time_s: float, file: SpeedFile) -> int:
    return min(int(time_s * file.rate + 1e-6), file.num_frames - 1)


def _num_wrong(
    peer: str,
    frames: NDArray[np.uint8],
    times_s: Sequence[float],
    file: SpeedFile,
    expected: Played | None,
) -> int:
    """Returns how many frames show another number than those on screen.

    Ours must equal `expected` byte for byte, if it is known.
    """
    indices = [_index(time_s, file) for time_s in times_s]
    if expected is not None and peer in (OURS, OURS_TWICE):
        pairs = zip(frames, indices, strict=True)
        return sum(not np.array_equal(frame, expected[i]) for frame, i in pairs)
    shown = [number_in(frame) for frame in frames]
    missing = abs(len(frames) - len(indices))
    pairs_shown = zip(shown, indices, strict=False)
    return missing + sum(number != number_shown(i, file) for number, i in pairs_shown)


def _peer_bars(rows: Sequence[Timing]) -> Iterator[SpeedClaim]:
    """Yields the claims that the peers' rows decide."""
    files = {row.file for row in rows}
    by_place = {(row.work, row.file, row.peer): row for row in rows}

    def bar(file: str, mine: tuple[str, str], theirs: tuple[str, str], limit: float) -> SpeedClaim:
        unmeasured = Timing("", file, "")
        ours, other = (
            by_place.get((work, file, peer), unmeasured) for work, peer in (mine, theirs)
        )
        claim = f"{file}: {mine[0]}, {mine[1]} / {theirs[1]}"
        if mine[0] != theirs[0]:
            claim += f" ({theirs[0]})"
        cpu_ratio = ours.median_cpu_s / other.median_cpu_s
        return SpeedClaim(claim, ours.median_s / other.median_s, limit, cpu_ratio=cpu_ratio)

    for file, one, two in ((TEN_MIN, 0.45, 0.25), (HOUR, 0.42, 0.24), (HD, 0.65, 0.36)):
        if file not in files:
            continue
        yield bar(file, (OVERVIEW, OURS), (OVERVIEW, ZOOMER), one)
        yield bar(file, (OVERVIEW, OURS_TWICE), (OVERVIEW, ZOOMER), two)
        yield bar(file, (OVERVIEW, OURS), (OVERVIEW, "torchcodec exact"), 0.75)
        yield bar(file, (OVERVIEW, OURS_TWICE), (OVERVIEW, "torchcodec exact, 2 threads"), 0.75)
        yield bar(file, (OVERVIEW, OURS), (OVERVIEW, "ffmpeg floor"), 1.1)
    for file, cold, warm in ((TEN_MIN, 0.30, 0.26), (HOUR, 0.20, 0.15)):
        if file not in files:
            continue
        # Two threads against those that take both cores however few threads they are given.
        yield bar(file, (COLD, OURS_TWICE), (COLD, ZOOMER), cold)
        yield bar(file, (WARM, OURS_TWICE), (COLD, ZOOMER), warm)
        for threads in ("", ", 2 threads"):
            yield bar(file, (COLD, OURS_TWICE), (COLD, f"torchcodec approximate{threads}"), 0.65)
            yield bar(file, (WARM, OURS_TWICE), (WARM, f"torchcodec exact{threads}"), 0.65)
