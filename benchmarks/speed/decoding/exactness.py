"""Counts wrong frames in awkward files: ours and every peer that is installed.

Right is the frame that is on screen when the file is played in order. Ours have to equal it byte
for byte. A peer scales and converts in its own way, so its frame is right if no other frame of the
file is clearly nearer to it. Time 0 is what a peer says is the beginning.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from benchmarks.speed.decoding.awkward.clips import play
from benchmarks.speed.decoding.awkward.kinds import INEXACT, KINDS
from benchmarks.speed.decoding.files import speed_dir
from benchmarks.speed.decoding.measure import describe_run
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
from zoomgym.io import written_file

ASKED = tuple(
    name
    for name, peer in PEERS.items()
    if not peer.is_floor and (name == OURS_TWICE or "threads" not in name)
)
"""Peers that are asked: threads change nothing in what the others return."""
SIZE = (48, 80)
NUM_SINGLES, NUM_OVERVIEW, NUM_ZOOMS = 200, 64, 12
ZOOM_S = np.arange(16) / 8
NEAR = 60
"""Frames to each side among which the one nearest to a peer's frame is looked for."""
MARGIN = 1.0
"""Levels by which another frame has to be nearer: in a still scene frames hardly differ."""
MAX_ERROR = 40
"""Mean difference in levels at which a picture is no longer the one that it should be."""
LIMIT_S = 60
QUICK = ("base.mp4", "open_gop.mkv", "base.ts")
MAX_FRAMES = 20_000
"""Frames of one file that are held for comparison: 230 MB."""
MAX_SHIFTED = 16
"""Frames that can be shown before one that the decoder gave out earlier."""


@dataclass(frozen=True, slots=True)
class PlayedFile:
    """A file played in order."""

    name: str
    path: str
    starts_s: NDArray[np.float64]
    """(N,) seconds from the first frame, ascending."""
    pictures: NDArray[np.uint8]
    """(N, H, W, 3) RGB."""

    def inside(self, time_s: float, part: float) -> tuple[float, int]:
        """Returns a time well inside the frame on screen at time_s, and the frame's index.

        So no peer's rounding, nor a rule about the very border, decides which frame is right.
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
    """Frames for which there was an error instead."""
    error: str
    """The first error."""
    is_reproducible: bool
    """Decoding from a keyframe can give what playing in order gives."""

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

    Clips are checked beside the awkward files, or those in a folder instead. If `is_quick`, a few
    files and times are enough. Peers that are not installed are listed as absent.
    """
    asked = [name for name in peers if name in ASKED]
    absent = [name for name in asked if not is_installed(name)]
    asked = [name for name in asked if name not in absent]
    cells: list[ExactnessCell] = []
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        playbacks = _folder(folder, console) if folder else _playbacks(clips, is_quick)
        for playback, is_reproducible in tqdm(playbacks, "files", unit="file", leave=False):
            wanted = _wanted(playback, 20 if is_quick else NUM_SINGLES)
            jobs = [_job(peer, playback, wanted) for peer in asked]
            outcomes = threads.map(lambda job: run_job(job, LIMIT_S), jobs)
            for peer, outcome in zip(asked, outcomes, strict=True):
                cells.append(_cell(peer, playback, wanted, outcome, is_reproducible))
    _print(console, cells, asked)
    for cell in cells:
        if cell.peer == OURS and cell.error:
            console.print(f"ours refuses {cell.error}", markup=False)
    for name in absent:
        console.print(f"absent: {name} (needs the package {PEERS[name].package})")
    out.mkdir(parents=True, exist_ok=True)
    result = {
        **describe_run(absent),
        "is_quick": is_quick,
        "cells": [asdict(cell) for cell in cells],
    }
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
    """Yields every file of a folder that FFmpeg can play, played in order, however it is named."""
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
    """Plays a file in order, or the beginning of a long one."""
    played = play(path, SIZE, MAX_FRAMES)
    num_frames = len(played.pts)
    if num_frames == MAX_FRAMES:
        num_frames -= MAX_SHIFTED
    starts_s = [played.time_s(index) for index in range(num_frames)]
    return PlayedFile(name, str(path), np.array(starts_s), np.array(played.pictures[:num_frames]))


def _wanted(playback: PlayedFile, num_singles: int) -> list[list[tuple[float, int]]]:
    """Returns the calls: each a list of times and of the indices of the frames shown then."""
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


def _job(peer: str, playback: PlayedFile, wanted: Sequence[Sequence[tuple[float, int]]]) -> PeerJob:
    """Returns the job of asking a peer for everything, in a file that is kept open."""
    calls = tuple(FrameCall("", "warm", tuple(time_s for time_s, _ in call)) for call in wanted)
    return PeerJob(peer, playback.path, SIZE, calls)


def _cell(
    peer: str,
    playback: PlayedFile,
    wanted: Sequence[Sequence[tuple[float, int]]],
    outcome: PeerOutcome,
    is_reproducible: bool,
) -> ExactnessCell:
    """Returns how many frames were wrong."""
    is_right = _is_same if peer in (OURS, OURS_TWICE) else _is_nearest
    num_wrong = num_missing = 0
    for call, frames in zip(wanted, outcome.frames, strict=True):
        indices = [index for _, index in call]
        if frames is None or len(frames) != len(indices):
            num_missing += len(indices)
            continue
        pairs = zip(frames, indices, strict=True)
        num_wrong += sum(not is_right(frame, index, playback.pictures) for frame, index in pairs)
    error = next((error for error in outcome.errors if error), "")
    num_frames = sum(len(call) for call in wanted)
    return ExactnessCell(
        playback.name, peer, num_frames, num_wrong, num_missing, error, is_reproducible
    )


def _is_same(frame: NDArray[np.uint8], index: int, pictures: NDArray[np.uint8]) -> bool:
    """Returns whether frame is the picture with this index, byte for byte."""
    return np.array_equal(frame, pictures[index])


def _is_nearest(frame: NDArray[np.uint8], index: int, pictures: NDArray[np.uint8]) -> bool:
    """Returns whether no picture is clearly nearer to frame than the one with this index.

    A picture that is upside down is another fault, and not counted here.
    """
    first = max(0, index - NEAR)
    near = pictures[first : index + NEAR + 1].astype(np.float32)
    errors = np.minimum(
        np.abs(near - frame).mean(axis=(1, 2, 3)),
        np.abs(near - frame[::-1, ::-1]).mean(axis=(1, 2, 3)),
    )
    return bool(errors[index - first] <= min(errors.min() + MARGIN, MAX_ERROR))


def _print(console: Console, cells: Sequence[ExactnessCell], peers: Sequence[str]) -> None:
    """Prints a table: a line per file, a column per peer, and the sums."""
    by_place: Mapping[tuple[str, str], ExactnessCell] = {
        (cell.file, cell.peer): cell for cell in cells
    }
    files = list(dict.fromkeys(cell.file for cell in cells))
    num_frames = max((cell.num_frames for cell in cells), default=0)
    table = Table(title=f"Wrong frames of {num_frames} per file", title_justify="left")
    table.add_column("file")
    for peer in peers:
        table.add_column(peer, justify="right")
    for file in files:
        row = [by_place[file, peer] for peer in peers]
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
