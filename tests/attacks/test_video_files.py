"""Damaged and forged video files of every format: frames or a VideoError, in bounded time."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed.decoding.awkward.kinds import KINDS
from tests.video import damage

NUM_DAMAGED, NUM_FORGED = 150, 150
"""Files of each format: damaged anywhere, and with other numbers in the header."""
NUM_HEADER_BYTES = 250
NUMBERS = (b"\0", b"\x7f", b"\xff", b"\0\0\0\0", b"\x80\0\0\0", b"\xff\xff\xff\xff")
MAX_S = 30
"""Processor time of opening a file and four looks at it, each of which is given up after 5 s."""
NAMES = [
    *("base.mp4", "faststart.mp4", "fragments.mp4", "one_gop.mp4", "hevc.mp4", "av1.mp4"),
    *("base.mkv", "vp9.webm", "base.ts", "mpeg2.mpg", "mpeg4.avi", "mjpeg.avi", "base.flv"),
    *("wmv2.asf", "vp8.ogg", "vp8.ivf", "base.gif", "base.apng", "mpeg2.mxf", "base.nut"),
    *("rv20.rm", "mpeg2.wtv", "raw.y4m", "pal.dv"),
]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=NAMES)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole file of one format."""
    folder = tmp_path_factory.mktemp("whole")

    def get(name: str) -> Path:
        if not (folder / name).exists():
            KINDS[name](folder / name, get)
        return folder / name

    return get(request.param).read_bytes()


def changed(whole: bytes, rng: np.random.Generator) -> Iterator[bytes]:
    """Yields damaged and forged files."""
    for _ in range(NUM_DAMAGED):
        yield damage.mutated(whole, rng)
    for _ in range(NUM_FORGED):
        at, number = int(rng.integers(NUM_HEADER_BYTES)), NUMBERS[rng.integers(len(NUMBERS))]
        yield whole[:at] + number + whole[at + len(number) :]


def test_changed_files_neither_hang_nor_crash(whole: bytes, tmp_path: Path) -> None:
    num_files = NUM_DAMAGED + NUM_FORGED
    for index, data in enumerate(changed(whole, np.random.default_rng(0))):
        (tmp_path / f"{index:03d}.video").write_bytes(data)
    ran = subprocess.run(
        [sys.executable, damage.__file__, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=MAX_S * num_files,  # a hang: the last line that was printed names the file
    )
    assert ran.returncode == 0, ran.stdout[-200:] + ran.stderr[-2000:]
    rows = [line.split() for line in ran.stdout.splitlines()]
    assert len(rows) == num_files
    assert {row[1] for row in rows} <= {"frames", "VideoError"}
    assert [row for row in rows if float(row[2]) > MAX_S] == []
