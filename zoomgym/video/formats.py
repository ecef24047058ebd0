"""Which container formats are opened, and why others are not."""

import re
from pathlib import Path

from zoomgym.io import open_named

# FFmpeg's names of the formats that hold video, their own timestamps and nothing outside the file.
# Left out on purpose: what opens other files (hls, dash, concat, imf, image patterns, vobsub, mlv),
# devices, and raw streams.
CONTAINERS = (
    *("mov", "matroska", "avi", "mpegts", "mpeg", "flv", "asf", "ogg", "gif", "apng", "ivf", "mxf"),
    *("nut", "rm", "dv", "wtv", "yuv4mpegpipe"),
)

NUM_HEAD_BYTES = 64
RAW = "it is a raw stream, which holds no times"
PICTURE = "it is a still picture, or a raw stream of pictures, which holds no times"
PLAYLIST = "it is a text: files that a playlist names are not opened"
WEBP = "it is WebP, whose animations FFmpeg does not decode"
OTHER = "it is of another format, or damaged"
REASONS = (
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WEBP),
    (re.compile(rb"\x00?\x00\x00\x01[^\xba]|\x12\x00\x0a"), RAW),
    (re.compile(rb"\xff\xd8\xff|\x89PNG|BM|II\*\x00|MM\x00\*"), PICTURE),
    (re.compile(rb"(\xef\xbb\xbf)?(?!YUV4MPEG2)[\t\n\r -~]+$"), PLAYLIST),
)
"""Starts of files that are not opened, and the reasons."""


def why_not(path: Path) -> str:
    """Returns the reason why a file is not opened, judged by its first bytes."""
    try:
        with open_named(path) as file:
            head = file.read(NUM_HEAD_BYTES)
    except OSError:
        return OTHER
    return next((reason for pattern, reason in REASONS if pattern.match(head)), OTHER)
