"""Scores of temporal grounding: how far answers overlap the true segments."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from zoomgym.grading import Segment, overlap, read_segment, true_segment
from zoomgym.tasks.datasets.scores import Comparison, Graded, GroupScore

LEAST = (0.3, 0.5, 0.7)
RIGHT = 0.5
"""Overlap that parts right from wrong where the two readings are compared."""
Read = Callable[[str], Segment | None]


def score_grounding(
    read: Read, answers: Sequence[Graded], *, tells_failures: bool = False
) -> Comparison:
    """Returns the mean IoU of answers, and R@1: the share whose IoU is at least so much.

    Args:
        read: the benchmark's own reading of an answer.
        answers: to tasks whose true answer is a segment.
        tells_failures: whether the share of answers that no segment is read from is a score, too.
    """
    ours = [_iou(read_segment, graded) for graded in answers]
    theirs = [_iou(read, graded) for graded in answers]
    strict, official = ([0.0 if iou is None else iou for iou in some] for some in (ours, theirs))
    groups = [
        _group(f"IoU {least}", [a >= least for a in strict], [b >= least for b in official])
        for least in LEAST
    ]
    if tells_failures:
        unread = ([iou is None for iou in some] for some in (ours, theirs))
        groups.append(replace(_group("no segment", *unread), kind="unread"))
    parted = tuple(
        replace(graded, is_right=a >= RIGHT)
        for graded, a, b in zip(answers, strict, official, strict=True)
        if (a >= RIGHT) != (b >= RIGHT)
    )
    pooled = _group("", strict, official)
    return Comparison(
        len(answers), pooled.strict, pooled.official, False, tuple(groups), parted, "mean IoU"
    )


def _iou(read: Read, graded: Graded) -> float | None:
    """Returns how far an answer overlaps the true segment; None if none is read from it."""
    segment = None if graded.answer is None else read(graded.answer)
    true = true_segment(graded.task.answer)
    return None if segment is None or true is None else overlap([segment], [true])


def _group(name: str, strict: Sequence[float], official: Sequence[float]) -> GroupScore:
    num = len(strict)
    return GroupScore("R@1", name, num, sum(strict) / num, sum(official) / num)
