"""Tests zoomgym with the lowest versions of its dependencies, and with the newest.

`python -m tests.versions PYTHON ..` makes environments in `build/versions`, or uses what is there.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "versions"
EDGES = {"lowest": ("-c", "constraints-lowest.txt"), "newest": ("--upgrade",)}
"""What pip is told for each set of versions."""
NEEDED = (
    "pytest>=8.3",
    "pytest-xdist>=3.6",
    "hypothesis>=6.100",
    "hatchling>=1.25",
    "openai>=1.60",
)
WITHOUT = ("agents", "benchmarks", "integrations")
"""Folders of tests that need other packages, PyTorch among them."""
WITHOUT_FILES = ("test_blocks.py", "test_docs.py", "test_examples.py", "test_help.py")
SHOWN = ("av", "gymnasium", "numpy", "pillow")


class Run(NamedTuple):
    """How the tests went in one environment."""

    title: str
    versions: str
    wall_s: float
    last_line: str
    has_passed: bool


def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns 0 if the tests have passed everywhere."""
    parser = argparse.ArgumentParser(prog="python -m tests.versions", description=__doc__)
    parser.add_argument(
        "pythons",
        nargs="*",
        default=[sys.executable],
        metavar="PYTHON",
        help="commands or paths, such as python3.12 (default: the one that runs this)",
    )
    parser.add_argument("--edge", choices=EDGES, help="only the lowest, or only the newest")
    parser.add_argument("--new", action="store_true", help="make the environments again")
    args = parser.parse_args(argv)
    edges = [args.edge] if args.edge else list(EDGES)
    runs = [test(python, edge, is_new=args.new) for python in args.pythons for edge in edges]
    for run in runs:
        print(f"{run.title:12}  {run.versions}  {run.wall_s:4.0f} s  {run.last_line}")
    return int(not all(run.has_passed for run in runs))


def test(python: str, edge: str, *, is_new: bool) -> Run:
    """Makes the environment of a Python and an edge, and runs the tests of zoomgym in it."""
    asked = "import sys; print('%d.%d' % sys.version_info[:2])"
    title = f"{said_by([python, '-c', asked])} {edge}"
    folder = FOLDER / title.replace(" ", "-")
    inner = folder / "bin" / "python"
    started_s = time.monotonic()
    if is_new:
        shutil.rmtree(folder, ignore_errors=True)
    if not (folder / "made").exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        wanted = [*NEEDED, *EDGES[edge], "-e", ".[benchmarks,datasets,math]"]
        quiet = ("--quiet", "--disable-pip-version-check", "--prefer-binary")
        subprocess.run([inner, "-m", "pip", "install", *quiet, *wanted], cwd=ROOT, check=True)
        (folder / "made").touch()
    ignored = [f"--ignore=tests/{name}" for name in (*WITHOUT, *WITHOUT_FILES)]
    options = ["-q", "--numprocesses=auto", "--maxprocesses=4", "-p", "no:cacheprovider"]
    ran = subprocess.run(
        [inner, "-m", "pytest", *options, *ignored, "tests"],
        cwd=ROOT, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    if ran.returncode:
        print(ran.stdout)
    asked = "; ".join(
        [
            "from importlib.metadata import version",
            f"print(*(f'{{name}} {{version(name)}}' for name in {SHOWN}), sep=', ')",
        ]
    )
    last_line = ran.stdout.strip().splitlines()[-1]
    versions = said_by([inner, "-c", asked])
    return Run(title, versions, time.monotonic() - started_s, last_line, ran.returncode == 0)


def said_by(command: Sequence[str | Path]) -> str:
    """Returns what a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
