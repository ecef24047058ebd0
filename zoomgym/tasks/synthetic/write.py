"""Encodes a scene to a real H.264 file."""

import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.stream import VideoStream
from tqdm import tqdm

from zoomgym.tasks.synthetic.layout import FPS, SCENE_SIZE
from zoomgym.tasks.synthetic.scene import Scene

ENCODER = "libx264"
ENCODING = {"preset": "superfast", "crf": "26", "g": "96", "threads": "1"}
"""One thread: with more, the bits depend on how many there are."""
TICKS_PER_FRAME = 1024
TICK_S = Fraction(1, FPS * TICKS_PER_FRAME)
"""Unit of the file's time stamps, as mp4 derives it from FPS."""
BATCH = 48
PROGRESS_AFTER_S = 3.0
"""Writing that takes longer is shown."""
SILENCE = "TQDM_DISABLE"
"""The environment variable that silences every bar of tqdm's, those of new processes too."""


def write_video(scene: Scene, path: Path) -> None:
    """Writes scene to path as an mp4 file of SCENE_SIZE at FPS, in constant memory.

    Shows how far it is if that takes long and somebody watches: on stderr, if it is a terminal and
    SILENCE is not set. The line goes when it is done.
    """
    disable = True if os.environ.get(SILENCE) else None  # None: unless it is a terminal
    height, width = SCENE_SIZE
    frames = range(0, scene.num_frames, BATCH)
    options = {"movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", container_options=options) as container:
        stream = container.add_stream(ENCODER, rate=FPS, options=ENCODING)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, FPS)
        for first in tqdm(
            frames, "writing video", leave=False, disable=disable, delay=PROGRESS_AFTER_S
        ):
            indexes = np.arange(first, min(first + BATCH, scene.num_frames))
            for index, image in zip(indexes, scene.draw(indexes, SCENE_SIZE), strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = int(index)
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
