"""Several threads for one call: the same frames."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.clips import number_in, write
from benchmarks.speed.decoding.awkward.kinds import H264
from zoomgym.errors import VideoError
from zoomgym.video import Limits, VideoFile, forget_frames
from zoomgym.video.clip import _parts
from zoomgym.video.decode import Decoder
from zoomgym.video.facts import Facts
from zoomgym.video.pool import POOL
from zoomgym.video.scale import Orientation, Scaler

SIZE = (24, 40)


def work(time_s: float) -> None:
    """Keeps the processor busy for so long."""
    end_s = time.thread_time() + time_s
    while time.thread_time() < end_s:
        pass


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 20 s with 100 frames."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write(path, options=H264, rate=5)
    return path


@pytest.mark.parametrize("num_threads", [2, 3, 16])
def test_several_threads_give_the_frames_that_one_gives(num_threads: int, film: Path) -> None:
    times_s = np.random.default_rng(0).uniform(0, 21, 64).tolist()
    expected = VideoFile(film).frames_at(times_s, SIZE)
    forget_frames()
    frames = VideoFile(film, num_threads=num_threads).frames_at(times_s, SIZE)
    assert frames is not expected
    assert (frames == expected).all()


def test_two_threads_use_two_containers(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = VideoFile(film, num_threads=2)
    assert video.duration_s == 20.0
    both_have_one = threading.Barrier(2, timeout=20)
    decode = Decoder.frames
    monkeypatch.setattr(Decoder, "frames", lambda *args: (both_have_one.wait(), decode(*args))[1])
    frames = video.frames_at(np.linspace(0, 20, 64).tolist(), (96, 160))
    assert [number_in(frame) for frame in frames[[0, 63]]] == [0, 99]
    assert POOL.num_open == 2


def test_near_frames_are_scaled_beside_the_decoding(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    times_s = [2.0 + k / 8 for k in range(16)]
    expected = VideoFile(film).frames_at(times_s, SIZE)
    forget_frames()
    scaling: set[int] = set()
    scale = Scaler.picture
    monkeypatch.setattr(
        Scaler, "picture", lambda *args: (scaling.add(threading.get_ident()), scale(*args))[1]
    )
    frames = VideoFile(film, num_threads=2).frames_at(times_s, SIZE)
    assert frames is not expected
    assert (frames == expected).all()
    assert len(scaling) == 1
    assert threading.get_ident() not in scaling


def test_near_frames_are_cut_into_parts_of_five_seconds_or_more() -> None:
    facts = Facts(1, 0, 100, 101, SIZE, Orientation())  # type: ignore[arg-type]
    assert _parts([], facts, 2) == []
    assert _parts([7], facts, 2) == [[7]]
    assert _parts([0, 4, 9], facts, 2) == [[0, 4, 9]]
    assert _parts([0, 4, 9, 13], facts, 2) == [[0, 4], [9, 13]]
    assert _parts([0, 4, 8, 12], facts, 8) == [[0, 4], [8, 12]]


def test_distant_frames_are_cut_finer_so_that_no_thread_waits_for_long() -> None:
    facts = Facts(1, 0, 1000, 1001, SIZE, Orientation())  # type: ignore[arg-type]
    distant = list(range(0, 320, 5))
    assert _parts(distant, facts, 1) == [distant]
    assert [len(part) for part in _parts(distant, facts, 2)] == [4] * 16
    assert _parts([0, 99], facts, 8) == [[0], [99]]


@pytest.mark.long
def test_parts_have_the_time_of_their_call_together(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = VideoFile(film, num_threads=2, limits=Limits(call_s=1.0))
    assert video.duration_s == 20.0
    decode = Decoder.frames
    monkeypatch.setattr(Decoder, "frames", lambda *args: (work(0.3), decode(*args))[1])
    assert len(video.frames_at([0.0], SIZE)) == 1
    with pytest.raises(VideoError, match="needed an answer within 1 s"):
        video.frames_at([0.0, 6.0, 12.0, 18.0], SIZE)  # four parts


@pytest.mark.long
def test_scaling_beside_the_decoding_counts_for_the_time_of_a_call(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = VideoFile(film, num_threads=2, limits=Limits(call_s=1.0))
    assert video.duration_s == 20.0
    scale = Scaler.picture
    monkeypatch.setattr(Scaler, "picture", lambda *args: (work(0.3), scale(*args))[1])
    with pytest.raises(VideoError, match="needed an answer within 1 s"):
        video.frames_at([2.0 + k / 8 for k in range(16)], SIZE)  # ten frames


def test_call_does_not_fail_by_the_limits_of_another_one(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict, lenient = VideoFile(film, limits=Limits(call_s=0.5)), VideoFile(film)
    assert strict.duration_s == lenient.duration_s == 20.0
    decodes, may_fail, decode = threading.Event(), threading.Event(), Decoder.frames

    def frames(self: Decoder, limits: list[int]) -> object:
        if threading.current_thread() is not threading.main_thread():
            decodes.set()
            assert may_fail.wait(20)
            work(0.6)
        return decode(self, limits)

    monkeypatch.setattr(Decoder, "frames", frames)
    with ThreadPoolExecutor(1) as thread:
        failing = thread.submit(strict.frames_at, [1.0], SIZE)
        assert decodes.wait(20)
        try:
            assert number_in(lenient.frames_at([1.0], SIZE)[0]) == 5
        finally:
            may_fail.set()
        with pytest.raises(VideoError, match=r"needed an answer within 0\.5 s"):
            failing.result()


def test_error_in_scaling_beside_the_decoding_is_raised(
    film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = VideoFile(film, num_threads=2)
    assert video.duration_s == 20.0
    times_s = [2.0 + k / 8 for k in range(16)]
    num_threads = threading.active_count()
    with monkeypatch.context() as patched:
        patched.setattr(Scaler, "picture", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            video.frames_at(times_s, SIZE)
    assert POOL.num_open == 0
    assert threading.active_count() == num_threads
    assert len(video.frames_at(times_s, SIZE)) == 16


def test_error_on_any_thread_is_raised(film: Path, tmp_path: Path) -> None:
    data = bytearray(film.read_bytes())
    path = tmp_path / "gone.mp4"
    path.write_bytes(data)
    video = VideoFile(path, num_threads=2)
    path.unlink()
    with pytest.raises(VideoError, match=r"gone\.mp4: needed a video file, found none"):
        video.frames_at([0.0, 19.0], SIZE)
