"""Measures the speed of the package, against something measured in the same run.

python -m benchmarks.speed parse      reading hostile replies: time is linear
python -m benchmarks.speed import     importing zoomgym, gymnasium and av
python -m benchmarks.speed episodes   turns, environments and the runner
python -m benchmarks.speed video      decoding, and every installed peer's
python -m benchmarks.speed exactness  wrong frames in awkward files
python -m benchmarks.speed compare    this code and that of another commit
"""

import argparse
import statistics
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.speed.compare import WORK, commit, compare
from benchmarks.speed.decoding.against_peers import PEER_FILES
from benchmarks.speed.decoding.exactness import measure_exactness
from benchmarks.speed.decoding.files import FILES, QUICK_FILES, speed_dir
from benchmarks.speed.decoding.measure import (
    DecodingPlan,
    describe_run,
    print_absent,
    print_part,
    write_part,
)
from benchmarks.speed.decoding.peers import PEERS, is_installed
from benchmarks.speed.decoding.sharing import PARTS
from benchmarks.speed.episodes import measure_episodes
from benchmarks.speed.tables import number_table
from zoomgym.errors import ReplyError
from zoomgym.io import no_folder, unreadable
from zoomgym.io.commands import Parser, add_names, ends_quietly, whole_number
from zoomgym.rules import GRAMMARS, MAX_REPLY_CHARS, read_reply
from zoomgym.testing import nasty_replies

REPEATS = 25
HALF = MAX_REPLY_CHARS // 2
ROOM = 64
"""Characters that a nasty reply may exceed its size by."""
IMPORTS = {"gymnasium, av": "import gymnasium, av", "zoomgym": "import gymnasium, av, zoomgym"}


def _measure_parsing(console: Console) -> None:
    """Prints how long replies of 32 and of 64 KiB take to read, and the ratio: 2 is linear."""
    title = f"Reading a reply (best of {REPEATS})"
    table = number_table(title, ("grammar", "reply"), ("32 KiB, ms", "64 KiB, ms", "ratio"))
    for grammar in GRAMMARS:
        halves, wholes = nasty_replies(HALF - ROOM), nasty_replies(MAX_REPLY_CHARS - ROOM)
        for name, whole in wholes.items():
            half_s, whole_s = _best(halves[name], grammar), _best(whole, grammar)
            row = (f"{1e3 * half_s:.3f}", f"{1e3 * whole_s:.3f}", f"{whole_s / half_s:.1f}")
            table.add_row(grammar, name, *row)
    console.print(table)


def _best(reply: str, grammar: str) -> float:
    """Returns the shortest of several readings, in seconds: the machine only adds noise."""

    def read() -> None:
        with suppress(ReplyError):
            read_reply(reply, grammar)

    return min(timeit.repeat(read, number=1, repeat=REPEATS))


def _measure_imports(console: Console) -> None:
    """Prints how long a new interpreter takes to import zoomgym, and its two largest parts."""
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


def _measure_video(console: Console, args: argparse.Namespace) -> None:
    """Measures decoding part by part, prints each, and writes it to video.json in --out.

    With --quick, small files and few calls give numbers without meaning.
    """
    absent = [name for name in args.peers if not is_installed(name)]
    present = tuple(name for name in args.peers if name not in absent)
    files, amounts = (QUICK_FILES, (1, 8, 1, 8)) if args.quick else (FILES, (args.repeats,))
    plan = DecodingPlan(files, speed_dir(), present, tuple(args.files), *amounts)
    run = {**describe_run(absent), "is_quick": args.quick}
    for name in args.parts:  # written as it goes: the whole takes half an hour
        part = PARTS[name](plan)
        print_part(console, part)
        path = write_part(args.out, run, name, part)
        console.print(f"{len(part.rows)} rows -> {path}")
    print_absent(console, absent)
    if args.quick:
        console.print("quick: it runs, but the numbers mean nothing")


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Measures what it is told to."""
    parser = Parser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="WHAT")

    def add(name: str, about: str, measure: Callable[[Console, Any], None]) -> Parser:
        command = commands.add_parser(name, help=about)
        command.set_defaults(measure=measure)
        return command

    add("parse", "needs a minute", lambda console, args: _measure_parsing(console))
    add("import", "needs a minute", lambda console, args: _measure_imports(console))
    episodes = add(
        "episodes",
        "on drawn video: needs two minutes",
        lambda console, args: measure_episodes(console, args.episodes),
    )
    episodes.add_argument("--episodes", type=whole_number(1), default=140, help="for each line")
    video = add("video", "decoding: needs minutes, and 4 GB for its files", _measure_video)
    exactness = add(
        "exactness",
        "wrong frames in awkward files",
        lambda console, args: measure_exactness(
            console, args.out, args.peers, args.clips, folder=args.folder, is_quick=args.quick
        ),
    )
    other = add(
        "compare",
        "with another commit: needs half an hour",
        lambda console, args: compare(
            console, args.rev, args.work, args.repeats, out=args.out / "compare.json"
        ),
    )
    other.add_argument("rev", type=commit, metavar="REV", help="the other commit, as git names it")
    add_names(other, "--work", WORK)
    other.add_argument("--repeats", type=whole_number(1), default=3, help="runs of each")
    add_names(video, "--parts", PARTS)
    add_names(video, "--files", PEER_FILES)
    video.add_argument(
        "--repeats", type=whole_number(1), default=5, help="processes per peer and file"
    )
    exactness.add_argument("--clips", nargs="*", type=_clip, default=[], help="more files to check")
    exactness.add_argument(
        "--folder", type=_folder, help="check the videos in this folder, and not the awkward ones"
    )
    for command in (video, exactness, other):
        command.add_argument(
            "--out", type=Path, default=Path("results/speed"), help="results folder"
        )
    for command in (video, exactness):
        add_names(command, "--peers", PEERS, "all that are installed")
        command.add_argument("--quick", action="store_true", help="small: to see that it runs")
    args = parser.parse_args(argv)
    args.measure(Console(), args)
    return 0


def _clip(text: str) -> Path:
    if (path := Path(text)).is_file():
        return path
    raise argparse.ArgumentTypeError(unreadable(path, "a video file", FileNotFoundError()))


def _folder(text: str) -> Path:
    if (path := Path(text)).is_dir():
        return path
    raise argparse.ArgumentTypeError(no_folder(path, "a folder of videos"))


if __name__ == "__main__":
    sys.exit(main())
