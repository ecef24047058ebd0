"""A run shows how far it is on one line that goes, or in a log on a few lines."""

import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.evaluation.progress import counted, waited_for
from zoomgym.tasks.synthetic.write import SILENCE

STEERING = re.compile(
    r"\x1b\[(?P<count>\d*)(?P<sign>[AK])|\x1b\[\??[\d;]*[a-zA-Z]|\r|\n|[^\x1b\r\n]+"
)
WIDTH = 80
ROOT = Path(__file__).parents[3]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch, width: int = WIDTH) -> Terminal:
    """Makes stderr a terminal, and returns it."""
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(width))
    return stderr


def screen(written: str) -> list[str]:
    """Returns the lines that a terminal shows after all that was written to it."""
    lines, row = [""], 0
    for step in STEERING.finditer(written):
        text = step.group()
        if step["sign"] == "A":
            row -= int(step["count"] or 1)
        elif step["sign"] == "K":
            lines[row] = ""
        elif text == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif text != "\r" and not text.startswith("\x1b"):
            lines[row] += text
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def most_lines(written: str) -> int:
    """Returns how many lines were on the screen at any time."""
    ends = [step.end() for step in STEERING.finditer(written)]
    return max(len(screen(written[:end])) for end in ends)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (120, f"writing 28 videos, playing episodes ╸{'━' * 23}  12/455 -:--:--"),
        (80, f"writing 28 videos, playing episodes ╸{'━' * 23}  12/455 -:--:--"),
        (60, f"writing 28 videos, playing episodes {'━' * 8}  12/455 -:--:--"),
    ],
)
def test_a_terminal_shows_one_line_that_goes(
    width: int, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = terminal(monkeypatch, width)
    with counted("writing 28 videos, playing episodes", 455, 12) as advance:
        for _ in range(443):
            advance()
    written = stderr.getvalue()
    shown = re.split(r"[\r\n]+", re.sub(r"\x1b\[\??[\d;]*[a-zA-Z]", "", written))
    assert line in shown
    assert any("455/455" in line for line in shown)
    assert max(map(len, shown)) <= width
    assert most_lines(written) == 1
    assert screen(written) == []


def test_a_terminal_shows_what_is_waited_for_on_a_line_that_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stderr = terminal(monkeypatch)
    with waited_for("making the page"):
        pass
    assert "making the page" in stderr.getvalue()
    assert most_lines(stderr.getvalue()) == 1
    assert screen(stderr.getvalue()) == []


@pytest.mark.parametrize(
    ("total", "done", "seconds_s", "lines"),
    [
        (455, 0, 60.0, [46, 91, 137, 182, 228, 273, 319, 364, 410]),
        (455, 300, 60.0, [319, 364, 410]),
        (455, 0, 0.05, [228]),  # at 11.4 s; the last tenth but one ends at 20.5 s
        (3, 0, 60.0, [1, 2]),
        (3, 0, 0.0, []),
        (1, 0, 60.0, []),
        (3, 3, 60.0, []),
    ],
)
def test_a_log_gets_a_plain_line_a_tenth_and_none_sooner_than_ten_seconds_after_the_last(
    total: int,
    done: int,
    seconds_s: float,
    lines: list[int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # as CI does
    now_s = 0.0
    with counted("playing", total, done, clock=lambda: now_s) as advance:
        for _ in range(done, total):
            now_s += seconds_s
            advance()
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"playing: {number} of {total}" for number in lines]
    assert said.out == ""


def test_a_log_is_not_told_what_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    with waited_for("making the page"):
        pass
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("before", [None, "0"])
def test_meanwhile_written_videos_show_no_bars(
    before: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SILENCE, raising=False)
    if before is not None:
        monkeypatch.setenv(SILENCE, before)
    with counted("playing", 1):
        assert os.environ[SILENCE] == "1"
    assert os.environ.get(SILENCE) == before


RUN_IN_TERMINAL = """
import sys
from benchmarks import run
from benchmarks.evaluation.suites import SUITES
from tests.benchmarks.test_run import TINY
from zoomgym.tasks.synthetic import write
write.PROGRESS_AFTER_S = 0
SUITES[TINY.name] = TINY
sys.exit(run.main(sys.argv[1:]))
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="it has no pseudo-terminals")
def test_a_run_leaves_the_table_on_a_terminal_and_the_page_on_its_last_line(tmp_path: Path) -> None:
    import pty

    ours, its = pty.openpty()
    arguments = [
        "suite",
        "tiny-v0",
        "--agents",
        "blind",
        "--workers",
        "1",
        "--out",
        str(tmp_path),
    ]
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": str(WIDTH)}
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_IN_TERMINAL, *arguments], stdout=its, stderr=its, env=environ
    )
    os.close(its)
    written = b""
    try:
        while some := os.read(ours, 65536):
            written += some
    except OSError:  # what Linux says at the end
        pass
    assert process.wait() == 0
    text = written.decode()
    assert "playing episodes" in text
    assert "making the page" in text
    shown = screen(text)
    assert [line for line in shown if "playing" in line or "making" in line] == []
    assert shown[0] == "tiny-v0: a test"
    assert shown[-1] == f"page with pictures -> {tmp_path}/report.html"


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
@pytest.mark.usefixtures("no_outer_make")
@pytest.mark.parametrize("goal", ["demo", "test"])
def test_make_says_what_it_installs_before_it_does(goal: str, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    command = ["make", goal, f"VENV={venv}", "PYTHON=false"]  # which makes no environment
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode != 0
    said = f"Installing what the demo needs into {venv}: 250 MB, a minute or two .."
    assert made.stdout.splitlines() == [said]
