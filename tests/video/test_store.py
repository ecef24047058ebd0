"""Frames that are kept by the process."""

import os
import pickle
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.clips import draw, number_in, write
from benchmarks.speed.decoding.awkward.kinds import H264
from zoomgym.video import VideoFile, forget_frames, set_frame_memory
from zoomgym.video.decode import Decoder
from zoomgym.video.store import MAX_BYTES, STORE

Clip = Callable[[str], Path]
SIZE = (24, 40)
FRAME_BYTES = 24 * 40 * 3


@pytest.fixture(autouse=True)
def _settings_end_with_the_test() -> Iterator[None]:
    yield
    set_frame_memory(MAX_BYTES)


@pytest.fixture
def num_decodes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that holds one item for every call that decodes."""
    calls: list[int] = []
    decode = Decoder.frames
    monkeypatch.setattr(
        Decoder, "frames", lambda *args: (calls.append(len(args[1])), decode(*args))[1]
    )
    return calls


def test_same_call_decodes_once_in_a_process(clip: Clip, num_decodes: list[int]) -> None:
    one, two = VideoFile(clip("base.mp4")), VideoFile(str(clip("base.mp4")))
    frames = one.frames_at([0.0, 1.0], SIZE)
    assert two.frames_at((0, np.float32(1)), SIZE) is frames
    assert num_decodes == [2]
    assert two.frames_at([1.0, 0.0], SIZE) is not frames
    assert two.frames_at([0.0, 1.0], (12, 20)).shape == (2, 12, 20, 3)


def test_sixteen_who_ask_at_once_wait_for_one_decode(
    clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = [VideoFile(clip("base.mp4")) for _ in range(16)]
    _ = videos[0].duration_s
    num_decodes: list[int] = []
    may_go = threading.Event()
    decode = Decoder.frames

    def blocked(self: Decoder, limits: list[int]) -> object:
        num_decodes.append(len(limits))
        assert may_go.wait(20)
        return decode(self, limits)

    monkeypatch.setattr(Decoder, "frames", blocked)
    with ThreadPoolExecutor(16) as threads:
        answers = [threads.submit(video.frames_at, [0.0, 2.0], SIZE) for video in videos]
        may_go.set()
    assert num_decodes == [2]
    assert len({id(answer.result()) for answer in answers}) == 1


def test_frames_in_memory_stay_within_their_bound(clip: Clip, num_decodes: list[int]) -> None:
    set_frame_memory(3 * FRAME_BYTES)
    video = VideoFile(clip("base.mp4"))
    for index in [0, 1, 2, 0, 3]:
        video.frames_at([index / 25], SIZE)
        assert STORE.weight <= 3 * FRAME_BYTES
    assert len(num_decodes) == 4
    video.frames_at([0.0], SIZE)  # used lately
    assert len(num_decodes) == 4
    video.frames_at([1 / 25], SIZE)
    assert len(num_decodes) == 5


def write_twins(one: Path, two: Path) -> None:
    """Writes two videos, of frames 0 to 39 and of frames 100 to 139, alike in size and mtime."""
    write(one, options=H264, pts=range(40))
    write(two, options=H264, pts=range(40), pictures=lambda index: draw(100 + index))
    num_bytes = max(path.stat().st_size for path in (one, two)) + 8
    for path in (one, two):
        data = path.read_bytes()
        num_free = num_bytes - len(data)
        path.write_bytes(data + num_free.to_bytes(4) + b"free" + bytes(num_free - 8))
        os.utime(path, ns=(0, 10**18))


def replace_by_rename(path: Path, other: Path) -> None:
    other.replace(path)


def replace_by_copying(path: Path, other: Path) -> None:
    shutil.copy2(other, path)  # as `cp -p`


def replace_by_link(path: Path, other: Path) -> None:
    path.unlink()
    path.symlink_to(other)


def replace_a_part(path: Path, other: Path) -> None:
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.write(other.read_bytes())
    os.utime(path, ns=times)


@pytest.mark.parametrize(
    "replace", [replace_by_rename, replace_by_copying, replace_by_link, replace_a_part]
)
def test_file_of_the_same_size_and_mtime_is_another_file(
    replace: Callable[[Path, Path], None], tmp_path: Path
) -> None:
    path, other = tmp_path / "film.mp4", tmp_path / "other.mp4"
    write_twins(path, other)
    video = VideoFile(path)
    assert number_in(video.frames_at([1.0], (96, 160))[0]) == 25
    before = path.stat()
    replace(path, other)
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    assert number_in(video.frames_at([1.0], (96, 160))[0]) == 125
    forget_frames()
    assert number_in(VideoFile(path).frames_at([1.0], (96, 160))[0]) == 125


def test_copies_of_a_video_ask_the_same_store(clip: Clip, num_decodes: list[int]) -> None:
    video = VideoFile(clip("base.mp4"), num_threads=2, on_damage="raise")
    frames = video.frames_at([1.0], SIZE)
    assert pickle.loads(pickle.dumps(video)).frames_at([1.0], SIZE) is frames
    assert num_decodes == [1]
