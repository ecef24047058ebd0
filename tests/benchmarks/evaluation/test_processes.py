"""Workers end with the process that started them."""

import subprocess
import sys
from pathlib import Path

import pytest

KILLED = """
import os
import signal
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.evaluation.processes import end_with_parent

if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, get_context("spawn"), initializer=end_with_parent)
    pool.submit(os.getpid).result()
    pool.submit(signal.pause)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and pause")
def test_a_worker_ends_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    root = Path(__file__).parents[3]
    # It returns when nobody can write to its output any more: when the worker has ended, too.
    run = subprocess.run(
        [sys.executable, script], capture_output=True, env={"PYTHONPATH": str(root)}, timeout=60
    )
    assert run.returncode == -9
