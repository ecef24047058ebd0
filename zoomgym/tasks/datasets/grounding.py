"""Scores of grounding: how far the segments that answers are, or name, overlap the true ones.

Source: for evidence, `eval_ground.py` of NExT-GQA's authors (doc-doc/NExT-GQA), and `cgbench.py` of
CG-Bench's in VLMEvalKit. An answer that names no evidence overlaps by 0; theirs leave it out.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from zoomgym.grading import Segment, overlap, precision, read_segment, true_segment
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


EVIDENCE = "evidence"
CLUE_LEAST = (0.1, 0.2, 0.3, 0.4, 0.5)


def nextgqa_evidence(pairs: Sequence[tuple[Graded, bool]]) -> list[GroupScore]:
    """Returns Acc@GQA and its parts: how far named evidence is true (IoP), and overlaps it (IoU).

    Strictly, all moments in either count. The benchmark's scorer takes one segment, here from the
    first moment that is named to the last one, and the true segment that it meets best. Right
    answers with an IoP of at least 0.5 count for Acc@GQA.
    """
    iops = ([_named_share(precision, graded) for graded, _ in pairs], _best(precision, pairs))
    ious = ([_named_share(overlap, graded) for graded, _ in pairs], _best(overlap, pairs))
    rights = ([graded.is_right for graded, _ in pairs], [is_right for _, is_right in pairs])
    both = (
        [right and iop >= RIGHT for right, iop in zip(*one, strict=True)]
        for one in zip(rights, iops, strict=True)
    )
    groups = [_group("Acc@GQA", *both)]
    for name, some in (("IoP", iops), ("IoU", ious)):
        groups.append(_group(f"mean {name}", *some))
        for least in LEAST[:2]:
            groups.append(_group(f"{name} {least}", *([x >= least for x in one] for one in some)))
    return [replace(group, kind=EVIDENCE) for group in groups]


def cgbench_evidence(pairs: Sequence[tuple[Graded, bool]]) -> list[GroupScore]:
    """Returns mean IoU of named evidence, rec@IoU, and acc@IoU, of which right answers count.

    The latter two are means over thresholds of the IoU, which has to be above them.
    """
    ious = [_named_share(overlap, graded) for graded, _ in pairs]
    num_above = [sum(iou > least for least in CLUE_LEAST) / len(CLUE_LEAST) for iou in ious]
    accs = (
        [above * graded.is_right for above, (graded, _) in zip(num_above, pairs, strict=True)],
        [above * is_right for above, (_, is_right) in zip(num_above, pairs, strict=True)],
    )
    groups = (
        _group("mean IoU", ious, ious),
        _group("rec@IoU", num_above, num_above),
        _group("acc@IoU", *accs),
    )
    return [replace(group, kind=EVIDENCE) for group in groups]


Share = Callable[[Sequence[Segment], Sequence[Segment]], float]


def _named_share(share: Share, graded: Graded) -> float:
    return share(graded.named, graded.task.evidence)


def _best(share: Share, pairs: Sequence[tuple[Graded, bool]]) -> list[float]:
    """Returns how well the whole stretch that each answer names meets one true segment."""
    return [_best_of(share, graded) for graded, _ in pairs]


def _best_of(share: Share, graded: Graded) -> float:
    if not graded.named:
        return 0.0
    start_s = min(segment.start_s for segment in graded.named)
    whole = Segment(start_s, max(segment.end_s for segment in graded.named))
    return max((share([whole], [true]) for true in graded.task.evidence), default=0.0)
