"""Frames that are kept: by the process, and in a folder."""

import io
import multiprocessing
import os
import pickle
import shutil
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.clips import draw, number_in, write
from benchmarks.speed.decoding.awkward.kinds import H264
from zoomgym.video import (
    VideoFile,
    close_files,
    forget_frames,
    keep_frames_in,
    set_frame_memory,
    store,
)
from zoomgym.video.decode import Decoder
from zoomgym.video.disk import FrameFolder
from zoomgym.video.store import MAX_BYTES, STORE

Clip = Callable[[str], Path]
SIZE = (24, 40)
FRAME_BYTES = 24 * 40 * 3


@pytest.fixture(autouse=True)
def _settings_end_with_the_test() -> Iterator[None]:
    yield
    set_frame_memory(MAX_BYTES)
    keep_frames_in(None)


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
        assert STORE.num_bytes <= 3 * FRAME_BYTES
    assert len(num_decodes) == 4
    video.frames_at([0.0], SIZE)  # used lately
    assert len(num_decodes) == 4
    video.frames_at([1 / 25], SIZE)
    assert len(num_decodes) == 5


def test_frames_in_a_folder_outlive_the_process(
    clip: Clip, num_decodes: list[int], tmp_path: Path
) -> None:
    keep_frames_in(tmp_path / "frames")
    video = VideoFile(clip("base.mp4"))
    frames = video.frames_at([0.0, 1.0], SIZE)
    forget_frames()
    again = video.frames_at([0.0, 1.0], SIZE)
    assert num_decodes == [2]
    assert (again == frames).all()
    assert not again.flags.writeable
    keep_frames_in(None)
    forget_frames()
    video.frames_at([0.0, 1.0], SIZE)
    assert num_decodes == [2, 2]


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
    keep_frames_in(tmp_path / "frames")
    video = VideoFile(path)
    assert number_in(video.frames_at([1.0], (96, 160))[0]) == 25
    before = path.stat()
    replace(path, other)
    after = path.stat()
    assert (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    assert number_in(video.frames_at([1.0], (96, 160))[0]) == 125
    forget_frames()
    assert number_in(VideoFile(path).frames_at([1.0], (96, 160))[0]) == 125


def test_frames_in_a_folder_serve_copies_of_the_video(
    clip: Clip, num_decodes: list[int], tmp_path: Path
) -> None:
    keep_frames_in(tmp_path / "frames")
    path = Path(shutil.copy(clip("base.mp4"), tmp_path / "film.mp4"))
    VideoFile(path).frames_at([1.0], SIZE)
    path.chmod(0o400)  # changes the ctime only
    VideoFile(path).frames_at([1.0], SIZE)
    copied = shutil.copytree(tmp_path / "frames", tmp_path / "copied")
    keep_frames_in(copied)
    moved = Path(shutil.move(path, tmp_path / "moved.mp4"))
    forget_frames()
    assert number_in(VideoFile(moved).frames_at([1.0], (96, 160))[0]) == 25  # of another size
    assert num_decodes == [1, 1]
    assert VideoFile(moved).frames_at([1.0], SIZE).shape == (1, *SIZE, 3)
    assert num_decodes == [1, 1]


def test_content_of_a_file_is_read_once(
    clip: Clip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hashed = []
    content_hash = store.content_hash
    monkeypatch.setattr(store, "content_hash", lambda key: (hashed.append(1), content_hash(key))[1])
    keep_frames_in(tmp_path / "frames")
    for time_s in (0.0, 1.0, 2.0):
        VideoFile(clip("base.mp4")).frames_at([time_s], SIZE)
    assert hashed == [1]


def test_file_that_is_replaced_while_it_is_decoded_leaves_no_entry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path, other = tmp_path / "film.mp4", tmp_path / "other.mp4"
    write_twins(path, other)
    first = path.read_bytes()
    keep_frames_in(tmp_path / "frames")
    video = VideoFile(path)
    assert video.duration_s == 1.6
    decode = Decoder.frames
    monkeypatch.setattr(Decoder, "frames", lambda *args: (other.replace(path), decode(*args))[1])
    forget_frames()
    close_files()
    video.frames_at([1.0], SIZE)
    monkeypatch.undo()
    assert list((tmp_path / "frames").glob("*.npy")) == []
    path.write_bytes(first)
    forget_frames()
    assert number_in(VideoFile(path).frames_at([1.0], (96, 160))[0]) == 25


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"\0\0\0\0",
        lambda data: data[:100],
        lambda data: data[:-1],
        lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:],
    ],
)
def test_corrupt_entry_is_decoded_again(
    damage: Callable[[bytes], bytes], clip: Clip, num_decodes: list[int], tmp_path: Path
) -> None:
    keep_frames_in(tmp_path)
    video = VideoFile(clip("base.mp4"))
    video.frames_at([1.0], SIZE)
    [entry] = tmp_path.glob("*.npy")
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    forget_frames()
    assert number_in(video.frames_at([1.0], SIZE)[0]) == 25
    assert num_decodes == [1, 1]
    assert entry.read_bytes() == whole


def test_folder_never_grows_past_its_bound(tmp_path: Path) -> None:
    folder = FrameFolder(tmp_path, 5000)
    array = np.zeros((1, 10, 40, 3), np.uint8)
    for index in range(10):
        folder.write(f"{index}", array + np.uint8(index))
        folder.read("0", array.shape)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 5000
    kept = [index for index in range(10) if folder.read(f"{index}", array.shape) is not None]
    assert kept == [0, 8, 9]
    folder.write("large", np.zeros((5, 10, 40, 3), np.uint8))
    assert folder.read("large", (5, 10, 40, 3)) is None
    assert folder.read("9", array.shape) is not None


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".part-1-dead.npy").write_bytes(b"half")
    (tmp_path / "music.mp3.part").write_bytes(b"half of another's")
    FrameFolder(tmp_path, 5000).write("a", np.zeros((1, 2, 2, 3), np.uint8))
    left = {path.name for path in tmp_path.iterdir() if path.suffix != ".npy"}
    assert left == {"lock", "music.mp3.part"}
    assert len(list(tmp_path.iterdir())) == 3


def test_files_of_others_are_neither_counted_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "mine.npy").write_bytes(bytes(9000))
    (tmp_path / f"{'0' * 64}.npy").symlink_to(tmp_path / "gone")
    folder = FrameFolder(tmp_path, 300)
    for index in range(3):
        folder.write(f"{index}", np.zeros((1, 2, 2, 3), np.uint8))
    assert folder.read("2", (1, 2, 2, 3)) is not None
    assert (tmp_path / "mine.npy").stat().st_size == 9000


def test_an_entry_is_an_npy_file_with_a_checksum_behind_it(tmp_path: Path) -> None:
    array = np.arange(2 * 3 * 5 * 3, dtype=np.uint8).reshape(2, 3, 5, 3)
    FrameFolder(tmp_path, 5000).write("a", array)
    [entry] = tmp_path.glob("*.npy")
    assert (np.load(io.BytesIO(entry.read_bytes()[:-4])) == array).all()


HEADERS = (
    "{'descr': '|O', 'fortran_order': False, 'shape': (1, 10, 40, 3), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1" + "0" * 12 + ", 10, 40, 3), }",
    "{'descr': '|u1', 'fortran_order': True, 'shape': (1, 10, 40, 3), }",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 10, 40, 3), ",
    "(" * 500,
    "1+" * 5000 + "1",
    "\x00" * 50,
)


@pytest.mark.parametrize("header", HEADERS)
def test_an_entry_with_a_header_made_to_harm_is_absent(header: str, tmp_path: Path) -> None:
    shape = (1, 10, 40, 3)
    folder = FrameFolder(tmp_path, 50_000)
    folder.write("a", np.zeros(shape, np.uint8))
    [entry] = tmp_path.glob("*.npy")
    text = f"{header}\n".encode()
    body = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(1200)
    entry.write_bytes(body + zlib.crc32(body).to_bytes(4, "big"))
    assert folder.read("a", shape) is None
    folder.write("a", np.ones(shape, np.uint8))
    assert (folder.read("a", shape) == 1).all()


def test_an_entry_that_is_no_plain_file_is_absent_and_left_alone(tmp_path: Path) -> None:
    shape = (1, 2, 2, 3)
    folder = FrameFolder(tmp_path / "frames", 5000)
    folder.write("a", np.zeros(shape, np.uint8))
    [entry] = (tmp_path / "frames").glob("*.npy")
    private = entry.rename(tmp_path / "private")
    content = private.read_bytes()
    for put in (
        lambda: entry.symlink_to(private),
        lambda: entry.symlink_to("/dev/zero"),
        lambda: os.mkfifo(entry),
    ):
        put()
        assert folder.read("a", shape) is None
        folder.write("a", np.ones(shape, np.uint8))
        assert (folder.read("a", shape) == 1).all()
        assert not entry.is_symlink()
        entry.unlink()
    assert private.read_bytes() == content


def test_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    folder = FrameFolder(tmp_path / "gone", 5000)
    (tmp_path / "gone").rmdir()
    folder.write("a", np.zeros((1, 2, 2, 3), np.uint8))
    assert folder.read("a", (1, 2, 2, 3)) is None


def write_many(folder: str, seed: int) -> None:
    """Fills a folder from one of several processes."""
    frames = FrameFolder(Path(folder), 20_000)
    for index in range(40):
        value = (index * 7 + seed) % 23
        frames.write(f"{value}", np.full((1, 20, 30, 3), value, np.uint8))
        with frames._locked():  # nobody writes while the sizes are added up
            assert sum(path.stat().st_size for path in Path(folder).iterdir()) <= 20_000
        read = frames.read(f"{(value + 3) % 23}", (1, 20, 30, 3))
        assert read is None or (read == (value + 3) % 23).all()


def test_folder_is_safe_for_several_processes(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=write_many, args=(str(tmp_path), seed)) for seed in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0, 0]


def test_copies_of_a_video_ask_the_same_store(clip: Clip, num_decodes: list[int]) -> None:
    video = VideoFile(clip("base.mp4"), num_threads=2, on_damage="raise")
    frames = video.frames_at([1.0], SIZE)
    assert pickle.loads(pickle.dumps(video)).frames_at([1.0], SIZE) is frames
    assert num_decodes == [1]
