r"""Grades answers that are a segment of a video, as in temporal grounding.

A task asks for a segment if its true answer is one as JSON writes it, in seconds: `[12.5, 15.0]`.
One regular expression, `SEGMENT`, reads an answer, as a whole: `[12.5, 15.0]`, `(12.5, 15)`,
`12.5 - 15.0`, `12.5 to 15 seconds`, `from 12.5s to 15s`, `0:12.5 - 0:15`, `\boxed{[12.5, 15.0]}`.
Times are seconds, or `mm:ss` and `h:mm:ss`. Everything else is wrong and not guessed: prose around
a segment, two segments, an end that is not after its start.
"""

import json
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

from zoomgym.grading.strict import MAX_ANSWER_CHARS, is_correct
from zoomgym.io import brief, is_finite_number, is_number_within

DEFAULT_IOU = 0.5
"""Least overlap of a right answer."""
MAX_TRUTH_CHARS = 100
TIME = r"(?:(?:\d{1,4}:)?\d{1,4}:)?(?:\d{1,9}(?:\.\d+)?|\.\d+)"
UNIT = r"(?:\s*s(?:ec(?:ond)?s?)?\b)?"
SEGMENT = re.compile(
    rf"(?P<boxed>\\boxed\{{\s*)?(?:(?P<open>[\[(])\s*|from\s+)?"
    rf"(?P<start>{TIME}){UNIT}\s*(?:(?P<comma>,)|[-~\u2013\u2014\u2212]|to\b)\s*"
    rf"(?P<end>{TIME}){UNIT}(?(open)\s*[\])]{UNIT})(?(boxed)\s*\}})\.?",
    re.ASCII | re.IGNORECASE,
)
"""Signs between times are a comma, in brackets only, `to`, and the dashes that people type."""


class Segment(NamedTuple):
    """A half-open stretch [start_s, end_s) of a video, in seconds."""

    start_s: float
    end_s: float

    def holds(self, time_s: float) -> bool:
        """Returns whether time_s lies in the stretch."""
        return self.start_s <= time_s < self.end_s


def overlap(ours: Iterable[Segment], theirs: Iterable[Segment]) -> float:
    """Returns intersection over union of two sets of stretches; 0.0 if both are empty.

    Stretches of one set that overlap count once.
    """
    ours, theirs = _united(ours), _united(theirs)
    shared_s = _shared_s(ours, theirs)
    union_s = _length_s((*ours, *theirs)) - shared_s
    return shared_s / union_s if union_s > 0 else 0.0


def precision(ours: Iterable[Segment], theirs: Iterable[Segment]) -> float:
    """Returns the share of one set of stretches that another covers; 0.0 if the one is empty."""
    ours, theirs = _united(ours), _united(theirs)
    length_s = _length_s(ours)
    return _shared_s(ours, theirs) / length_s if length_s > 0 else 0.0


def _shared_s(ours: Iterable[Segment], theirs: Collection[Segment]) -> float:
    """Returns the seconds that two sets share; stretches of one do not overlap."""
    return math.fsum(
        max(0.0, min(a.end_s, b.end_s) - max(a.start_s, b.start_s)) for a in ours for b in theirs
    )


def _length_s(segments: Iterable[Segment]) -> float:
    return math.fsum(one.end_s - one.start_s for one in segments)


def _united(segments: Iterable[Segment]) -> list[Segment]:
    """Returns stretches in order, those that touch or overlap as one."""
    united: list[Segment] = []
    for start_s, end_s in sorted(segments):
        if united and start_s <= united[-1].end_s:
            united[-1] = Segment(united[-1].start_s, max(united[-1].end_s, end_s))
        else:
            united.append(Segment(start_s, end_s))
    return united


def write_segment(segment: Segment) -> str:
    """Returns a segment as the true answer of a task: `[12.5, 15.0]`."""
    return json.dumps(list(segment))


def true_segment(truth: str) -> Segment | None:
    """Returns the segment that a true answer is, or None if it is something else."""
    if len(truth) > MAX_TRUTH_CHARS:
        return None
    try:
        value = json.loads(truth)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_finite_number, value)):
        return None
    return _segment(float(value[0]), float(value[1]))


def read_segment(text: str) -> Segment | None:
    """Returns the segment that an answer, which is untrusted, names as a whole, or None."""
    text = text.strip()
    if len(text) > MAX_ANSWER_CHARS or not (match := SEGMENT.fullmatch(text)):
        return None
    if match["comma"] and not match["open"]:  # `1,500` is a number
        return None
    start_s, end_s = _seconds(match["start"]), _seconds(match["end"])
    return None if start_s is None or end_s is None else _segment(start_s, end_s)


def _segment(start_s: float, end_s: float) -> Segment | None:
    return Segment(start_s, end_s) if 0 <= start_s < end_s else None


def _seconds(time: str) -> float | None:
    """Returns the seconds of `75.5`, `1:15.5` or `0:01:15.5`; None past 59 after a colon."""
    first, *rest = time.split(":")
    total_s = float(first)
    for part in map(float, rest):
        if part >= 60:
            return None
        total_s = total_s * 60 + part
    return total_s


def answer_iou(answer: str | None, truth: str) -> float | None:
    """Returns how far an answer overlaps the true segment: intersection over union.

    That is 0.0 for no answer, and one that is no segment; None if the truth is no segment.
    """
    if (true := true_segment(truth)) is None:
        return None
    given = None if answer is None else read_segment(answer)
    return 0.0 if given is None else overlap([given], [true])


@dataclass(frozen=True, slots=True)
class SegmentGrader:
    """Grades segments by their overlap with the true one, and other answers strictly.

    Raises ValueError if a setting is invalid.
    """

    iou: float = DEFAULT_IOU
    """Least intersection over union of a right answer."""

    def __post_init__(self) -> None:
        """Refuses what is no overlap."""
        if not is_number_within(self.iou, math.ulp(0), 1):
            raise ValueError(f"segment iou needs a number above 0 up to 1, got {brief(self.iou)}")

    @property
    def name(self) -> str:
        """Name in records."""
        return f"segment:{float(self.iou)}"

    def is_right(self, question: str, truth: str, text: str) -> bool:
        """Returns whether text is a segment that overlaps the true one enough.

        If the truth is no segment, text is graded strictly.
        """
        overlapped = answer_iou(text, truth)
        return is_correct(text, truth) if overlapped is None else overlapped >= self.iou
