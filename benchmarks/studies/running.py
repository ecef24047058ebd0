"""Plays the cells of a study, several at once, and keeps their episodes.

`FOLDER/STUDY/SIZE/ARM/SEED.jsonl` holds the episodes of a cell, as they are played; beside it, what
is done is told by `SEED.json`, and `SEED.log` has what its training printed. A study that was
stopped goes on where it was.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.evaluation.processes import end_with_parent
from benchmarks.studies.learning import NotLearnedError, check_amounts, folder_name, read_curve
from benchmarks.studies.plan import Cell, Results, Study
from zoomgym.io import replaced
from zoomgym.records import append_record, drop_cut_line, read_records
from zoomgym.rollout import VERSION

NAMES = (
    "where",
    "cold_start",
    "tool_reward",
    "no_cold_start",
    "density",
    "tools",
    "reflection_elsewhere",
    "selector",
)
"""Studies, in the order in which they are told."""


def find_study(name: str) -> Study:
    """Returns a study of NAMES."""
    study: Study = import_module(f"benchmarks.studies.{name}").STUDY
    return study


def play_cells(
    cells: Iterable[Cell], folder: Path, workers: int, tell: Callable[[], None]
) -> list[str]:
    """Plays the cells that are not done, so many at once; tells of each that is.

    Returns what models did not learn, whose cells were left out.
    """
    failures = list[str]()
    waiting = [cell for cell in cells if not is_done(cell, folder)]
    spawn = get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=end_with_parent) as pool:
        playing = [pool.submit(play_cell, cell, folder) for cell in waiting]
        try:
            for future in as_completed(playing):
                try:
                    future.result()
                except NotLearnedError as error:
                    failures.append(str(error))
                else:
                    tell()
        except BaseException:  # Ctrl-C, too: cells that wait are not begun
            for future in playing:
                future.cancel()
            raise
    return list(dict.fromkeys(failures))


def play_cell(cell: Cell, folder: Path) -> None:
    """Plays the rest of a cell."""
    study = find_study(cell.study)
    path = path_of(cell, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        drop_cut_line(path)
    played = {record.task.id for record in read_records(path)} if path.exists() else set()
    played_at = commit()
    started_s, processor_s = time.perf_counter(), time.process_time()
    with _printed_to(path.with_suffix(".log")):
        for record in study.play(cell, study.sizes[cell.size], path.with_suffix(""), played):
            append_record(path, record)
    path.touch()
    facts = {
        "version": VERSION,
        "commit": played_at,
        "amounts": repr(study.sizes[cell.size]),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "instructions": os.environ.get("ATEN_CPU_CAPABILITY", "native"),
        "seconds": round(time.perf_counter() - started_s, 1),
        "processor_seconds": round(time.process_time() - processor_s, 1),
        "resumed_after": len(played),
    }
    with replaced(path.with_suffix(".json")) as file:
        file.write(json.dumps(facts, indent=2).encode())


@contextmanager
def _printed_to(path: Path) -> Iterator[None]:
    """Adds to a file what this process prints, that of libraries too, and not to the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    before = os.dup(1), os.dup(2)
    try:
        with path.open("ab") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, one in enumerate(before, 1):
            os.dup2(one, number)
            os.close(one)


def commit() -> str:
    """Returns the commit of the checkout, `-dirty` if it was changed; empty if there is none."""
    command = ["git", "describe", "--always", "--exclude=*", "--dirty"]
    try:
        asked = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return asked.stdout.strip()


def is_done(cell: Cell, folder: Path) -> bool:
    """Returns whether all episodes of a cell are played.

    Raises OtherAmountsError if they were played with other amounts than the study has now.
    """
    facts = path_of(cell, folder).with_suffix(".json")
    if not facts.exists():
        return False
    wanted = repr(find_study(cell.study).sizes[cell.size])
    played = json.loads(facts.read_text()).get("amounts", wanted)
    check_amounts(facts, played, wanted, facts.parents[1])
    return True


def done_cells(name: str, size: str, folder: Path) -> list[Cell]:
    """Returns the cells of a study that are done, of all seeds that are there."""
    study = find_study(name)
    files = (folder / name / size).glob("*/*.json")
    seeds = sorted({int(file.stem) for file in files if file.stem.isdigit()})
    return [cell for cell in study.cells(size, seeds) if is_done(cell, folder)]


def path_of(cell: Cell, folder: Path) -> Path:
    """Returns the file with the episodes of a cell."""
    return folder / cell.study / cell.size / folder_name(cell.arm) / f"{cell.seed}.jsonl"


def read_results(cells: Iterable[Cell], folder: Path) -> Results:
    """Returns the episodes of all cells that are done."""
    done = [cell for cell in cells if is_done(cell, folder)]
    curves = {
        (cell.arm, cell.seed): read_curve(path_of(cell, folder).with_suffix("")) for cell in done
    }
    return Results(
        {(cell.arm, cell.seed): list(read_records(path_of(cell, folder))) for cell in done},
        {key: curve for key, curve in curves.items() if curve},
    )


def facts_of(cells: Iterable[Cell], folder: Path) -> list[dict[str, Any]]:
    """Returns what is known of the run of each cell that is done."""
    return [
        {"seed": cell.seed, **json.loads(path_of(cell, folder).with_suffix(".json").read_text())}
        for cell in cells
        if is_done(cell, folder)
    ]
