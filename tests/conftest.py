"""What tests share: one plain task, and its episode on an imaginary video of a minute."""

import gc
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from zoomgym.rules.episode import Episode, start
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.settings import Rules
from zoomgym.rules.timeline import Segment
from zoomgym.tasks.synthetic import task_set

settings.register_profile("zoomgym", deadline=None)  # a busy machine is no failure
settings.load_profile("zoomgym")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it

TASK = VideoQuestion(
    id="q1",
    video="a.mp4",
    question="Which colour?",
    answer="B",
    options=("red", "green", "blue", "a man"),
    evidence=(Segment(4.0, 6.0), Segment(30.0, 31.0)),
    category="colour",
    labels=(("topic", "cars"), ("topic", "traffic")),
)
DURATION_S = 60.0
LAST_FRAME_S = 59.9


def new_episode(task: VideoQuestion = TASK, **rules: object) -> Episode:
    """Returns an episode at its start."""
    return start(task, DURATION_S, LAST_FRAME_S, Rules(**rules), "q1@0")  # type: ignore[arg-type]


@pytest.fixture
def episode() -> Episode:
    return new_episode()


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of a run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(autouse=True, scope="session")
def _videos_are_written_once(shared_folder: Path) -> Iterator[None]:
    """Keeps the synthetic videos of tests that name no folder of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOOMGYM_CACHE", str(shared_folder / "cache"))
        yield


def pytest_collection_finish() -> None:
    """Tells the garbage collector that modules stay: it need not look at them in every test."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def short_videos(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allows synthetic videos of 8 s: some families have tasks in them, soon written to files."""
    monkeypatch.setattr(task_set, "MIN_DURATION_S", 8)


@pytest.fixture
def no_outer_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hides that `make test` runs the tests: make speaks of its folders when make starts it."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says at the end of a run which tests were skipped and why: a line for a file and a reason."""
    reports = terminalreporter.stats.get("skipped", [])
    skipped = Counter(
        (report.nodeid.split("::")[0], report.longrepr[2].removeprefix("Skipped: "))
        for report in reports
    )
    if skipped:
        terminalreporter.section("skipped tests")
    for (file, reason), count in sorted(skipped.items()):
        terminalreporter.line(f"{count} in {file}: {reason}")
