"""Headers that claim more than a file can hold: refused before FFmpeg makes lists of it."""

import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.speed.decoding.awkward.clips import play
from tests.video.boxes import TABLES, Box, find, full, make_mp4, parse, put, save, write
from zoomgym.errors import VideoError
from zoomgym.video import Limits, VideoFile
from zoomgym.video.header_claims import check_claims

MANY = 88_000_000
FRAGMENTED = "frag_keyframe+empty_moov+default_base_moof"


def uniform(num_samples: int, size: int = 1) -> list[Box]:
    """Returns a file whose track claims samples of one size, in one chunk."""
    boxes = parse(make_mp4())
    put(boxes, *TABLES, b"stsz", content=full(size, num_samples))
    put(boxes, *TABLES, b"stsc", content=full(1, 1, num_samples, 1))
    put(boxes, *TABLES, b"stco", content=full(1, 48))
    put(boxes, *TABLES, b"stts", content=full(1, num_samples, 512))
    tables = find(boxes, *TABLES)
    tables[:] = [box for box in tables if box[0] in (b"stsd", b"stsz", b"stsc", b"stco", b"stts")]
    return boxes


def track_of_sound(boxes: list[Box]) -> list[Box]:
    return next(
        content
        for kind, content in find(boxes, b"moov")
        if kind == b"trak" and b"soun" in write(content)
    )


def with_fragment(num_samples: int, flags: int = 0, more: bytes = b"", times: int = 1) -> list[Box]:
    boxes = parse(make_mp4(movflags=FRAGMENTED))
    fragment = find(boxes, b"moof", b"traf")
    fragment[:] = [box for box in fragment if box[0] != b"trun"]
    run = struct.pack(">II", flags, num_samples) + more
    fragment.extend([[b"trun", run]] * times)
    return boxes


def nested(kind: bytes, boxes: list[Box]) -> list[Box]:
    """Returns a file whose header is in a box of another kind."""
    header = write(find(boxes, b"moov"))
    return [box if box[0] != b"moov" else [kind, header] for box in boxes]


def compressed(boxes: list[Box], claimed: int | None = None) -> list[Box]:
    """Returns a file whose header is compressed, as QuickTime does."""
    header = write([[b"moov", find(boxes, b"moov")]])
    data = struct.pack(">I", claimed or len(header)) + zlib.compress(header)
    stored = write([[b"cmov", write([[b"dcom", b"zlib"], [b"cmvd", data]])]])
    return [box if box[0] != b"moov" else [b"moov", stored] for box in boxes]


def with_edits(num_samples: int, num_edits: int) -> list[Box]:
    boxes = uniform(num_samples)
    edit = struct.pack(">IiI", 2**31 - 1, 0, 1 << 16)
    put(boxes, b"moov", b"trak", b"edts", content=[[b"elst", full(num_edits) + edit * num_edits]])
    boxes.append([b"free", bytes(num_samples)])  # as many bytes as samples
    return boxes


def with_sound(table: bytes) -> list[Box]:
    boxes = parse(make_mp4("mov", sound="pcm_s16le"))
    tables = find(track_of_sound(boxes), b"mdia", b"minf", b"stbl")
    for kind, content in (
        (b"stsz", full(2, MANY)),
        (b"stsc", full(1, 1, MANY, 1)),
        (b"stco", full(1, 48)),
        (b"stts", table),
    ):
        put(tables, kind, content=content)
    return boxes


def with_keys(num_keys: int) -> list[Box]:
    boxes = parse(make_mp4())
    handler = struct.pack(">II4s", 0, 0, b"mdta") + bytes(13)
    meta = bytes(4) + write([[b"hdlr", handler], [b"keys", full(num_keys) + bytes(16)]])
    find(boxes, b"moov").append([b"meta", meta])
    return boxes


def in_description() -> list[Box]:
    boxes = parse(make_mp4())
    description = find(boxes, *TABLES, b"stsd")
    size, entry = struct.unpack_from(">I", description, 8)[0], description[12:]
    table = write([[b"stsz", full(1, MANY)]])
    put(
        boxes,
        *TABLES,
        b"stsd",
        content=description[:8] + struct.pack(">I", size + len(table)) + entry + table,
    )
    return boxes


def repeated_tracks(times: int) -> list[Box]:
    boxes = uniform(1000)
    header = find(boxes, b"moov")
    header.extend([box for box in header if box[0] == b"trak"] * (times - 1))
    return boxes


AS_MANY = (
    "needed at most as many samples as bytes, {size}, got a header that claims {claimed}: remux"
)
HEADER = "needed a header of at most 67108864 bytes, got a larger one, compressed: remux"
CASES: dict[str, tuple[Callable[[], list[Box]], str, int]] = {
    "one size": (lambda: uniform(MANY), AS_MANY, MANY),
    "no size": (lambda: uniform(MANY, 0), AS_MANY, MANY),
    "one size, more than bytes by far": (lambda: uniform(100_000), AS_MANY, 100_000),
    "many tracks": (lambda: repeated_tracks(30), AS_MANY, 30_000),
    "a fragment": (lambda: with_fragment(MANY), AS_MANY, MANY),
    "a fragment with sizes": (lambda: with_fragment(MANY, 0x200, bytes(64)), AS_MANY, MANY),
    "many runs": (lambda: with_fragment(5_000_000, times=20), AS_MANY, 100_000_000),
    "sound that counts as sound": (lambda: with_sound(full(1, MANY, 1)), AS_MANY, MANY // 1024 + 5),
    "sound with two durations": (lambda: with_sound(full(2, MANY - 1, 1, 1, 2)), AS_MANY, MANY + 5),
    "sound in longer samples": (lambda: with_sound(full(1, MANY, 1024)), AS_MANY, MANY + 5),
    "names of metadata": (lambda: with_keys(200_000_000), AS_MANY, 200_000_005),
    "edits": (lambda: with_edits(2000, 2000), AS_MANY, 4_000_000),
    "in free space": (lambda: nested(b"free", uniform(MANY)), AS_MANY, MANY),
    "in a hoov": (lambda: nested(b"hoov", uniform(MANY)), AS_MANY, MANY),
    "in a meta": (lambda: nested(b"trak", uniform(MANY)), AS_MANY, MANY),
    "compressed": (lambda: compressed(uniform(MANY)), AS_MANY, MANY),
    "a compressed header's size": (lambda: compressed(parse(make_mp4()), 2**31 - 1), HEADER, 0),
    "in a description": (in_description, "needed a description of samples, got other tables", 0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_claim_is_refused_before_anything_is_made_of_it(name: str, tmp_path: Path) -> None:
    make, message, claimed = CASES[name]
    path = save(tmp_path / "a.mp4", write(make()))
    said = message.format(size=path.stat().st_size, claimed=claimed)
    for _ in range(2):  # the second time it is known
        with pytest.raises(VideoError, match=f"a.mp4: {said}"):
            assert VideoFile(path).duration_s


def test_a_header_that_is_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    boxes = parse(make_mp4())
    find(boxes, b"moov").append([b"free", bytes(80_000_000)])
    path = save(tmp_path / "a.mp4", write(compressed(boxes, 1000)))
    assert path.stat().st_size < 100_000
    with pytest.raises(VideoError, match=HEADER):
        assert VideoFile(path).duration_s


def test_more_samples_than_the_limit_need_leave(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mp4", make_mp4())
    with pytest.raises(
        VideoError,
        match=r"a\.mp4: needed at most 4 samples, got 5: cut the file, or allow more in l",
    ):
        assert VideoFile(path, limits=Limits(samples=4)).duration_s
    assert VideoFile(path, limits=Limits(samples=5)).duration_s == 0.2


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_file_that_claims_88_million_samples_takes_no_gigabytes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mp4", write(uniform(MANY)))
    program = f"""
from zoomgym import VideoError
from zoomgym.video import VideoFile

def peak():
    [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1000

before = peak()
try:
    VideoFile({str(path)!r}).duration_s
except VideoError:
    print(peak() - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 30  # megabytes; without the check it takes 3,162


# What is no bomb ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"movflags": "faststart"},
        {"movflags": FRAGMENTED},
        {"movflags": "frag_every_frame+empty_moov"},
        {"container": "mov"},
        {"container": "mov", "sound": "pcm_s16le"},
        {"container": "3gp"},
        {"container": "ismv"},
    ],
)
def test_what_is_written_is_read(options: dict[str, Any], tmp_path: Path) -> None:
    data = make_mp4(seconds=2, **options)
    video = VideoFile(save(tmp_path / "a.mp4", data))
    assert video.duration_s == pytest.approx(2, abs=0.05)  # 3gp and ismv have coarser ticks
    assert video.frames_at([0, 1], (8, 8)).shape == (2, 8, 8, 3)


def test_a_compressed_header_is_read(tmp_path: Path) -> None:
    boxes = parse(make_mp4(seconds=1))
    video = VideoFile(save(tmp_path / "a.mov", write(compressed(boxes))))
    assert video.duration_s == 1


def test_plain_sound_of_a_file_that_is_cut_off_claims_more_samples_than_bytes(
    tmp_path: Path,
) -> None:
    data = make_mp4("mov", movflags="faststart", sound="pcm_s16le", seconds=30)
    path = save(tmp_path / "a.mov", data[: len(data) // 3])
    assert path.stat().st_size < 30 * 8000
    assert VideoFile(path).last_frame_s >= play(path).time_s(-1)  # which the missing sound ends


def test_a_text_that_names_a_table_is_none(tmp_path: Path) -> None:
    boxes = parse(make_mp4())
    find(boxes, b"moov").append([b"udta", [[b"name", b"The keys to stsz and trun"]]])
    assert VideoFile(save(tmp_path / "a.mp4", write(boxes))).duration_s == 0.2


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"\0\0\0\1moov", b"\0\0\0\1moov" + b"\xff" * 8, b"\0\0\0\0moov", b"\0\0\0\7moov"],
)
def test_a_file_that_ends_in_a_box_claims_nothing(data: bytes, tmp_path: Path) -> None:
    check_claims(save(tmp_path / "a.mp4", b"\0\0\0\x08free" + data), Limits())


def test_boxes_without_end_take_bounded_time(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mp4", b"\0\0\0\x08abcd" * 100_000)
    with pytest.raises(VideoError, match=r"within 0\.001 s of processor time"):
        check_claims(path, Limits(call_s=0.001))


def test_a_replaced_file_is_counted_anew(tmp_path: Path) -> None:
    path = save(tmp_path / "a.mp4", make_mp4())
    check_claims(path, Limits())
    save(path, write(uniform(MANY)))
    with pytest.raises(VideoError, match="needed at most as many samples as bytes"):
        check_claims(path, Limits())
