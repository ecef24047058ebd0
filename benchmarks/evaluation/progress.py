"""Shows progress on stderr: one line on a terminal, which disappears; a few lines in a log."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from zoomgym.tasks import SILENCE

PARTS = 10
"""Lines in a log, at most."""
LEAST_S = 10.0
"""Seconds between two lines of a log, at least."""
BAR_WIDTH = 24
"""Columns of the bar: with its text, it fits into 80."""


@contextmanager
def counted(
    what: str, total: int, done: int = 0, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[], None]]:
    """Shows how many of total pieces of work are done; yields what to call after each piece.

    `done` pieces were done before. Meanwhile no writing of a synthetic video shows its own bar, in
    any process.
    """
    with _silence():
        console = _console()
        if not console.is_interactive:
            yield _log(console, what, total, done, clock)
            return
        columns = (TextColumn("{task.description}"), BarColumn(BAR_WIDTH), MofNCompleteColumn())
        with Progress(
            *columns,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        ) as progress:
            bar = progress.add_task(what, total=total, completed=done)
            yield lambda: progress.advance(bar)


@contextmanager
def waited_for(what: str) -> Iterator[None]:
    """Shows on a terminal what is being done."""
    with _console().status(what):
        yield


def _console() -> Console:
    """Returns stderr, as a terminal only if it is one: logs may force color."""
    return Console(stderr=True, force_terminal=sys.stderr.isatty())


def _log(
    console: Console, what: str, total: int, done: int, clock: Callable[[], float]
) -> Callable[[], None]:
    """Returns what counts pieces of work and prints a line after each tenth."""
    num_done, last_s = done, clock()

    def advance() -> None:
        nonlocal num_done, last_s
        num_done += 1
        is_part = num_done * PARTS // total > (num_done - 1) * PARTS // total
        if is_part and num_done < total and clock() - last_s >= LEAST_S:
            last_s = clock()
            console.print(f"{what}: {num_done} of {total}", highlight=False, soft_wrap=True)

    return advance


@contextmanager
def _silence() -> Iterator[None]:
    """Turns off the progress of writing videos, here and in new processes."""
    before = os.environ.get(SILENCE)
    os.environ[SILENCE] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[SILENCE]
        else:
            os.environ[SILENCE] = before
