"""Video-MME-v2: rows, words as subtitles, and the score of its groups of questions."""

from pathlib import Path
from typing import Any

import pytest

from tests.tasks.datasets.layouts import all_tasks, open_tasks, write_lines, write_parquet
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks import Graded, compare
from zoomgym.tasks.datasets.official import SCORINGS

TEXTS = ("Malay.", "British.", "Thai.", "German.", "French.", "Chinese.", "Greek.", "Unknown.")
ROW: dict[str, Any] = {
    "video_id": "001",
    "question_id": "001-4",
    "question": "Where is she from?",
    "options": "\n".join(f"{'ABCDEFGH'[i]}. {text}" for i, text in enumerate(TEXTS)),
    "answer": "F",
    "group_type": "logic",
    "group_structure": "[1, [2,3], 4]",
    "level": 2,
    "second_head": "Order",
    "third_head": None,
}
FIRST = {**ROW, "question_id": "001-1", "level": None, "second_head": "None"}
WORDS = [
    {"text": "Hello", "start_time": 0.5, "end_time": 0.8},
    {"text": "world.", "start_time": 0.8, "end_time": 1.1},
    {"text": "So", "start_time": 1.3, "end_time": 1.5},
    {"text": "it", "start_time": 1.9, "end_time": 2.0},
    {"text": "ends", "start_time": 3.0, "end_time": 3.5},
]


def test_rows_have_eight_options_and_labels_of_their_group(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", [FIRST, ROW])
    first, last = all_tasks(open_tasks("videomme_v2", tmp_path))
    group = (
        ("group_type", "logic"), ("group_structure", "[1, [2, 3], 4]"),
    )  # fmt: skip
    assert first == VideoQuestion(
        id="001-1",
        video="001.mp4",
        question="Where is she from?",
        answer="F",
        options=TEXTS,
        category="logic",
        labels=group,
    )
    assert last.labels == (*group, ("level", "2"), ("second_head", "Order"))


def test_options_may_be_a_list(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", [{**ROW, "options": ROW["options"].split("\n")}])
    assert all_tasks(open_tasks("videomme_v2", tmp_path))[0].options == TEXTS


@pytest.mark.long
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": "Malay"}, r"row 1: options need lines like 'A\. red', got 'Malay'"),
        ({"answer": "I"}, "row 1: answer needs to be a letter or one of"),
        ({"group_type": "chain"}, r"row 1: group_type needs to be one of \['relevance', 'logic'\]"),
        ({"group_structure": "[1]"}, "row 1: group_structure needs to be one of"),
        ({"group_structure": "[" * 50}, "row 1: group_structure needs to be one of"),
        ({"video_id": "../x"}, "row 1: a path needs to stay below the folder"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    write_parquet(tmp_path / "test.parquet", [{**ROW, **changes}])
    with pytest.raises(TaskError, match=message):
        open_tasks("videomme_v2", tmp_path)


def test_words_are_joined_into_subtitles_up_to_a_pause(tmp_path: Path) -> None:
    write_parquet(tmp_path / "test.parquet", [ROW])
    write_lines(tmp_path / "subtitle" / "001.jsonl", *WORDS)
    [task] = all_tasks(open_tasks("videomme_v2", tmp_path, subtitles=True))
    assert task.question.split("\n")[3:] == [
        "[0.5, 1.1] Hello world.", "[1.3, 2.0] So it", "[3.0, 3.5] ends",
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["{", "[]", '{"text": "x"}', '{"text": 1, "start_time": 0}'])
def test_a_line_that_is_no_word_is_named(tmp_path: Path, line: str) -> None:
    write_parquet(tmp_path / "test.parquet", [ROW])
    write_lines(tmp_path / "subtitle" / "001.jsonl", WORDS[0], line)
    with pytest.raises(TaskError, match=r"001\.jsonl:2: needed a word and its times, got"):
        _ = open_tasks("videomme_v2", tmp_path, subtitles=True)[0]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("F", True), ("Final Answer: F", True), ("The best answer is F", True), ("F, not A", False),
        ("A or F", False), ("f", True), ("", False), ("Because F", False), ("Option: F.", True),
        ("A and B are wrong.\n**F**", True), ("F. It is A", True), ("**F** it is", True),
        ("The answer is A, no, F", False), ("answer: A. No, the option is  F!", True),
        ("**F**, not **A**", False),
    ],
)  # fmt: skip
def test_the_scorer_takes_the_letter_that_a_text_concludes_with(text: str, read: bool) -> None:
    task = VideoQuestion("001-1", "v", "?", "F", options=TEXTS)
    assert SCORINGS["videomme_v2"].is_right(task, text) is read


def group_of(
    rights: str, kind: str, structure: str = "", video: str = "001", texts: str = ""
) -> list[Graded]:
    """Returns answers to the questions of a group: 1 is right."""
    labels = [("group_type", kind)]
    labels += [("group_structure", structure)] * bool(structure)
    found = []
    for number, right in enumerate(rights, start=1):
        more = [("level", "2")] if number == 4 else []
        task = VideoQuestion(
            f"{video}-{number}", video, "?", "A", options=TEXTS, labels=(*labels, *more)
        )
        found.append(Graded(task, "A" if right == "1" else texts or "B", right == "1"))
    return found


@pytest.mark.parametrize(
    ("kind", "structure", "scores"),
    [
        ("relevance", "", {"0000": 0, "0100": 1 / 16, "0110": 1 / 4, "1011": 9 / 16, "1111": 1}),
        (
            "logic",
            "[1, 2, 3, 4]",
            {"0111": 0, "1011": 1 / 16, "1101": 1 / 4, "1110": 9 / 16, "1111": 1},
        ),
        (
            "logic",
            "[1, [2, 3], 4]",
            {"0111": 0, "1000": 1 / 12, "1001": 1 / 12, "1010": 4 / 12, "1100": 4 / 12,
             "1011": 4 / 12, "1110": 7 / 12, "1111": 1},
        ),
        (
            "logic",
            "[[1, 2], 3, 4]",
            {"0000": 0, "0011": 0, "0100": 1 / 10, "1000": 1 / 10, "0111": 1 / 10,
             "1100": 2 / 10, "1110": 5 / 10, "1111": 1},
        ),
        ("", "", {"1010": 0.5, "1111": 1}),
    ],
)  # fmt: skip
def test_a_group_is_scored_by_its_kind(kind: str, structure: str, scores: dict[str, float]) -> None:
    for rights, score in scores.items():
        answers = group_of(rights, kind or "other", structure)
        found = compare("videomme_v2", answers[::-1])  # their order does not matter
        assert found is not None
        assert (found.strict, found.official) == (pytest.approx(score), pytest.approx(score))


def test_scores_are_means_over_groups_with_the_accuracy_beside_them() -> None:
    answers = [
        *group_of("1100", "relevance", video="001"),
        *group_of("1111", "logic", "[1, 2, 3, 4]", video="002"),
        *group_of("0000", "relevance", video="003", texts="The answer is A"),
    ]
    found = compare("videomme_v2", answers)
    assert found is not None
    assert (found.name, found.num_tasks) == ("mean of groups", 12)
    assert found.strict == pytest.approx((1 / 4 + 1) / 3)
    assert found.official == pytest.approx((1 / 4 + 1 + 1) / 3)
    assert [graded.answer for graded in found.parted] == ["The answer is A"] * 4
    assert [(g.kind, g.name, g.num_tasks, g.strict) for g in found.groups] == [
        ("questions", "all", 12, 0.5),
        ("group_type", "logic", 4, 1.0),
        ("group_type", "relevance", 8, 1 / 8),
        ("level", "2", 12, pytest.approx(1.25 / 3)),
    ]


def test_questions_that_were_not_played_count_as_wrong() -> None:
    found = compare("videomme_v2", group_of("1111", "logic", "[1, 2, 3, 4]")[1:])
    assert found is not None
    assert found.strict == 0.0
