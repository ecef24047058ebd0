import pytest

from zoomgym.errors import TaskError
from zoomgym.tasks.datasets.options import (
    letter_options,
    read_answer,
    split_options,
    tell_apart,
    without_letters,
)


@pytest.mark.parametrize(
    ("text", "question", "options"),
    [
        ("Which?\n(A) one\n(B) two", "Which?", ("one", "two")),
        ("Which?\nA. one\nB. two", "Which?", ("one", "two")),
        ("Which?\nA) one\nB) two\n", "Which?", ("one", "two")),
        ("Which?\nA: one\nB: two", "Which?", ("one", "two")),
        ("Which?\nOptions:\nB. two\nA. one", "Which?", ("one", "two")),
        ("A. Turing said?\nA. one\nB. two", "A. Turing said?", ("one", "two")),
        ("Which?\nA. one\nmore\nB. two\nmore", "Which?", ("one\nmore", "two\nmore")),
        ("Which?\nA. one\nB. two\n\nAnswer now.", "Which?\nAnswer now.", ("one", "two")),
        ("Which?\nA. one\n\nB. two", "Which?", ("one", "two")),
        ("Which?\r\nA. one\r\nB. two\r\n\r\nNow.", "Which?\nNow.", ("one", "two")),
        *(
            (f"Which?\nA. one\nB. two\nmore\n{line}", f"Which?\n{line}", ("one", "two\nmore"))
            for line in (
                "Answer with the option's letter from the given choices directly.",
                "Please select the best answer.",
                "Respond with only the letter (A or B) of the correct option.",
                "Only give the best option.",
                "The best answer is:",
                "Answer:",
            )
        ),
        ("Which?\nA. one\nB. He asks for\nanswers", "Which?", ("one", "He asks for\nanswers")),
        ("Which?\nA. one\nC. two", "Which?\nA. one\nC. two", ()),
        ("Which?\nA. one", "Which?\nA. one", ()),
        ("A. one\nB. two", "", ("one", "two")),
        ("Which?\nA.\nB. two", "Which?", ("(blank)", "two")),
        ("Which?\nB. one\nA. one", "Which?", ("one", "one (B)")),
        ("", "", ()),
    ],
)
def test_options_are_the_lettered_lines_at_the_end(
    text: str, question: str, options: tuple[str, ...]
) -> None:
    assert split_options(text) == (question, options)


def test_a_hundred_thousand_lettered_lines_are_no_options() -> None:
    assert split_options("A. x\n" * 100_000)[1] == ()


@pytest.mark.parametrize(
    ("options", "bodies"),
    [
        (("A. x", "B. y"), ("x", "y")),
        (("(B) y", "(A) x"), ("x", "y")),
        (("A. x", "B y"), ("A. x", "B y")),
        (("A. x", "A. y"), ("A. x", "A. y")),
        ((" x ", "y"), ("x", "y")),
        (("A. ", "B. y"), ("(blank)", "y")),
        (("B. x", "A. x"), ("x", "x (B)")),
        (("a) x", "b) y"), ("x", "y")),
    ],
)
def test_letters_are_taken_off_where_all_have_theirs(
    options: tuple[str, ...], bodies: tuple[str, ...]
) -> None:
    assert letter_options(options) == bodies


@pytest.mark.parametrize(
    ("options", "answer", "plain"),
    [
        (("A. red", "B. blue"), "B", (("red", "blue"), "B")),
        (("(A) red", "(B) blue"), "(b)", (("red", "blue"), "(b)")),
        (("A) red", "B) blue"), "blue", (("red", "blue"), "blue")),
        (("A: red", "B: blue"), "B: blue", (("red", "blue"), "B")),
        (("[A] red", "[B] blue"), "[B] blue", (("red", "blue"), "B")),
        (("a. red", "b. blue"), "b. blue", (("red", "blue"), "B")),
        (("A.red", "B.blue"), "B.blue", (("red", "blue"), "B")),
        (("A. red", "(B) blue"), "A", (("red", "blue"), "A")),
        (("B. blue", "A. red"), "B. blue", (("red", "blue"), "B")),
        (("A. B", "B. A"), "A. B", (("B", "A"), "(A)")),
        (("A. B", "B. A"), "A", (("B", "A"), "(A)")),
        (("A. B", "B. C"), "B", (("B", "C"), "(B)")),
        (("A. B", "B. C"), "C", (("B", "C"), "C")),
        (("a) b", "b) a"), "b", (("b", "a"), "B")),
        (("A. A. red", "B. B. blue"), "A", (("A. red", "B. blue"), "A")),
    ],
)
def test_letters_of_all_options_are_taken_off_and_the_answer_stays_what_it_was(
    options: tuple[str, ...], answer: str, plain: tuple[tuple[str, ...], str]
) -> None:
    assert without_letters(options, answer) == plain


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("A. red", "blue"),
        ("A. red", "A. blue"),
        ("A. red", "C. blue"),
        ("B. red", "C. blue"),
        ("A red", "B blue"),
        ("A.", "B."),
        ("A. red", "B. red"),
        (" red ", "blue"),
        ("U.S.", "U.K."),
        ("A.D.", "B.C."),
        ("B.C.", "A.D."),
        ("a.m.", "b.m. (before midnight)"),
        tuple(f"A. {i}" for i in range(1000)),
    ],
)
def test_options_that_do_not_all_have_their_letter_stay_as_they_are(
    options: tuple[str, ...],
) -> None:
    assert without_letters(options, "A") == (options, "A")


def test_repeated_and_blank_options_are_told_apart() -> None:
    assert tell_apart(["x", "x", "", " ", "x"]) == (
        "x", "x (B)", "(blank)", "(blank) (D)", "x (E)",
    )  # fmt: skip
    assert tell_apart(["x", "x (C)", "x"]) == ("x", "x (C)", "x (C) (C)")


@pytest.mark.parametrize(
    ("text", "letter"),
    [("B", "B"), ("(b)", "B"), ("green", "B"), ("<answer> B </answer>", "B"), ("B. green", "B")],
)
def test_an_answer_is_a_letter_or_a_text(text: str, letter: str) -> None:
    assert read_answer(text, ("red", "green")) == letter


@pytest.mark.parametrize("text", ["", "C", "blue", "A. green", "<answer></answer>"])
def test_an_answer_that_names_no_option_is_refused(text: str) -> None:
    with pytest.raises(TaskError, match="answer needs to be a letter or one of"):
        read_answer(text, ("red", "green"))
