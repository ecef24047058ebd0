"""MP4 files in parts, to be changed: what `tests` of strangers' claims are made from."""

import struct
import tempfile
from pathlib import Path
from typing import Any

import av
import numpy as np

__all__ = ["TABLES", "Box", "find", "full", "make_mp4", "parse", "put", "write"]

Box = list[Any]
"""[kind, content]: bytes, or boxes."""
CONTAINERS = {
    *(b"moov", b"trak", b"mdia", b"minf", b"stbl", b"moof", b"traf", b"mvex", b"edts", b"udta"),
}
TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
"""Where the tables of samples of the first track are."""


def make_mp4(
    container: str = "mp4", *, movflags: str = "", sound: str = "", seconds: float = 0.2
) -> bytes:
    """Returns a small file of 25 frames a second, and sound of 8000 samples a second if asked."""
    options = {"movflags": movflags} if movflags else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made")
        with av.open(str(path), "w", format=container, container_options=options) as output:
            video: Any = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
            video.width = video.height = 16
            video.pix_fmt = "yuv420p"
            audio: Any = output.add_stream(sound, rate=8000, layout="mono") if sound else None
            for index in range(round(25 * seconds)):
                image = np.full((16, 16, 3), 10 * (index % 20), np.uint8)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                frame.pts = index
                output.mux(video.encode(frame))
            if audio is not None:
                silence = av.AudioFrame.from_ndarray(
                    np.zeros((1, round(8000 * seconds)), np.int16), format="s16", layout="mono"
                )
                silence.rate = 8000
                output.mux(audio.encode(silence))
                output.mux(audio.encode(None))
            output.mux(video.encode(None))
        return path.read_bytes()  # fast start opens the file again, so it needs a name


def parse(data: bytes) -> list[Box]:
    """Returns the boxes of a file."""
    boxes, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + size]
        boxes.append([kind, parse(content) if kind in CONTAINERS else content])
        at += size
    return boxes


def write(boxes: list[Box], claimed: dict[bytes, int] | None = None) -> bytes:
    """Returns boxes as a file; some kinds may claim to be larger than they are."""
    parts = []
    for kind, content in boxes:
        data = write(content, claimed) if isinstance(content, list) else content
        size = (claimed or {}).get(kind, len(data) + 8)
        parts.append(struct.pack(">I4s", size, kind) + data)
    return b"".join(parts)


def find(boxes: list[Box], *kinds: bytes) -> Any:
    """Returns the content of the first box at a path of kinds."""
    content: Any = boxes
    for kind in kinds:
        content = next(inside for name, inside in content if name == kind)
    return content


def put(boxes: list[Box], *kinds: bytes, content: Any) -> None:
    """Sets the content of the box at a path of kinds, or adds it at the end of its parent."""
    parent = find(boxes, *kinds[:-1])
    for box in parent:
        if box[0] == kinds[-1]:
            box[1] = content
            return
    parent.append([kinds[-1], content])


def full(*numbers: int) -> bytes:
    """Returns the content of a box with a version of 0 and whole numbers of 4 bytes."""
    return struct.pack(f">{len(numbers) + 1}I", 0, *numbers)


def save(path: Path, data: bytes) -> Path:
    """Writes data to path, and returns path."""
    path.write_bytes(data)
    return path
