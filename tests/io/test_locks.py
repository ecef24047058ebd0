"""A lock is held by one process at a time, and by none that was killed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoomgym.io.locks import locked

HOLDS = """
import sys, time
from pathlib import Path
from zoomgym.io.locks import locked
with locked(Path(sys.argv[1])) as is_held:
    print(is_held, flush=True)
    sys.stdin.read(1)
"""


def holder(path: Path) -> "subprocess.Popen[str]":
    """Starts a process that tries to take the lock, and holds it until it is told to end."""
    return subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.long
def test_a_lock_is_held_by_one_process_at_a_time_and_by_none_that_was_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "lock"
    with holder(path) as first:
        assert said(first) == "True"
        with locked(path) as is_held:
            assert not is_held
        first.kill()
    with locked(path) as is_held:
        assert is_held
        with holder(path) as second:
            assert said(second) == "False"
            second.kill()
    with locked(path) as is_held:
        assert is_held


def test_what_stands_in_a_file_that_is_held_stays(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("x")
    with locked(path) as is_held:
        assert is_held
    assert path.read_text() == "x"


def test_what_somebody_put_in_the_place_of_a_lock_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "private").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "private")
    (tmp_path / "dangling").symlink_to(tmp_path / "new")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "dangling", "pipe"):
        with pytest.raises(OSError, match=name), locked(tmp_path / name):
            pass
    assert (tmp_path / "private").read_text() == "x"
    assert not (tmp_path / "new").exists()
