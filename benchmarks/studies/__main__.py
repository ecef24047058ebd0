"""Runs studies: claims about agents that zoom, each with its seeds and a verdict.

python -m benchmarks.studies density
python -m benchmarks.studies all --quick
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from benchmarks.evaluation.progress import counted
from benchmarks.studies.learning import OtherAmountsError
from benchmarks.studies.plan import FULL, GPU, LEAST_SEEDS, QUICK
from benchmarks.studies.report import (
    Report,
    tables,
    to_json,
    to_markdown,
    write_figure,
    write_page,
)
from benchmarks.studies.running import (
    NAMES,
    commit,
    done_cells,
    facts_of,
    find_study,
    play_cells,
    read_results,
)
from zoomgym.io.commands import Parser, ends_quietly, whole_number

ALL = "all"


@ends_quietly
def main(argv: Sequence[str] | None = None) -> int:
    """Command line. Returns 1 if models did not learn what a study needs; not for its verdicts."""
    parser = Parser(
        prog="python -m benchmarks.studies",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = (*NAMES, ALL)
    parser.add_argument("names", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--quick", action="store_true", help="a small size, which decides nothing")
    sizes.add_argument(
        "--gpu", action="store_true", help="a larger model and overviews of 64 frames, on a GPU"
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="instead of those of the plan")
    parser.add_argument("--out", type=Path, default=Path("runs/studies"), help="folder to write")
    parser.add_argument(
        "--workers",
        type=whole_number(1),
        default=os.cpu_count() or 1,
        help="cells that are played at once (default: the number of processors)",
    )
    args = parser.parse_args(argv)
    console, size = Console(), QUICK if args.quick else GPU if args.gpu else FULL
    chosen = NAMES if ALL in args.names else tuple(dict.fromkeys(args.names))
    studies = {name: find_study(name) for name in chosen}
    if without := [name for name, study in studies.items() if size not in study.sizes]:
        parser.error(f"needs studies with the size {size}, got {', '.join(without)}")
    page, status = args.out / f"{size}.html", 0
    others = [name for name in NAMES if name not in studies and size in find_study(name).sizes]
    reports = dict[str, Report]()
    for name in others:
        with suppress(OtherAmountsError):  # they are of no concern here
            if report := _report(name, size, args.out):
                reports[name] = report
    for name, study in studies.items():
        seeds = args.seeds or (study.seeds[:1] if args.quick else study.seeds)
        cells = study.cells(size, seeds)
        try:
            done = set(done_cells(name, size, args.out)).intersection(cells)
            with counted(name, len(cells), len(done)) as tell:
                failures = play_cells(cells, args.out, args.workers, tell)
        except OtherAmountsError as error:
            parser.error(str(error))
        for failure in failures:
            console.print(f"{name}: {failure}", style="red", highlight=False, markup=False)
            status = 1
        if report := _report(name, size, args.out):
            reports[name] = report
            _write(report, args.out, argv)
            for table in tables(report):
                console.print(table)
            write_page([reports[one] for one in NAMES if one in reports], page)
    if any(len(report.seeds) < LEAST_SEEDS for report in reports.values()):
        console.print(f"With fewer than {LEAST_SEEDS} seeds, nothing is decided.", highlight=False)
    if reports:
        console.print(f"page -> {page}", highlight=False)
    return status


def _report(name: str, size: str, folder: Path) -> Report | None:
    """Returns the report of all seeds of a study that are there, if any."""
    cells = done_cells(name, size, folder)
    if not cells:
        return None
    return Report.of(find_study(name), size, read_results(cells, folder), facts_of(cells, folder))


def _write(report: Report, folder: Path, argv: Sequence[str] | None) -> None:
    """Writes the numbers, the picture and the verdicts of a study."""
    path = folder / report.study.name / report.size
    given = sys.argv[1:] if argv is None else argv
    facts = {
        "command": " ".join(["python -m benchmarks.studies", *given]),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
    }
    (path / "results.json").write_text(to_json(report, facts), encoding="utf-8")
    (path / "verdicts.md").write_text(to_markdown(report) + "\n", encoding="utf-8")
    write_figure(report, path / "figure.svg")


if __name__ == "__main__":
    sys.exit(main())
