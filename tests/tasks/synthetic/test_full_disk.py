"""A disk that is full, or may not be written to, while synthetic videos are written.

The real thing without a root's mounts: a limit on the size of files fails in mid-write as a full
disk does, in a process of its own.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoomgym import TaskError
from zoomgym.envs.env import ZoomEnv
from zoomgym.io import cache
from zoomgym.io.cache import cached_file, written_file

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process")

SETTINGS = {"tasks": "synthetic:overview", "duration_s": 8, "num_overview": 1}
IN_LITTLE_ROOM = """
import resource, sys
from zoomgym import TaskError
from zoomgym.envs.env import ZoomEnv
from zoomgym.tasks.synthetic import task_set

task_set.MIN_DURATION_S = 8
env = ZoomEnv("synthetic:overview", duration_s=8, num_overview=1, cache_dir=sys.argv[1])
task_id = env.tasks[0].id
for share in (0, 0.5, 0.9, 1):
    most = int(float(sys.argv[2]) * share) - (share == 1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
    try:
        env.reset(options={"task_id": task_id})
    except TaskError as error:
        print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
env.reset(options={"task_id": task_id})
"""


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("synthetic/*")}


@pytest.mark.long
@pytest.mark.usefixtures("short_videos")
def test_a_disk_that_fills_up_is_told_and_leaves_nothing_that_counts_as_a_video(
    tmp_path: Path,
) -> None:
    whole, cramped = tmp_path / "whole", tmp_path / "cramped"
    env = ZoomEnv(**SETTINGS, cache_dir=whole)  # type: ignore[arg-type]
    env.reset(options={"task_id": env.tasks[0].id})
    [(name, content)] = written(whole).items()
    process = subprocess.run(
        [sys.executable, "-c", IN_LITTLE_ROOM, str(cramped), str(len(content))],
        check=True,
        capture_output=True,
        text=True,
    )
    assert (
        process.stdout.splitlines()
        == [
            f"{cramped / 'synthetic'}: needed a folder to write synthetic videos to, got file too "
            "large: make room, or name another folder by cache_dir or ZOOMGYM_CACHE"
        ]
        * 4
    )
    assert written(cramped) == {name: content}  # of the last reset, which had room


@pytest.mark.usefixtures("short_videos")
@pytest.mark.parametrize("name", ["/proc/1/zoomgym", "/dev/null/in", "a" * 300, "a\0b", "\ud800"])
def test_a_folder_that_nobody_can_make_is_named(name: str, tmp_path: Path) -> None:
    env = ZoomEnv(**SETTINGS, cache_dir=tmp_path / name)  # type: ignore[arg-type]
    with pytest.raises(TaskError, match=r"synthetic: needed a folder .* or ZOOMGYM_CACHE"):
        env.reset(seed=0)


def test_a_file_of_somebody_else_is_used_though_its_time_cannot_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written_file(tmp_path / "a.mp4", lambda part: None)
    os.utime(path, (1000, 1000))

    def refuse(*args: object, **others: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(cache.os, "utime", refuse)
    assert cached_file(path, lambda part: pytest.fail("made again")) == path


def test_a_file_of_somebody_else_that_cannot_be_removed_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs.mp4").write_bytes(bytes(10))
    (tmp_path / "ours.mp4").write_bytes(bytes(10))
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == "theirs.mp4":
            raise PermissionError(1, "Operation not permitted")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    cached_file(tmp_path / "made.mp4", lambda part: part.write_bytes(bytes(10)) and None, 15)
    assert {path.name for path in tmp_path.iterdir()} == {"theirs.mp4", "made.mp4"}
