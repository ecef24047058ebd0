"""Open files: shared, bounded, lent to one thread at a time, not inherited by forks."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.speed.decoding.awkward.clips import number_in, write
from benchmarks.speed.decoding.awkward.kinds import H264
from zoomgym.errors import VideoError
from zoomgym.video import VideoFile, forget_frames
from zoomgym.video.identity import identify
from zoomgym.video.limits import Limits
from zoomgym.video.pool import POOL, Pool

Clip = Callable[[str], Path]
SIZE = (96, 160)
LIMITS = Limits()
NAMES = ["base.mp4", "no_b.mp4", "slices.mp4", "base.mkv"]


def num_descriptors(path: Path) -> int:
    """Returns how many descriptors of this process stand for path."""
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("needs /proc")
    return sum(link.exists() and link.samefile(path) for link in folder.iterdir())


def test_file_that_was_given_back_is_lent_again(clip: Clip) -> None:
    pool, key = Pool(), identify(clip("base.mp4"))
    with pool.lent(key, LIMITS) as first:
        pass
    with pool.lent(key, LIMITS) as again:
        assert again is first
    with pool.lent(key, Limits(pixels=20_000)) as other:  # opened under other limits
        assert other is not first
    pool.close_idle()
    assert pool.num_open == 0


def test_file_used_longest_ago_is_closed_first(clip: Clip) -> None:
    pool = Pool(max_open=3)
    keys = [identify(clip(name)) for name in NAMES]
    for key in [*keys[:3], keys[0], keys[3]]:
        with pool.lent(key, LIMITS):
            assert pool.num_open <= 3
    assert [num_descriptors(key.path) for key in keys] == [1, 0, 1, 1]
    pool.close_idle()
    assert [num_descriptors(key.path) for key in keys] == [0, 0, 0, 0]


def test_two_borrowers_of_one_file_get_two_sessions(clip: Clip) -> None:
    pool, key = Pool(max_open=2), identify(clip("base.mp4"))
    with pool.lent(key, LIMITS) as one, pool.lent(key, LIMITS) as two:
        assert one is not two
        with pool.lent(key, LIMITS):  # over the bound: open only while it is needed
            assert num_descriptors(key.path) == 3
        assert num_descriptors(key.path) == 2
    assert pool.num_open == num_descriptors(key.path) == 2
    pool.close_idle()
    assert num_descriptors(key.path) == 0


def test_session_that_met_an_error_is_closed(clip: Clip) -> None:
    pool, key = Pool(), identify(clip("base.mp4"))
    with pytest.raises(KeyError), pool.lent(key, LIMITS):
        raise KeyError
    assert pool.num_open == num_descriptors(key.path) == 0


def test_file_that_does_not_open_takes_no_room(tmp_path: Path) -> None:
    path = tmp_path / "text.mp4"
    path.write_text("no video")
    pool = Pool()
    with pytest.raises(VideoError, match="cannot open it"), pool.lent(identify(path), LIMITS):
        pass
    assert pool.num_open == 0


def test_videos_of_one_file_share_an_open_file(clip: Clip) -> None:
    path = clip("base.mp4")
    for time_s in (0.0, 1.0, 2.0):
        with VideoFile(path) as video:
            assert number_in(video.frames_at([time_s], SIZE)[0]) == time_s * 25
    assert num_descriptors(path) == 1


def test_replaced_file_is_read_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "film.mp4", tmp_path / "other.mp4"
    write(path, options=H264, pts=range(50))
    video = VideoFile(path)
    assert (video.duration_s, number_in(video.frames_at([9.0], SIZE)[0])) == (2.0, 49)
    write(other, options=H264, pts=range(75))
    other.replace(path)
    assert (video.duration_s, number_in(video.frames_at([9.0], SIZE)[0])) == (3.0, 74)
    assert POOL.num_open == 1  # the old one was closed


def test_many_threads_on_few_files_all_see_the_right_frames(clip: Clip) -> None:
    paths = [clip(name) for name in NAMES]
    wrong: list[tuple[str, int, int]] = []

    def ask(seed: int) -> None:
        for step in range(12):
            path, index = paths[(seed + step) % 4], (seed * 37 + step * 11) % 100
            [frame] = VideoFile(path).frames_at([index / 25], SIZE)
            if number_in(frame) != index:
                wrong.append((path.name, index, number_in(frame)))

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert POOL.num_open <= 8


FORK = """
import os, sys, threading
from zoomgym.video import VideoFile, forget_frames
from zoomgym.video.pool import POOL

path, size = sys.argv[1], (24, 40)
video = VideoFile(path)
expected = [video.frames_at([t], size).tobytes() for t in (0.0, 1.0, 2.0, 3.0)]
forget_frames()
inherited = POOL._idle[0].opened.container
busy = threading.Thread(target=lambda: [video.frames_at([k / 25], size) for k in range(100)])
busy.start()  # forks while another thread decodes
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        seen = [video.frames_at([t], size).tobytes() for t in (0.0, 1.0, 2.0, 3.0)]
        is_own = all(idle.opened.container is not inherited for idle in POOL._idle)
        sys.exit(0 if seen == expected and is_own else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
busy.join()
forget_frames()
assert [video.frames_at([t], size).tobytes() for t in (0.0, 1.0, 2.0, 3.0)] == expected
print(codes)
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_children_open_files_of_their_own(clip: Clip) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FORK, str(clip("base.mp4"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout.strip(), ran.returncode) == ("[0, 0, 0]", 0), ran.stderr


def test_frames_are_the_same_after_files_were_closed(clip: Clip) -> None:
    video = VideoFile(clip("open_gop.mp4"))
    before = video.frames_at([1.0, 3.0], SIZE)
    POOL.close_idle()
    forget_frames()
    after = video.frames_at([1.0, 3.0], SIZE)
    assert after is not before
    assert (after == before).all()
