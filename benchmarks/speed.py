"""Measures the speed of the package, each claim against something measured in the same run.

python -m benchmarks.speed parse     reading hostile replies takes linear time
python -m benchmarks.speed import    importing zoomgym against importing gymnasium and av
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from zoomgym.errors import ReplyError
from zoomgym.grammar import GRAMMARS, MAX_REPLY_CHARS, read_reply
from zoomgym.testing import nasty_replies

__all__ = ["main"]

REPEATS = 25
HALF = MAX_REPLY_CHARS // 2
ROOM = 64
"""Characters that a nasty reply may have beyond its size."""
IMPORTS = {
    "gymnasium, av": "import gymnasium, av",
    "zoomgym": "import gymnasium, av, zoomgym",
}


def measure_parsing(console: Console) -> None:
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


def measure_imports(console: Console) -> None:
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


MEASUREMENTS = {"parse": measure_parsing, "import": measure_imports}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Measures what it is told to."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", choices=sorted(MEASUREMENTS))
    args = parser.parse_args(argv)
    MEASUREMENTS[args.what](Console())
    return 0


if __name__ == "__main__":
    sys.exit(main())
