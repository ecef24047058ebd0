"""Counts the samples that an MP4 or QuickTime file claims, before FFmpeg makes lists of them.

A few bytes can claim any number of samples, and FFmpeg believes them: 88 million, about 36 bytes
each, take 3.2 GB. But no file holds more samples than bytes. Lists of other formats are in the
file, entry by entry.

Source: libavformat/mov.c of FFmpeg 8: how boxes are found, `mov_build_index`, `mov_fix_index`,
`mov_read_trun`, `mov_read_keys` and `mov_read_cmov`.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from zoomgym.errors import VideoError
from zoomgym.io import open_named, reason
from zoomgym.video.identity import FileKey, identify
from zoomgym.video.limits import Deadline, Limits
from zoomgym.video.memo import Memo, after_fork

CONTAINERS = frozenset(
    b"dinf edts hoov ilst ipco iprp mdia meta minf moof moov mvex schi sinf stbl traf trak tref "
    b"udta wave".split()
)
FREE = (b"free", b"skip")
HIDDEN = (b"mvhd", b"cmov")
"""Starts of free space that FFmpeg takes for a header."""
MAX_DEPTH = 12
"""Deepest nesting of boxes; FFmpeg's is 11."""
MAX_HEADER_BYTES = 64 * 1024**2
"""Most bytes of a compressed header."""
MAX_DESCRIPTION_BYTES = 1024**2
PCM_PER_ENTRY = 1024
"""Samples of plain sound that FFmpeg lists as one."""


@dataclass(slots=True)
class Track:
    """The samples that a track claims."""

    num_samples: int = 0
    num_edits: int = 0
    is_sound: bool = False
    steps: list[tuple[int, int]] = field(default_factory=list)
    """Tables of durations: number of entries and first duration of each."""

    @property
    def num_entries(self) -> int:
        """Entries in FFmpeg's list before edits."""
        is_pcm = self.is_sound and self.steps == [(1, 1)]
        return self.num_samples // PCM_PER_ENTRY if is_pcm else self.num_samples


@dataclass(slots=True)
class Claims:
    """The samples that a file claims, counted until a deadline."""

    deadline: Deadline
    tracks: list[Track] = field(default_factory=lambda: [Track()])
    """Tracks, after one for boxes outside any."""
    num_others: int = 0
    """Samples of fragments, and names of metadata."""

    @property
    def num_listed(self) -> int:
        """Most entries in the lists: each edit may list all samples of its track again."""
        listed = (track.num_entries * max(1, track.num_edits) for track in self.tracks)
        return sum(listed) + self.num_others


KNOWN: Memo[FileKey, int] = Memo(10_000, lambda number: 1)
"""Counted entries by file."""
after_fork(KNOWN.reset_in_child)


def check_claims(path: Path, limits: Limits) -> None:
    """Raises VideoError if a file claims more samples than it has bytes, or the limits allow."""
    key = identify(path)
    num_listed = KNOWN.get(key, lambda: _count(path, Deadline(path, limits.call_s)))
    if num_listed > key.num_bytes:
        raise VideoError(
            f"{path}: needed at most as many samples as bytes, {key.num_bytes}, got a header that "
            f"claims {num_listed}: remux the file with ffmpeg"
        )
    if num_listed > limits.samples:
        raise VideoError(
            f"{path}: needed at most {limits.samples:g} samples, got {num_listed}: cut the file, "
            "or allow more in limits (samples)"
        )


def _count(path: Path, deadline: Deadline) -> int:
    """Returns how many entries the lists may have that FFmpeg makes of a file."""
    claims = Claims(deadline)
    try:
        with open_named(path) as file:
            end = file.seek(0, 2)
            _read_boxes(file, b"root", 0, end, claims, 0)
    except OSError as error:
        raise VideoError(f"{path}: cannot open it: {reason(error)}") from error
    except ValueError as error:
        raise VideoError(f"{path}: {error}") from error
    return claims.num_listed


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yields (kind, start, end) of what the boxes between two places of a file hold."""
    while start <= end - 8:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = int.from_bytes(head[:4]), head[4:8]
        body = start + 8
        if size == 1 and len(head) == 16 and body + 8 <= end:
            size, body = int.from_bytes(head[8:]), start + 16
        elif size == 0:
            size = end - start
        if start + size < body:
            return
        start = min(start + size, end)
        yield kind, body, start


def _read_boxes(
    file: BinaryIO, parent: bytes, start: int, end: int, claims: Claims, depth: int
) -> None:
    """Adds what boxes claim. Raises ValueError if a header should not be opened."""
    if depth > MAX_DEPTH:
        return
    for kind, body, stop in _boxes(file, start, end):
        claims.deadline.check()
        if kind in FREE:
            file.seek(body + 4)
            if file.read(4) not in HIDDEN:
                continue
            kind = b"moov"
        if kind == b"trak":
            claims.tracks.append(Track())
        if kind == b"meta":
            body = _after_version(file, body, stop)
        if kind in CONTAINERS:
            _read_boxes(file, kind, body, stop, claims, depth + 1)
        elif kind == b"cmov":
            _read_compressed(file, body, stop, claims, depth)
        else:
            _read_leaf(file, kind, parent, body, stop, claims)


def _after_version(file: BinaryIO, body: int, stop: int) -> int:
    """Returns where the boxes in a `meta` box begin: MP4 puts a version before, QuickTime none."""
    file.seek(body)
    place = file.read(min(64, stop - body)).find(b"hdlr")
    return body + max(0, place - 4)


def _read_leaf(
    file: BinaryIO, kind: bytes, parent: bytes, body: int, stop: int, claims: Claims
) -> None:
    """Adds what a box without boxes claims."""
    track = claims.tracks[-1]
    file.seek(body)
    if kind == b"stsd":
        description = file.read(min(MAX_DESCRIPTION_BYTES, stop - body))
        if any(name in description for name in (b"stsz", b"stz2", b"trun", b"cmov")):
            raise ValueError("needed a description of samples, got other tables within it")
        return
    head = file.read(min(20, stop - body)).ljust(20, b"\0")
    first, second, third = struct.unpack(">4xIII4x", head)
    if kind in (b"stsz", b"stz2"):
        track.num_samples += second
    elif kind == b"trun" or (kind == b"keys" and parent == b"meta"):
        claims.num_others += first
    elif kind == b"elst":
        track.num_edits += min(first, (stop - body) // 12)
    elif kind == b"stts":
        track.steps.append((first, third))
    elif kind == b"hdlr" and parent == b"mdia":
        track.is_sound = head[8:12] == b"soun"


def _read_compressed(file: BinaryIO, body: int, stop: int, claims: Claims, depth: int) -> None:
    """Adds what a compressed header claims. Raises ValueError if it would be too large."""
    too_large = ValueError(
        f"needed a header of at most {MAX_HEADER_BYTES} bytes, got a larger one, compressed: "
        "remux the file with ffmpeg"
    )
    for kind, start, end in _boxes(file, body, stop):
        if kind != b"cmvd":
            continue
        file.seek(start)
        claimed = int.from_bytes(file.read(4))
        if max(claimed, end - start) > MAX_HEADER_BYTES:
            raise too_large
        try:
            inflater = zlib.decompressobj()
            header = inflater.decompress(file.read(end - start - 4), MAX_HEADER_BYTES + 1)
        except zlib.error:  # FFmpeg does not read it, either
            continue
        if len(header) > MAX_HEADER_BYTES or b"cmvd" in header:
            raise too_large
        _read_boxes(BytesIO(header), b"moov", 0, len(header), claims, depth + 1)
