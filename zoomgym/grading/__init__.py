"""Is an answer right? Strictly read choices, formulas, segments, or a model as judge."""

from zoomgym.grading.registry import make_grader
from zoomgym.grading.segment import (
    Segment,
    answer_iou,
    overlap,
    precision,
    read_segment,
    true_segment,
    write_segment,
)
from zoomgym.grading.strict import (
    CHOICE,
    MAX_ANSWER_CHARS,
    STRICT,
    UNGRADED,
    Given,
    Grader,
    Strict,
    is_correct,
    letter,
    read_choice,
    verdict,
)

__all__ = [
    "CHOICE",
    "MAX_ANSWER_CHARS",
    "STRICT",
    "UNGRADED",
    "Given",
    "Grader",
    "Segment",
    "Strict",
    "answer_iou",
    "is_correct",
    "letter",
    "make_grader",
    "overlap",
    "precision",
    "read_choice",
    "read_segment",
    "true_segment",
    "verdict",
    "write_segment",
]
