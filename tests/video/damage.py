"""Damages files as bad disks, broken downloads and attackers do; run as a script, looks at them.

`python damage.py FOLDER` prints a line for every file: its name, what came of it, and the
seconds of processor time.
"""

import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoomgym.errors import VideoError
from zoomgym.video import Limits, VideoFile, forget_frames


def mutated(whole: bytes, rng: np.random.Generator) -> bytes:
    """Returns whole with bits flipped, a part overwritten, blocks swapped, or its end cut off."""
    data = np.frombuffer(whole, np.uint8).copy()
    kind = rng.integers(5)
    if kind == 0:
        at = rng.integers(0, len(data), rng.integers(1, 60))
        data[at] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)
    elif kind == 1:  # headers are short and stand at an end
        at = rng.integers(0, min(2000, len(data)), 8)
        at[4:] = len(data) - 1 - at[4:]
        data[at] ^= (1 << rng.integers(0, 8, len(at))).astype(np.uint8)
    elif kind == 2:
        return whole[: int(rng.integers(1, len(whole)))]
    elif kind == 3:
        _swap_blocks(data, rng)
    else:
        start, num_bytes = rng.integers(0, len(data)), int(rng.integers(1, 3000))
        part = data[start : start + num_bytes]
        part[:] = rng.integers(0, 256, len(part), np.uint8) * rng.integers(0, 2, dtype=np.uint8)
    return data.tobytes()


def _swap_blocks(data: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """Exchanges two blocks of data in place."""
    num_bytes = int(rng.integers(16, min(4096, len(data) // 4)))
    one, two = sorted(rng.integers(0, len(data) // 2 - num_bytes, 2))
    two += len(data) // 2
    held = data[one : one + num_bytes].copy()
    data[one : one + num_bytes] = data[two : two + num_bytes]
    data[two : two + num_bytes] = held


def look_at(path: Path, call_s: float = 5.0) -> str:
    """Asks for an overview and for zooms, and returns what came of it: a count or an error."""
    forget_frames()
    try:
        video = VideoFile(path, limits=Limits(call_s=call_s, pixels=1 << 22))
        end_s = video.last_frame_s
        shown = video.frames_at(np.linspace(0, end_s, 16).tolist(), (24, 40))
        for start_s in (0.0, end_s / 3, end_s):
            clip = video.frames_at([start_s + k / 8 for k in range(8)], (24, 40))
            assert clip.shape == (8, 24, 40, 3)
        assert shown.shape == (16, 24, 40, 3)
    except VideoError:
        return "VideoError"
    return "frames"


if __name__ == "__main__":
    for file in sorted(Path(sys.argv[1]).iterdir()):
        sys.stdout.write(f"{file.name} ")
        sys.stdout.flush()  # before it, as it may be the last
        started_s = time.process_time()
        outcome = look_at(file)
        sys.stdout.write(f"{outcome} {time.process_time() - started_s:.2f}\n")
