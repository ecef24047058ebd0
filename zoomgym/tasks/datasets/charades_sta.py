"""Charades-STA: sentences about videos of half a minute; when does it happen?

Source: the authors' files (github.com/jiyanggao/TALL), `charades_sta_test.txt` and `_train.txt`:
lines `VIDEO START END##SENTENCE`, in seconds, and videos of Charades as `{VIDEO}.mp4`; and
lmms-lab/charades_sta on the hub: `data/test-*.parquet` (video, caption, timestamp), videos in
`Charades_v1_480/`. Four lines of `train` end before they start, and are skipped.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoomgym.errors import TaskError
from zoomgym.io import brief
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.rows import Row, find_files, read_file, read_lines
from zoomgym.tasks.datasets.segments import segment_answer, when_question

LINE = re.compile(r"(\S+) +(\d{1,9}(?:\.\d{1,9})?) +(\d{1,9}(?:\.\d{1,9})?) *##(.*)", re.ASCII)
LINE_EXAMPLE = "3MSZA 24.3 30.4##person turn a light on."


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of the files that the first pattern with any matches. Raises TaskError."""
    for path in find_files(folder, patterns):
        if path.suffix != ".txt":
            yield from read_file(path, columns)
            continue
        for where, line in read_lines(path):
            row = _row(where, line)
            start_s, end_s = row.fields.get("timestamp", (0, 1))
            if start_s <= end_s:
                yield row


def _row(where: str, line: str) -> Row:
    """Returns the row of a line of the authors' files, as it is on the hub."""
    match = LINE.fullmatch(line)
    if match is None:
        return Row(where, problem=f"needed a line like {LINE_EXAMPLE!r}, got {brief(line)}")
    timestamp = [float(match[2]), float(match[3])]
    return Row(where, {"video": match[1], "caption": match[4], "timestamp": timestamp})


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    video = row.text("video").removesuffix(".mp4")
    caption = row.text("caption").strip()
    if not caption:
        raise TaskError("caption needs a text, got none")
    number = re.split(r"[ :]", row.where)[-1]
    return VideoQuestion(
        id=f"{video}-{number}",
        video=f"{video}.mp4",
        question=when_question(f"When does this happen: {caption}"),
        answer=segment_answer(row, "timestamp"),
    )


CHARADES_STA = Layout(
    name="charades_sta",
    files={
        split: (
            *(f"{folder}charades_sta_{split}.txt" for folder in ("", "annotations/", "Charades/")),
            *(("data/test-*.parquet", "test-*.parquet") if split == "test" else ()),
        )
        for split in ("test", "train")
    },
    to_task=to_task,
    columns="video, caption, timestamp",
    video_folders=("Charades_v1_480", "Charades_v1", "videos", "video", "."),
    read=read,
)
