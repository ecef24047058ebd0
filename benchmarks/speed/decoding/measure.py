"""Measures decoding, prints the tables, and keeps the results."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.speed.decoding.against_peers import PEER_FILES, measure_peers
from benchmarks.speed.decoding.files import FILES, QUICK_FILES, speed_dir
from benchmarks.speed.decoding.peers import PEERS, is_installed
from benchmarks.speed.decoding.plan import DecodingPlan
from benchmarks.speed.decoding.results import Measurement, describe_run, print_part, write_part
from benchmarks.speed.decoding.sharing import (
    measure_length,
    measure_memory,
    measure_rollouts,
    measure_threads,
    measure_vector,
)

__all__ = ["PARTS", "PEER_FILES", "measure_video"]

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
