"""Counts wrong frames in awkward files: ours, and those of every installed peer.

The frame on screen in sequential playback is right. Ours must equal it byte for byte. A peer
scales and converts in its own way: its frame is right if no other frame of the file is clearly
nearer. Time 0 is where a peer says that the file begins.
"""

import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from tqdm import tqdm

from benchmarks.speed.decoding.awkward.clips import play
from benchmarks.speed.decoding.awkward.kinds import INEXACT, KINDS
from benchmarks.speed.decoding.files import speed_dir
from benchmarks.speed.decoding.measure import describe_run, print_absent
from benchmarks.speed.decoding.peers import (
    OURS,
    OURS_TWICE,
    PEERS,
    FrameCall,
    PeerJob,
    PeerOutcome,
    is_installed,
    run_job,
)
from benchmarks.speed.tables import number_table
from zoomgym.io import written_file

ASKED = tuple(
    name
    for name, peer in PEERS.items()
    if not peer.is_floor and (name == OURS_TWICE or "threads" not in name)
)
"""Peers to ask: more threads do not change the frames of the others."""
SIZE = (48, 80)
NUM_SINGLES, NUM_OVERVIEW, NUM_ZOOMS = 200, 64, 12
ZOOM_S = np.arange(16) / 8
NEAR = 60
"""Frames on each side to compare with a peer's frame."""
MARGIN = 1.0
"""Levels by which another frame must be nearer: frames of a still scene hardly differ."""
MAX_ERROR = 40
"""Mean difference in levels from which on a picture is another one."""
LIMIT_S = 60
QUICK = ("base.mp4", "open_gop.mkv", "base.ts")
MAX_FRAMES = 20_000
"""Frames of one file in memory, at most: 230 MB."""
MAX_SHIFTED = 16
"""Frames that may appear before one that was decoded earlier."""


@dataclass(frozen=True, slots=True)
class PlayedFile:
    """A file, played in order."""

    name: str
    path: str
    starts_s: NDArray[np.float64]
    """(N,) seconds from the first frame, ascending."""
    pictures: NDArray[np.uint8]
    """(N, H, W, 3) RGB."""

    def inside(self, time_s: float, part: float) -> tuple[float, int]:
        """Returns a time well inside the frame on screen at time_s, and the frame's index.

        There, no peer's rounding and no rule about borders matters.
        """
        index = max(0, int(np.searchsorted(self.starts_s, time_s, side="right")) - 1)
        start_s = self.starts_s[index]
        end_s = self.starts_s[index + 1] if index + 1 < len(self.starts_s) else start_s + 0.01
        return float(start_s + part * (end_s - start_s)), index


@dataclass(frozen=True, slots=True)
class ExactnessCell:
    """Result of one peer on one file."""

    file: str
    peer: str
    num_frames: int
    num_wrong: int
    num_missing: int
    """Frames with an error instead."""
    error: str
    """The first error."""
    is_reproducible: bool
    """Decoding from a keyframe gives what sequential playback gives."""

    @property
    def text(self) -> str:
        """Returns the cell of the table."""
        if self.num_missing == self.num_frames:
            return "hangs" if self.error.startswith("hangs") else "fails"
        missing = f" + {self.num_missing} missing" if self.num_missing else ""
        return f"{self.num_wrong}{missing}"


def measure_exactness(
    console: Console,
    out: Path,
    peers: Sequence[str],
    clips: Sequence[Path],
    *,
    folder: Path | None = None,
    is_quick: bool = False,
) -> None:
    """Compares, prints, and writes exactness.json to the folder out.

    Checks clips beside the awkward files, or only the files in folder. If `is_quick`, a few files
    and times are enough.
    """
    installed = {name: is_installed(name) for name in peers if name in ASKED}
    absent = [name for name in installed if not installed[name]]
    asked = [name for name in installed if installed[name]]
    cells: list[ExactnessCell] = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        playbacks = _folder(folder, console) if folder else _playbacks(clips, is_quick)
        for playback, is_reproducible in tqdm(playbacks, "files", unit="file", leave=False):
            wanted = _wanted(playback, 20 if is_quick else NUM_SINGLES)
            calls = tuple(FrameCall("", "warm", tuple(t for t, _ in call)) for call in wanted)
            jobs = [PeerJob(peer, playback.path, SIZE, calls) for peer in asked]
            outcomes = threads.map(lambda job: run_job(job, LIMIT_S), jobs)
            for peer, outcome in zip(asked, outcomes, strict=True):
                cells.append(_cell(peer, playback, wanted, outcome, is_reproducible))
    _print(console, cells, asked)
    for cell in cells:
        if cell.peer == OURS and cell.error:
            console.print(f"ours refuses {cell.error}", markup=False)
    print_absent(console, absent)
    out.mkdir(parents=True, exist_ok=True)
    result = describe_run(absent) | {"is_quick": is_quick, "cells": [asdict(c) for c in cells]}
    (out / "exactness.json").write_text(json.dumps(result, indent=1) + "\n")
    console.print(f"{len(cells)} cells -> {out / 'exactness.json'}")


def _playbacks(clips: Sequence[Path], is_quick: bool) -> Iterator[tuple[PlayedFile, bool]]:
    """Yields every file, played in order, and whether that is reproducible."""
    folder = speed_dir() / "awkward"

    def get(name: str) -> Path:
        return written_file(folder / name, lambda part: writers[name](part, get))

    writers = KINDS | INEXACT
    names = QUICK if is_quick else writers
    for name in tqdm(names, "played in order", unit="file", leave=False):
        yield _playback(name, get(name)), name not in INEXACT
    for path in clips:
        yield _playback(path.name, path.absolute()), True


def _folder(folder: Path, console: Console) -> Iterator[tuple[PlayedFile, bool]]:
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = str(path.relative_to(folder))
        try:
            playback = _playback(name, path.absolute())
        except (av.FFmpegError, StopIteration) as error:
            console.print(f"no video: {name} ({error})", markup=False)
            continue
        if len(playback.starts_s):
            yield playback, True
        else:
            console.print(f"no frames with times: {name}", markup=False)


def _playback(name: str, path: Path) -> PlayedFile:
    played = play(path, SIZE, MAX_FRAMES)
    num_frames = len(played.pts)
    if num_frames == MAX_FRAMES:
        num_frames -= MAX_SHIFTED
    starts_s = [played.time_s(index) for index in range(num_frames)]
    return PlayedFile(name, str(path), np.array(starts_s), np.array(played.pictures[:num_frames]))


def _wanted(playback: PlayedFile, num_singles: int) -> list[list[tuple[float, int]]]:
    """Returns the calls: each a list of times with the indices of their frames."""
    rng = np.random.default_rng(0)
    end_s = float(playback.starts_s[-1])
    singles = rng.uniform(0, end_s, num_singles)
    spots = np.linspace(0, len(playback.starts_s) - 1, NUM_OVERVIEW).astype(int)
    zooms = rng.uniform(0, max(0.0, end_s - ZOOM_S[-1]), NUM_ZOOMS)
    return [
        *([playback.inside(time_s, rng.uniform(0.2, 0.8))] for time_s in singles.tolist()),
        [playback.inside(time_s, 0.4) for time_s in playback.starts_s[spots].tolist()],
        *([playback.inside(t, 0.4) for t in (start_s + ZOOM_S).tolist()] for start_s in zooms),
    ]


def _cell(
    peer: str,
    playback: PlayedFile,
    wanted: Sequence[Sequence[tuple[float, int]]],
    outcome: PeerOutcome,
    is_reproducible: bool,
) -> ExactnessCell:
    is_ours = peer in (OURS, OURS_TWICE)
    num_wrong = num_missing = 0
    for call, frames in zip(wanted, outcome.frames, strict=True):
        indices = [index for _, index in call]
        if frames is None or len(frames) != len(indices):
            num_missing += len(indices)
            continue
        num_wrong += sum(
            not np.array_equal(frame, playback.pictures[index])
            if is_ours
            else not _is_nearest(frame, index, playback.pictures)
            for frame, index in zip(frames, indices, strict=True)
        )
    error = next(filter(None, outcome.errors), "")
    counts = sum(map(len, wanted)), num_wrong, num_missing
    return ExactnessCell(playback.name, peer, *counts, error, is_reproducible)


def _is_nearest(frame: NDArray[np.uint8], index: int, pictures: NDArray[np.uint8]) -> bool:
    """Returns whether no picture is clearly nearer to frame than the one with this index.

    An upside-down picture is another fault, which is not counted here.
    """
    first = max(0, index - NEAR)
    near = pictures[first : index + NEAR + 1].astype(np.float32)
    errors = np.minimum(
        np.abs(near - frame).mean(axis=(1, 2, 3)),
        np.abs(near - frame[::-1, ::-1]).mean(axis=(1, 2, 3)),
    )
    return bool(errors[index - first] <= min(errors.min() + MARGIN, MAX_ERROR))


def _print(console: Console, cells: Sequence[ExactnessCell], peers: Sequence[str]) -> None:
    num_frames = max((cell.num_frames for cell in cells), default=0)
    table = number_table(f"Wrong frames of {num_frames} per file", ("file",), peers)
    for file, of_file in groupby(cells, lambda cell: cell.file):
        row = list(of_file)
        mark = "" if all(cell.is_reproducible for cell in row) else " *"
        table.add_row(file + mark, *(cell.text for cell in row))
    table.add_section()
    exact = [cell for cell in cells if cell.is_reproducible]
    for label, count in (
        ("wrong frames", lambda cell: cell.num_wrong),
        ("missing frames", lambda cell: cell.num_missing),
        ("files with neither", lambda cell: not (cell.num_wrong or cell.num_missing)),
    ):
        sums = (sum(count(cell) for cell in exact if cell.peer == peer) for peer in peers)
        table.add_row(label, *(str(total) for total in sums))
    console.print(table)
    console.print("* looks different when it is not played from its start: not in the sums")
