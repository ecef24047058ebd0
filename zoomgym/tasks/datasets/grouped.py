"""Scores of Video-MME-v2: by groups of four questions about a video, and not linear.

Source: `test_video_mme_v2.py` of its authors (MME-Benchmarks/Video-MME-v2), on a scale to 1. A
question of a group that was not played counts as wrong; theirs needs all four.
"""

from collections.abc import Sequence

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.scores import Comparison, Graded, GroupScore

TYPE, STRUCTURE = "group_type", "group_structure"
"""Kinds of labels."""
TYPES = ("relevance", "logic")
NUM_QUESTIONS = 4
SQUARES = (0.0, 1 / 16, 4 / 16, 9 / 16, 1.0)
STRUCTURES = {
    "[1, 2, 3, 4]": SQUARES,
    "[1, [2, 3], 4]": (0.0, 1 / 12, 4 / 12, 7 / 12, 1.0),
    "[[1, 2], 3, 4]": (0.0, 1 / 10, 2 / 10, 5 / 10, 1.0),
}
"""Points for the number of links of a chain that are right from its start on."""
KINDS = (TYPE, "level", "second_head", "third_head")
"""Kinds of groups that are reported."""

Pairs = Sequence[tuple[Graded, bool]]
"""Answers, and whether the benchmark's scorer takes each for right."""


def score_groups(pairs: Pairs) -> Comparison:
    """Returns the mean score of groups of questions, and the accuracy of single ones beside it."""
    by_group: dict[str, list[tuple[Graded, bool]]] = {}
    for pair in pairs:
        by_group.setdefault(pair[0].task.video, []).append(pair)
    groups = list(by_group.values())
    reported = [_mean("questions", "all", pairs, *_rights(pairs))]
    for kind in KINDS:
        members: dict[str, list[Pairs]] = {}
        for group in groups:
            if name := _told(group, kind):
                members.setdefault(name, []).append(group)
        reported += [_of_groups(kind, name, members[name]) for name in sorted(members)]
    pooled = _of_groups("", "", groups)
    parted = tuple(graded for graded, is_right in pairs if graded.is_right != is_right)
    return Comparison(
        len(pairs), pooled.strict, pooled.official, False, tuple(reported), parted, "mean of groups"
    )


def _of_groups(kind: str, name: str, groups: Sequence[Pairs]) -> GroupScore:
    """Returns the mean score of some groups."""
    scores = [[_score(group, rights) for rights in _rights(group)] for group in groups]
    pairs = [pair for group in groups for pair in group]
    return _mean(kind, name, pairs, [ours for ours, _ in scores], [its for _, its in scores])


def _mean(
    kind: str, name: str, pairs: Pairs, strict: Sequence[float], official: Sequence[float]
) -> GroupScore:
    num = len(strict)
    return GroupScore(kind, name, len(pairs), sum(strict) / num, sum(official) / num)


def _rights(pairs: Pairs) -> tuple[list[bool], list[bool]]:
    """Returns which answers are right, read strictly and officially."""
    return [graded.is_right for graded, _ in pairs], [is_right for _, is_right in pairs]


def _score(group: Pairs, rights: Sequence[bool]) -> float:
    """Returns the points of a group, from 0 to 1."""
    placed = [False] * NUM_QUESTIONS
    for place, is_right in zip(_places(group), rights, strict=True):
        if place < NUM_QUESTIONS:
            placed[place] = is_right
    kind, structure = _told(group, TYPE), _told(group, STRUCTURE)
    if kind == "relevance":
        return SQUARES[sum(placed)]
    if kind != "logic" or structure not in STRUCTURES:
        return sum(placed) / NUM_QUESTIONS
    return STRUCTURES[structure][_num_links(placed, structure)]


def _num_links(placed: Sequence[bool], structure: str) -> int:
    """Returns how many questions from the first on are right; of two in brackets, one will do."""
    num = placed.index(False) if False in placed else len(placed)
    spared = {"[1, [2, 3], 4]": 1, "[[1, 2], 3, 4]": 0}.get(structure)
    return num + (num == spared and placed[num + 1])


def _places(group: Pairs) -> list[int]:
    """Returns the places of questions in their group, from 0: ids end in `-1` to `-4`."""
    ends = [graded.task.id.rpartition("-")[2] for graded, _ in group]
    if len({*ends}) == len(ends) and all(end in ("1", "2", "3", "4") for end in ends):
        return [int(end) - 1 for end in ends]
    return list(range(len(group)))


def _told(group: Pairs, kind: str) -> str:
    """Returns what the last question that says anything of a kind says of it."""
    told = [text for graded, _ in group if (text := _label(graded.task, kind))]
    return told[-1] if told else ""


def _label(task: VideoQuestion, kind: str) -> str:
    return next((text for own, text in task.labels if own == kind), "")
