"""Scores answers as a benchmark's own scorer would, beside the strict reading.

The readers behave like the public ones, faults and all, so that numbers compare with published
ones. Source: lmms-eval 0.7.3 (`_task_utils/mcq_extract.py` and the `utils.py` of each task); for
LongVideo-Reason, CG-Bench and Video-MMLU what their authors' code does. Where a public scorer draws
a random letter, ours draws one by the task's id, so that scores repeat.

Departures: an episode without an answer is wrong; an open-ended answer is as right as its grader
said; and a mean is over the groups that were played, where lmms-eval counts a missing one as 0.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from zoomgym.grading import letter, verdict
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.grounding import (
    cgbench_evidence,
    nextgqa_evidence,
    score_grounding,
)
from zoomgym.tasks.datasets.grouped import score_groups
from zoomgym.tasks.datasets.moments import read_charades, read_extremewhen
from zoomgym.tasks.datasets.scores import Comparison, Graded, GroupScore

CATEGORY = "category"
"""Groups by the task's category; other kinds of groups are those of its labels."""

MARKS = ",.!?;:'\""
NOUNS = (
    "answer", "correct answer", "best answer", "correct option", "best option", "choice",
    "correct choice",
)  # fmt: skip
PHRASES = (
    *(f"{article}{noun} is" for noun in NOUNS for article in ("", "the ")),
    "my answer is", "my choice is", "i choose", "i select", "i pick",
    "옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは",
)  # fmt: skip
PREFIXES = (
    "The best answer is", "The correct answer is", "The answer is", "The answer",
    "The best option is", "The correct option is", "Best answer:", "Best option:",
)  # fmt: skip
BLANKS = re.compile(r"[ \t]+")
LONE_LETTER = re.compile(r"(?:\*\* ?)?([A-H])(?: ?\*\*)? ?[.)]?", re.IGNORECASE)
FIRST_LETTER = re.compile(r"(?:\*\* ?)?([A-H])(?: ?\*\*)?(?: ?[.)].*)?", re.IGNORECASE)
BOLD_LETTER = re.compile(r"\*\*\s*([A-H])(?=\s*\*\*|[.)])", re.IGNORECASE)
TOLD_LETTER = re.compile(
    rf"(?:{'|'.join((*PREFIXES, 'Answer:', 'Option:'))}|\b(?:answer|option)(?:\s+(?:is|would\s+be)"
    r"|\s*:))[\s:*]*([A-H])\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Scoring:
    """A benchmark's own way to score."""

    is_right: Callable[[VideoQuestion, str], bool]
    """Says whether its scorer takes a text for the right choice."""
    groups: tuple[str, ...] = (CATEGORY,)
    """Kinds of groups it reports."""
    is_macro: bool = False
    """Whether its score is the mean over groups of the first kind, not over tasks."""


def compare(benchmark: str, answers: Sequence[Graded]) -> Comparison | None:
    """Returns how a benchmark scores the graded answers, one a task; None if nobody scores it."""
    if answers and benchmark in SCORERS:
        return SCORERS[benchmark](answers)
    scoring = SCORINGS.get(benchmark)
    if scoring is None or not answers:
        return None
    return _scored(scoring, answers)


def _scored(scoring: Scoring, answers: Sequence[Graded]) -> Comparison:
    """Returns the mean over tasks or over groups of them."""
    pairs = _pairs(scoring, answers)
    groups = tuple(group for kind in scoring.groups for group in _groups(kind, pairs))
    pooled = _group("", "", pairs)
    strict, official, name = pooled.strict, pooled.official, "all"
    averaged = [group for group in groups if group.kind == scoring.groups[0]]
    if scoring.is_macro and averaged:
        strict = sum(group.strict for group in averaged) / len(averaged)
        official = sum(group.official for group in averaged) / len(averaged)
    if scoring.is_macro:
        name = "mean of groups"
    parted = tuple(graded for graded, is_right in pairs if graded.is_right != is_right)
    return Comparison(len(answers), strict, official, scoring.is_macro, groups, parted, name)


def _is_right_officially(scoring: Scoring, graded: Graded) -> bool:
    """Returns whether the benchmark's scorer takes an answer for right."""
    if graded.answer is None or not graded.task.options:
        return graded.is_right
    return verdict(partial(scoring.is_right, graded.task, graded.answer), "official")


def _groups(kind: str, pairs: Sequence[tuple[Graded, bool]]) -> Iterable[GroupScore]:
    """Yields the score of each group of a kind; a task may be in several, or in none."""
    members: dict[str, list[tuple[Graded, bool]]] = {}
    for pair in pairs:
        for name in _names(kind, pair[0].task):
            members.setdefault(name, []).append(pair)
    for name in sorted(members, key=lambda name: (len(name) * name.isdigit(), name)):
        yield _group(kind, name, members[name])


def _names(kind: str, task: VideoQuestion) -> list[str]:
    """Returns the groups of a kind that a task is in, each once."""
    if kind == CATEGORY:
        return [task.category] if task.category else []
    return list(dict.fromkeys(value for own, value in task.labels if own == kind))


def _group(kind: str, name: str, pairs: Sequence[tuple[Graded, bool]]) -> GroupScore:
    strict = sum(graded.is_right for graded, _ in pairs) / len(pairs)
    return GroupScore(kind, name, len(pairs), strict, sum(right for _, right in pairs) / len(pairs))


def _letters(task: VideoQuestion) -> str:
    return "".join(letter(index) for index in range(len(task.options)))


def _drawn(task: VideoQuestion) -> str:
    """Returns a letter where a public scorer draws one at random: always the same for a task."""
    number = int.from_bytes(hashlib.sha256(task.id.encode("utf-8", "replace")).digest())
    return letter(number % len(task.options))


def _weighed(letters: str) -> Callable[[VideoQuestion, str], bool]:
    """Returns lmms-eval's shared reading, which knows the given letters (all of a task's if none).

    Every letter found is a candidate, weighed by where it is; the last of equals wins. So
    `The answer is B. Daytime` reads as D.
    """

    def is_right(task: VideoQuestion, text: str) -> bool:
        return _weigh(text, letters or _letters(task)) == task.truth

    return is_right


def _weigh(text: str, letters: str) -> str:
    """Returns the letter that counts most in a text, or nothing."""
    text = text.strip()
    for mark in MARKS:
        text = text.strip(mark)
    padded, bare, lowered = f" {text} ", text.strip(), f" {text} ".lower()
    found: list[tuple[int, int, str]] = []
    for own in letters:
        forms = ((6, f"({own})"), (5, f"{own}."), (4, f"{own}:"), (3, f"{own})"), (2, f"{own} "))
        found += [(weight, padded.rfind(form), own) for weight, form in forms if form in padded]
        for phrase in PHRASES:
            start = lowered.find(phrase)
            place = padded.find(own, start + len(phrase)) if start >= 0 else -1
            if place >= 0:
                found.append((7, place, own))
        if bare.startswith(own) and not bare[1:2].isalpha():
            found.append((10, 0, own))
        if bare.endswith(own) and not bare[-2:-1].isalpha():
            found.append((9, len(padded) - 1, own))
    anywhere = [(0, padded.rfind(own), own) for own in letters if own in padded]
    return max(found or anywhere, key=lambda one: one[:2], default=(0, 0, ""))[2]


def _first_capital(task: VideoQuestion, text: str) -> bool:
    """LongVideoBench: the first capital from A to E, without some phrases; else a drawn letter."""
    for prefix in PREFIXES:
        text = text.replace(prefix, "")
    match = re.search("[ABCDE]", text)
    return (match[0] if match else _drawn(task)) == task.truth


def _earliest(task: VideoQuestion, text: str) -> bool:
    """EgoSchema: the marked letter, or in longer texts the option, whose last place comes first.

    Options are compared with their letters, as the hub has them: `E. C cooks.`
    """
    for mark in ",.!?;:'":
        text = text.strip(mark)
    text, letters = f" {text} ", _letters(task)
    forms = [form for kind in ("({})", "{} ", "{}.") for form in map(kind.format, letters)]
    places = [(text.rfind(form), form.strip("(). ")) for form in forms if form in text]
    if not places and len(text.split()) > 5:
        lowered = text.lower()
        options = [f"{own}. {o}".lower() for own, o in zip(letters, task.options, strict=True)]
        places = [(lowered.rfind(o), o[0].upper()) for o in options if o in lowered]
    read = min(places, key=lambda place: place[0])[1] if places else _drawn(task)
    return read == task.truth


def _mentioned(task: VideoQuestion, text: str) -> bool:
    """MMVU: the right letter or option is anywhere, or the letter and any longer word of it."""
    truth, lowered = task.truth, text.lower()
    option = task.options[ord(truth) - ord("A")].strip().lower()
    if re.search(rf"\b{truth}\b", text, re.IGNORECASE) or option in lowered:
        return True
    words = [word.strip("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for word in option.split()]
    return truth in text.upper() and any(len(word) > 2 and word in lowered for word in words)


def _exact(task: VideoQuestion, text: str) -> bool:
    """LongVideo-Reason: the letter and nothing else."""
    return text.strip() == task.truth


def _concluded(task: VideoQuestion, text: str) -> bool:
    """Video-MME-v2: the letter that a text concludes with, else the only option that is in it."""
    return (_conclusion(text) or _only_mentioned(task, text)) == task.truth


def _conclusion(text: str) -> str:
    """Returns the letter that stands last, first, after a phrase or in bold; or nothing."""
    text = BLANKS.sub(" ", text.strip())
    last, first = text.rpartition("\n")[2].strip(), text.partition("\n")[0].strip()
    for line, pattern in ((last, LONE_LETTER), (first, FIRST_LETTER)):
        if match := pattern.fullmatch(line):
            return match[1].upper()
    if told := TOLD_LETTER.findall(text):
        return str(told[-1]).upper()
    bold = {own.upper() for own in BOLD_LETTER.findall(text)}
    return bold.pop() if len(bold) == 1 else ""


def _only_mentioned(task: VideoQuestion, text: str) -> str:
    """Returns the letter of the only option whose text is in another one, or nothing."""
    lowered = text.lower()
    options = zip(_letters(task), task.options, strict=True)
    found = [own for own, option in options if option.strip(". \n").lower() in lowered]
    return found[0] if len(found) == 1 else ""


def _any_of_eight(task: VideoQuestion, text: str) -> bool:
    """CG-Bench: the result in a block of JSON, else the right letter as a word anywhere."""
    _, _, block = text.partition("```json")
    try:
        return bool(json.loads(block.partition("```")[0])["result"] == task.truth)
    except (ValueError, TypeError, LookupError, RecursionError):
        return task.truth in re.findall(r"\b[A-H]\b", text)


def _strictly(task: VideoQuestion, text: str) -> bool:
    """NExT-GQA: its scorer reads no text, but the index of an option."""
    return task.grade(text)


CLUE_GROUPS = ("duration", "domain", CATEGORY)
A_TO_D = _weighed("ABCD")

SCORINGS = {
    "mlvu": Scoring(A_TO_D, is_macro=True),
    "mlvu_test": Scoring(A_TO_D, is_macro=True),  # though it has options E and F
    "longvideobench": Scoring(_first_capital, ("duration", CATEGORY)),
    "videomme": Scoring(A_TO_D, ("duration", "domain", "sub_category", CATEGORY)),
    "lvbench": Scoring(A_TO_D, ("question_type",)),
    "videommmu": Scoring(_weighed(""), (CATEGORY, "track")),
    "videommlu": Scoring(_exact, is_macro=True),  # open-ended: its grader decides
    "mmvu": Scoring(_mentioned, (CATEGORY, "question_type")),
    "egoschema": Scoring(_earliest, ()),
    "longvideoreason": Scoring(_exact),
    "videomme_v2": Scoring(_concluded),  # of its groups
    "nextgqa": Scoring(_strictly),
    **dict.fromkeys(("cgbench", "cgbench_mini"), Scoring(_any_of_eight, CLUE_GROUPS)),
}

Pairs = Sequence[tuple[Graded, bool]]


def _grouped(answers: Sequence[Graded]) -> Comparison:
    """Video-MME-v2: by groups of questions."""
    return score_groups(_pairs(SCORINGS["videomme_v2"], answers))


def _with_evidence(
    name: str, of_evidence: Callable[[Pairs], list[GroupScore]], answers: Sequence[Graded]
) -> Comparison:
    """NExT-GQA and CG-Bench: the accuracy, and beside it what answers name as evidence."""
    scored = _scored(SCORINGS[name], answers)
    told = of_evidence(_pairs(SCORINGS[name], answers))
    return replace(scored, groups=(*told, *scored.groups))


def _pairs(scoring: Scoring, answers: Sequence[Graded]) -> list[tuple[Graded, bool]]:
    """Returns answers, each with whether the benchmark's scorer takes it for right."""
    return [(graded, _is_right_officially(scoring, graded)) for graded in answers]


SCORERS: Mapping[str, Callable[[Sequence[Graded]], Comparison]] = {
    "charades_sta": partial(score_grounding, read_charades),
    "extremewhenbench": partial(score_grounding, read_extremewhen, tells_failures=True),
    "videomme_v2": _grouped,
    "nextgqa": partial(_with_evidence, "nextgqa", nextgqa_evidence),
    "cgbench": partial(_with_evidence, "cgbench", cgbench_evidence),
    "cgbench_mini": partial(_with_evidence, "cgbench_mini", cgbench_evidence),
}
"""Benchmarks whose score is more than a mean of right answers."""
