"""A file in the cache that is not the one that was written is written again."""

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from zoomgym import TaskError
from zoomgym.tasks.synthetic import SyntheticTasks
from zoomgym.tasks.synthetic.seal import is_sealed, seal
from zoomgym.video import VideoFile, forget_frames

pytestmark = pytest.mark.usefixtures("short_videos")


def make_tasks(folder: Path) -> SyntheticTasks:
    return SyntheticTasks(("overview",), "test", 8, "easy", "file", folder)


def first_frame(tasks: SyntheticTasks, index: int = 0) -> NDArray[np.uint8]:
    """Returns the first frame of a task's video, (H, W, 3) uint8 RGB."""
    video = tasks.open_video(tasks[index])
    try:
        frame: NDArray[np.uint8] = video.frames_at([0.0], (48, 48))[0]
        return frame
    finally:
        video.close()


def replaced_keeping_times(path: Path, content: bytes) -> None:
    """Writes other content of the same length and times, as `cp -p` can."""
    found = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.fixture
def written(shared_folder: Path, short_videos: None) -> Path:
    """A folder with the files of two tasks, of which one is called as the first but for a name."""
    folder = shared_folder / "sealed"
    tasks = make_tasks(folder)
    for index in range(2):
        first_frame(tasks, index)
    return folder


@pytest.mark.long
@pytest.mark.parametrize(
    "harm",
    [
        lambda path, other: shutil.copy2(other, path),
        lambda path, other: path.write_bytes(b""),
        lambda path, other: os.truncate(path, path.stat().st_size - 1),
        lambda path, other: path.write_bytes(path.read_bytes() + b"0"),
        lambda path, other: replaced_keeping_times(
            path, path.read_bytes()[:5000] + bytes(100) + path.read_bytes()[5100:]
        ),
        lambda path, other: (path.unlink(), path.symlink_to(other)),
        lambda path, other: (path.unlink(), path.symlink_to("/dev/zero")),
        lambda path, other: (path.unlink(), os.mkfifo(path)),
    ],
)
def test_a_file_that_was_replaced_or_damaged_is_written_again(
    harm: Callable[[Path, Path], object], written: Path, tmp_path: Path
) -> None:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    tasks = make_tasks(tmp_path)
    path, other = sorted((tmp_path / "synthetic").iterdir())
    content, frame = path.read_bytes(), first_frame(tasks)
    assert not (first_frame(tasks, 1) == frame).all()
    harm(path, other)
    forget_frames()
    assert (first_frame(tasks) == frame).all()
    assert path.read_bytes() == content
    assert not path.is_symlink()


def test_a_file_that_is_there_is_not_written_again(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)  # a cache that was copied is good, too
    monkeypatch.setattr("zoomgym.tasks.synthetic.task_set.write_video", pytest.fail)
    first_frame(make_tasks(tmp_path))


def test_a_folder_in_the_place_of_a_file_is_named(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    path = min((tmp_path / "synthetic").iterdir())
    path.unlink()
    path.mkdir()
    with pytest.raises(TaskError, match=r"synthetic: needed a folder to write synthetic videos to"):
        first_frame(make_tasks(tmp_path))


def test_a_seal_tells_any_change_and_any_other_name(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.mp4", random.Random(0)
    path.write_bytes(rng.randbytes(3000))
    assert not is_sealed(path)
    seal(path, "a.mp4")
    whole = path.read_bytes()
    assert is_sealed(path)
    for _ in range(300):
        place = rng.randrange(len(whole))
        changed = whole[:place] + bytes([whole[place] ^ 1 << rng.randrange(8)]) + whole[place + 1 :]
        replaced_keeping_times(path, changed)
        assert not is_sealed(path)
    replaced_keeping_times(path, whole)
    assert is_sealed(path)
    assert not is_sealed(path.rename(tmp_path / "b.mp4"))
    assert not is_sealed(tmp_path / "none.mp4")


def test_a_sealed_video_is_read_as_one_without_a_seal(tmp_path: Path) -> None:
    tasks = make_tasks(tmp_path)
    task = tasks[0]
    sealed, plain = tasks.open_video(task), VideoFile(tasks.write_video(task, tmp_path / "plain"))
    assert (sealed.duration_s, sealed.last_frame_s) == (plain.duration_s, plain.last_frame_s)
    times_s = [0.0, 3.3, 7.9, sealed.last_frame_s]
    assert (sealed.frames_at(times_s, (48, 48)) == plain.frames_at(times_s, (48, 48))).all()
