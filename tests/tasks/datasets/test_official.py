"""What benchmarks' own scorers read, beside the strict reading."""

from dataclasses import replace

import pytest

from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets.official import SCORINGS, Graded, compare

TASK = VideoQuestion("q1", "v.mp4", "What?", "B", options=("a big cat", "dogs", "night", "day"))
FIVE = replace(TASK, options=(*TASK.options, "rain"))


def reads(benchmark: str, text: str, task: VideoQuestion = TASK) -> str:
    """Returns every letter that a benchmark's scorer would take a text for."""
    letters = "ABCDEF"[: len(task.options)]
    tasks = [replace(task, answer=letter) for letter in letters]
    return "".join(t.answer for t in tasks if SCORINGS[benchmark].is_right(t, text))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("The answer is B. Daytime", "D"),  # these four are faults, and known as such
        ("The best answer is C. A big dog", "A"),
        ("The correct answer is (B) because Dogs", "D"),
        ("Answer: F. Cats", "C"),
        ("B", "B"),
        ("(B)", "B"),
        ("B. dogs", "B"),
        ("b", ""),
        ("dogs", ""),
        ("", ""),
        ("It must be B", "B"),
        ("Not A but B.", "B"),
        ("B or C", "B"),
        ("I choose (C) over (B)", "B"),
        ("A. He met B. Obama", "A"),
        ("E", ""),
        ("정답은 C", "C"),
    ],
)
def test_the_shared_reader_weighs_every_letter_it_finds(text: str, read: str) -> None:
    for benchmark in ("videomme", "mlvu", "lvbench"):
        assert reads(benchmark, text) == read


def test_the_shared_reader_knows_other_letters_only_where_its_benchmark_does() -> None:
    assert reads("mlvu_test", "E", FIVE) == ""
    assert reads("videommmu", "E", FIVE) == "E"


@pytest.mark.parametrize(
    ("text", "read"),
    [("B", "B"), ("The answer is B. Day", "B"), ("A dog, so B", "A"), ("I think B", "B"),
     ("b. Dogs", "D")],
)  # fmt: skip
def test_longvideobench_takes_the_first_capital(text: str, read: str) -> None:
    assert reads("longvideobench", text) == read


def test_a_letter_that_a_scorer_would_draw_is_the_same_every_time_and_spread_evenly() -> None:
    tasks = [replace(TASK, id=f"q{number}") for number in range(2000)]
    drawn = [reads("longvideobench", "no idea", task) for task in tasks]
    assert drawn == [reads("longvideobench", "??", task) for task in tasks]
    assert set(map(len, drawn)) == {1}
    assert all(430 < drawn.count(letter) < 570 for letter in "ABCD")
    assert drawn[:8] == [reads("egoschema", "no idea", task) for task in tasks[:8]]


@pytest.mark.parametrize(
    ("text", "read"),
    [("B", "B"), ("(C) or (B)", "C"), ("B. or C.", "B"), ("B.", "B"),
     ("I am quite sure that it is b. Dogs", "B"), ("it may be d. day, or else c. night", "D"),
     ("it may be d. day, or c. night, or d. day", "C"), ("b. dogs, but surely not c. night", "B")],
)  # fmt: skip
def test_egoschema_takes_what_stands_first(text: str, read: str) -> None:
    assert reads("egoschema", text) == read


@pytest.mark.parametrize(
    "text", ["I am quite sure they are dogs", "it may be night or it may be day", "b. dogs"]
)
def test_egoschema_knows_an_option_in_a_longer_text_by_its_letter_too(text: str) -> None:
    assert reads("egoschema", text) == reads("egoschema", "??")  # it draws a letter


@pytest.mark.parametrize(
    ("text", "read"),
    [("B", "B"), ("b", "B"), ("A or B", "AB"), ("there are dogs", "B"), ("a dog", "A"),
     ("Bright Night", "C"), ("Big cats", "A"), ("", "")],
)  # fmt: skip
def test_mmvu_takes_what_is_mentioned(text: str, read: str) -> None:
    assert reads("mmvu", text) == read


def test_longvideoreason_takes_the_letter_and_nothing_else() -> None:
    assert [reads("longvideoreason", text) for text in ("B", " B\n", "B.", "(B)", "b")] == [
        "B", "B", "", "", "",
    ]  # fmt: skip


def graded(text: str | None, is_right: bool, **changes: object) -> Graded:
    return Graded(replace(TASK, **changes), text, is_right)  # type: ignore[arg-type]


def test_a_macro_score_is_the_mean_over_tasks_of_a_kind() -> None:
    answers = [
        graded("B", True, id="1", category="count"),
        graded("It is B", False, id="2", category="count"),
        graded("C", False, id="3", category="count"),
        graded("B", True, id="4", category="ego"),
    ]
    found = compare("mlvu", answers)
    assert found is not None
    assert (found.num_tasks, found.is_macro) == (4, True)
    assert [(g.name, g.num_tasks, g.strict, g.official) for g in found.groups] == [
        ("count", 3, 1 / 3, 2 / 3), ("ego", 1, 1.0, 1.0),
    ]  # fmt: skip
    assert found.strict == pytest.approx((1 / 3 + 1) / 2)
    assert found.official == pytest.approx((2 / 3 + 1) / 2)
    assert found.parted == (answers[1],)


def test_a_micro_score_is_the_mean_over_tasks_with_its_groups_beside_it() -> None:
    answers = [
        graded("B", True, id="1", labels=(("duration", "3600"),), category="S2E"),
        graded("A", False, id="2", labels=(("duration", "15"),), category="S2E"),
        graded("B", True, id="3", labels=(("duration", "600"),), category="E2O"),
    ]
    found = compare("longvideobench", answers)
    assert found is not None
    assert (found.strict, found.official) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert [(g.kind, g.name, g.strict) for g in found.groups] == [
        ("duration", "15", 0.0), ("duration", "600", 1.0), ("duration", "3600", 1.0),
        ("category", "E2O", 1.0), ("category", "S2E", 0.5),
    ]  # fmt: skip
    assert found.parted == ()


def test_a_task_of_several_kinds_counts_in_each_and_once_in_all() -> None:
    kinds = (("question_type", "reasoning"), ("question_type", "event"))
    answers = [
        graded("B", True, id="1", labels=kinds),
        graded("A", False, id="2", labels=kinds[:1]),
    ]
    found = compare("lvbench", answers)
    assert found is not None
    assert found.strict == 0.5
    assert [(g.name, g.num_tasks, g.strict) for g in found.groups] == [
        ("event", 1, 1.0), ("reasoning", 2, 0.5),
    ]  # fmt: skip


def test_choices_and_open_answers_of_mmvu_are_scored_apart_too() -> None:
    choice, open_ended = (("question_type", "multiple-choice"),), (("question_type", "open-ended"),)
    answers = [
        graded("It is B", False, id="1", labels=choice, category="Science"),
        graded("C", False, id="2", labels=choice, category="Science"),
        graded("tall", True, id="3", options=(), answer="tall", labels=open_ended, category="Art"),
    ]
    found = compare("mmvu", answers)
    assert found is not None
    assert (found.strict, found.official) == (1 / 3, 2 / 3)
    assert [(g.kind, g.name, g.num_tasks, g.strict, g.official) for g in found.groups] == [
        ("category", "Art", 1, 1.0, 1.0),
        ("category", "Science", 2, 0.0, 0.5),
        ("question_type", "multiple-choice", 2, 0.0, 0.5),
        ("question_type", "open-ended", 1, 1.0, 1.0),
    ]


def test_no_answer_is_wrong_and_an_open_answer_is_what_its_grader_said() -> None:
    answers = [
        graded(None, False, id="1"),
        graded("tall", True, id="2", options=(), answer="a tall man"),
    ]
    found = compare("longvideobench", answers)
    assert found is not None
    assert (found.strict, found.official, found.parted) == (0.5, 0.5, ())


def test_other_task_sets_have_no_official_score() -> None:
    assert compare("synthetic:flash", [graded("B", True)]) is None
    assert compare("mlvu", []) is None
