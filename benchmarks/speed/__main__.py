"""Measures the speed of the package, against something measured in the same run.

python -m benchmarks.speed parse      reading hostile replies: time is linear
python -m benchmarks.speed import     importing zoomgym, gymnasium and av
python -m benchmarks.speed episodes   turns, environments and the runner
python -m benchmarks.speed video      decoding, and every installed peer's
python -m benchmarks.speed exactness  wrong frames in awkward files
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.speed.decoding.against_peers import PEER_FILES
from benchmarks.speed.decoding.exactness import measure_exactness
from benchmarks.speed.decoding.measure import PARTS, measure_video
from benchmarks.speed.decoding.peers import PEERS
from benchmarks.speed.episodes import measure_episodes
from zoomgym.errors import ReplyError
from zoomgym.io import no_folder, unreadable
from zoomgym.io.commands import Parser, ends_quietly, whole_number
from zoomgym.rules import GRAMMARS, MAX_REPLY_CHARS, read_reply
from zoomgym.testing import nasty_replies

REPEATS = 25
HALF = MAX_REPLY_CHARS // 2
ROOM = 64
"""Characters that a nasty reply may have beyond its size."""
IMPORTS = {
    "gymnasium, av": "import gymnasium, av",
    "zoomgym": "import gymnasium, av, zoomgym",
}


def _measure_parsing(console: Console) -> None:
    """Prints how long replies of 32 and of 64 KiB take to read, and the ratio: 2 is linear."""
    table = Table(title=f"Reading a reply (best of {REPEATS})", title_justify="left")
    for name in ("grammar", "reply", "32 KiB, ms", "64 KiB, ms", "ratio"):
        table.add_column(name, justify="left" if name in ("grammar", "reply") else "right")
    for grammar in GRAMMARS:
        halves, wholes = nasty_replies(HALF - ROOM), nasty_replies(MAX_REPLY_CHARS - ROOM)
        for name, whole in wholes.items():
            half_s, whole_s = _best(halves[name], grammar), _best(whole, grammar)
            row = (f"{1e3 * half_s:.3f}", f"{1e3 * whole_s:.3f}", f"{whole_s / half_s:.1f}")
            table.add_row(grammar, name, *row)
    console.print(table)


def _read(reply: str, grammar: str) -> None:
    """Reads a reply that may be refused."""
    try:
        read_reply(reply, grammar)
    except ReplyError:
        return


def _best(reply: str, grammar: str) -> float:
    """Returns the shortest of several readings in seconds: what the machine adds is noise."""
    durations_s = []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        _read(reply, grammar)
        durations_s.append(time.perf_counter() - started_s)
    return min(durations_s)


def _measure_imports(console: Console) -> None:
    """Prints how long a new interpreter takes to import zoomgym, against its two largest parts."""
    durations_s: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(REPEATS):
        for name, code in IMPORTS.items():  # by turns, so that both meet the same machine
            started_s = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            durations_s[name].append(time.perf_counter() - started_s)
    base_s, ours_s = (statistics.median(durations_s[name]) for name in IMPORTS)
    console.print(f"import gymnasium, av            {base_s:.3f} s (median of {REPEATS})")
    console.print(f"import gymnasium, av, zoomgym   {ours_s:.3f} s")
    console.print(f"more: {ours_s - base_s:.3f} s, ratio {ours_s / base_s:.2f}")


MEASUREMENTS = {"parse": _measure_parsing, "import": _measure_imports}
COSTS = {"parse": "a minute", "import": "a minute"}


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Measures what it is told to."""
    parser = Parser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="what", required=True)
    for name in MEASUREMENTS:
        commands.add_parser(name, help=f"needs {COSTS[name]}")
    episodes = commands.add_parser("episodes", help="on drawn video: needs two minutes")
    episodes.add_argument("--episodes", type=whole_number(1), default=140, help="for each line")
    video = commands.add_parser("video", help="decoding: needs minutes, and 4 GB for its files")
    exactness = commands.add_parser("exactness", help="wrong frames in awkward files")
    for command in (video, exactness):
        command.add_argument(
            "--out", type=Path, default=Path("results/speed"), help="results folder"
        )
        command.add_argument(
            "--peers",
            nargs="+",
            default=list(PEERS),
            choices=PEERS,
            metavar="WHO",
            help=f"of {', '.join(PEERS)}; default: all that are installed",
        )
        command.add_argument("--quick", action="store_true", help="small: to see that it runs")
    video.add_argument(
        "--parts",
        nargs="+",
        default=list(PARTS),
        choices=PARTS,
        metavar="PART",
        help=f"of {', '.join(PARTS)}; default: all",
    )
    video.add_argument(
        "--files",
        nargs="+",
        default=PEER_FILES,
        choices=PEER_FILES,
        metavar="FILE",
        help=f"of {', '.join(PEER_FILES)}; default: all",
    )
    video.add_argument(
        "--repeats", type=whole_number(1), default=5, help="processes per peer and file"
    )
    exactness.add_argument("--clips", nargs="*", type=Path, default=[], help="more files to check")
    exactness.add_argument(
        "--folder", type=Path, help="check the videos in this folder, and not the awkward ones"
    )
    args = parser.parse_args(argv)
    console = Console()
    if args.what == "video":
        measure_video(
            console,
            args.out,
            args.parts,
            args.peers,
            args.files,
            args.repeats,
            is_quick=args.quick,
        )
    elif args.what == "episodes":
        measure_episodes(console, args.episodes)
    elif args.what == "exactness":
        if args.folder is not None and not args.folder.is_dir():
            parser.error(f"--folder {no_folder(args.folder, 'a folder of videos')}")
        for clip in args.clips:
            if not clip.is_file():
                parser.error(f"--clips {unreadable(clip, 'a video file', FileNotFoundError())}")
        measure_exactness(
            console, args.out, args.peers, args.clips, folder=args.folder, is_quick=args.quick
        )
    else:
        MEASUREMENTS[args.what](console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
