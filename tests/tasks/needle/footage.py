"""Videos for needles to be hidden in, made with PyAV: noise that moves."""

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

SIZE = (72, 128)
"""(H, W): a wide picture, whose marks are wide, too."""


def write_footage(
    path: Path,
    times_s: Iterable[float],
    *,
    color: tuple[int, int, int] = (90, 90, 90),
    seed: int = 0,
) -> None:
    """Writes a video with a frame at each of these times, to the millisecond."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=10, options={"preset": "ultrafast"})
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for time_s in times_s:
            level = np.clip(color + rng.integers(-60, 61, (9, 16, 3)), 0, 255)
            image = level.repeat(8, axis=0).repeat(8, axis=1).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def even(seconds: float, fps: float) -> list[float]:
    """Returns the times of a video of constant frame rate."""
    return [index / fps for index in range(round(seconds * fps))]
