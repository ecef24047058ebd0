"""Files are whole or not there; writing says how far it is only to somebody who watches."""

import io
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clips import first_video
from tests.tasks.synthetic.test_task_set import tasks_of
from zoomgym.tasks.synthetic import write
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.video import VideoFile

LONG_S = 30
SCENE = Scene(0, 2 * write.BATCH, (), ())
WRITE = f"""
import signal
import sys
from pathlib import Path
from tests.tasks.synthetic.test_task_set import tasks_of
from zoomgym.tasks.synthetic.scene import Scene

signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background, shells ignore it
draw, times = Scene.draw, []

def draw_and_wait(scene, indexes, size):
    times.append(len(indexes))
    if sum(times) > {LONG_S}:
        print("in the middle", flush=True)
        sys.stdin.read()
    return draw(scene, indexes, size)

Scene.draw = draw_and_wait
tasks = tasks_of("flash", duration_s={LONG_S})
tasks.write_video(tasks[0], Path(sys.argv[1]))
"""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def interrupted(folder: Path, kind: signal.Signals) -> int:
    """Sends a signal to a process that writes a video to folder; returns its exit status."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in the middle\n"
    process.send_signal(kind)
    process.communicate(timeout=30)
    return process.returncode


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    assert interrupted(tmp_path, signal.SIGINT) != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_process_that_is_killed_leaves_no_broken_file(tmp_path: Path) -> None:
    for number, kind in enumerate((signal.SIGTERM, signal.SIGKILL), 1):
        assert interrupted(tmp_path, kind) == -kind
        assert [path.name[:6] for path in tmp_path.iterdir()] == [".part-"] * number
    tasks = tasks_of("flash", duration_s=LONG_S)
    with VideoFile(tasks.write_video(tasks[0], tmp_path)) as file:
        assert file.duration_s == LONG_S


@pytest.mark.parametrize(
    ("stderr", "after_s", "is_shown"),
    [(Terminal(), 0.0, True), (Terminal(), 60.0, False), (io.StringIO(), 0.0, False)],
)
def test_progress_is_shown_on_a_terminal_if_writing_takes_long(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stderr: io.StringIO,
    after_s: float,
    is_shown: bool,
) -> None:
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(write, "PROGRESS_AFTER_S", after_s)
    write.write_video(SCENE, tmp_path / "a.mp4")
    *before, last, end = ["", *stderr.getvalue().split("\r")] if is_shown else ["", "", ""]
    assert ("writing video" in "".join(before)) == is_shown
    assert is_shown or not stderr.getvalue()
    assert "\n" not in stderr.getvalue()
    assert (last.strip(), end) == ("", "")  # the line is wiped out


def test_bars_can_be_silenced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr(write, "PROGRESS_AFTER_S", 0.0)
    monkeypatch.setenv("TQDM_DISABLE", "1")
    write.write_video(SCENE, tmp_path / "a.mp4")
    assert stderr.getvalue() == ""


@pytest.mark.long
@pytest.mark.parametrize("family", ["flash", "relay"])
def test_files_are_so_large_that_a_codec_has_work_to_do(tmp_path: Path, family: str) -> None:
    tasks = tasks_of(family, split="test", duration_s=30, source="file")
    num_bytes = first_video(tasks, tmp_path).stat().st_size
    assert num_bytes / 30 > 10_000
