"""Segments in rows: as the true answer of a task, or as its evidence."""

from typing import Any

from zoomgym.errors import TaskError
from zoomgym.grading import Segment, write_segment
from zoomgym.io import brief, is_finite_number
from zoomgym.tasks.datasets.rows import Row

FORM = "Answer with its start and end in seconds from the beginning of the video, like 12.5 - 15.0"
"""What an answer looks like: our strict reading and the benchmarks' own both read it."""


def when_question(text: str) -> str:
    """Returns a question for a segment, with the form of its answer."""
    return f"{text}\n{FORM}"


def segment_answer(row: Row, key: str) -> str:
    """Returns the true answer in the segment under key. Raises TaskError unless it is one."""
    segment = _read(key, row.value(key))
    if segment is None:
        raise TaskError(f"{key} needs an end after its start, got {brief(row.value(key))}")
    return write_segment(segment)


def segments(key: str, value: Any) -> tuple[Segment, ...]:
    """Returns the evidence in a list of [start, end], without empty ones. Raises TaskError.

    A start just before the video is its beginning: NExT-GQA has some.
    """
    if not isinstance(value, list):
        raise TaskError(f"{key} needs a list of [start, end] in seconds, got {brief(value)}")
    read = [_read(key, pair) for pair in value]
    return tuple(segment for segment in read if segment is not None)


MOST_BEFORE_S = 1.0


def _read(key: str, pair: Any) -> Segment | None:
    """Returns the segment of a pair of times; None if it is empty. Raises TaskError."""
    if not isinstance(pair, list) or len(pair) != 2 or not all(map(is_finite_number, pair)):
        raise TaskError(f"{key} needs [start, end] in seconds, got {brief(pair)}")
    start_s, end_s = map(float, pair)
    if not -MOST_BEFORE_S <= start_s <= end_s:
        raise TaskError(f"{key} needs 0 <= start <= end in seconds, got {brief(pair)}")
    start_s = max(start_s, 0.0)
    return Segment(start_s, end_s) if start_s < end_s else None
