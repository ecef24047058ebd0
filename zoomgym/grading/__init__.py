"""Is an answer right? Strictly read choices, formulas, or a model as judge."""

from zoomgym.grading.registry import make_grader
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
    "Strict",
    "is_correct",
    "letter",
    "make_grader",
    "read_choice",
    "verdict",
]
