"""Memory over very many episodes: it stays flat, whatever containers the videos come in."""

import ctypes
import gc
import itertools
import json
import statistics
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.kinds import KINDS
from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import VideoError
from zoomgym.video import VideoFile, close_files, forget_frames, set_frame_memory
from zoomgym.video.store import MAX_BYTES

NUM_EPISODES = 20_000
NUM_LOOKS = 20_000
NUM_FAILED_LOOKS = 5_000
NUM_STRETCHES, NUM_LOOKED_AT = 5, 20
"""Stretches, and how often memory is looked at in each."""
MAX_GROWTH_KB = 0.15
"""A look or an episode. What was mended took 1 to 12."""
# More files than are kept open, so that they are closed and opened again all the time.
NAMES = [
    *("base.mp4", "open_gop.mp4", "fragments.mp4", "base.mkv", "base.ts", "base.flv", "base.avi"),
    *("mpeg2.mpg", "wmv2.asf", "vp8.webm", "vp8.ogg", "vp8.ivf", "mpeg2.mxf", "base.nut"),
    *("rv20.rm", "base.gif", "base.apng", "raw.y4m"),
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("soak")

    def get(name: str) -> Path:
        if not (folder / name).exists():
            KINDS[name](folder / name, get)
        return folder / name

    return [get(name) for name in NAMES]


@pytest.fixture(autouse=True)
def _no_frames_are_kept() -> Iterator[None]:
    set_frame_memory(0)
    yield
    set_frame_memory(MAX_BYTES)
    forget_frames()
    close_files()


def resident_kb() -> int:
    """Returns the memory that this process holds."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("needs /proc")
    gc.collect()
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)  # gives back what is free, which glibc keeps for later
    lines = status.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def growth_kb(act: Callable[[], None], num_acts: int) -> float:
    """Returns by how much memory grows each time: the median of some stretches, after another.

    What leaks does so in every stretch, and is never given back: so the least that is held in a
    stretch counts. Allocators take and give back megabytes at a time.
    """
    num_each = num_acts // NUM_STRETCHES
    held_kb = []
    for _ in range(NUM_STRETCHES + 1):
        least_kb = []
        for index in range(num_each):
            act()
            if index % (num_each // NUM_LOOKED_AT) == 0:
                least_kb.append(resident_kb())
        held_kb.append(min(least_kb))
    grown_kb = [after - before for before, after in itertools.pairwise(held_kb)]
    told = ", ".join(f"{grown / num_each:.3f}" for grown in grown_kb)
    print(f"kB each, by stretch: {told}")  # noqa: T201 - for who reads the run with -s
    return statistics.median(grown_kb) / num_each


def look(path: Path, rng: np.random.Generator) -> None:
    """Asks for four frames somewhere in a file."""
    video = VideoFile(path)
    start_s = float(rng.uniform(0, video.duration_s))
    video.frames_at([start_s + k / 8 for k in range(4)], (24, 40))


@pytest.mark.parametrize("name", NAMES)
def test_memory_is_flat_over_looks_at_one_file(name: str, paths: list[Path]) -> None:
    path, rng = paths[NAMES.index(name)], np.random.default_rng(0)
    assert growth_kb(lambda: look(path, rng), NUM_LOOKS // 10) <= MAX_GROWTH_KB


def test_memory_is_flat_over_looks_at_many_files(paths: list[Path]) -> None:
    rng = np.random.default_rng(0)
    grown_kb = growth_kb(lambda: look(paths[int(rng.integers(len(paths)))], rng), NUM_LOOKS)
    assert grown_kb <= MAX_GROWTH_KB


def test_memory_is_flat_over_files_that_cannot_be_shown(paths: list[Path], tmp_path: Path) -> None:
    rng, broken = np.random.default_rng(0), []
    for path in paths:
        data = path.read_bytes()
        broken.append(tmp_path / path.name)
        broken[-1].write_bytes(data[: len(data) // 50] + bytes(len(data) // 50))

    def fail() -> None:
        with suppress(VideoError):
            look(broken[int(rng.integers(len(broken)))], rng)

    assert growth_kb(fail, NUM_FAILED_LOOKS) <= MAX_GROWTH_KB


def test_memory_is_flat_over_episodes(paths: list[Path], tmp_path: Path) -> None:
    rows = [
        {"id": path.name, "video": str(path), "question": "?", "answer": "A", "options": ["x", "y"]}
        for path in paths
    ]
    manifest = tmp_path / "tasks.jsonl"
    manifest.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    env = ZoomEnv(str(manifest), num_overview=4, frame_size=(0, 0), max_pixels=1000)

    def play() -> None:
        env.reset()
        duration_s = env.observation.duration_s
        env.step(json.dumps({"segment": [0, duration_s / 2], "fps": 4 / duration_s}))
        env.step('{"answer": "A"}')

    env.reset(seed=0)
    assert growth_kb(play, NUM_EPISODES) <= MAX_GROWTH_KB
    env.close()
