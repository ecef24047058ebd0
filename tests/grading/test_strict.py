from dataclasses import replace

import pytest

from tests.conftest import TASK, new_episode
from zoomgym.errors import GradingError
from zoomgym.grading import is_correct, read_choice
from zoomgym.rules.episode import advance

OPTIONS = ("red", "green", "blue", "a man")


@pytest.mark.parametrize(
    "text",
    [
        "B", "b", "B.", "(B)", "(b)", "B)", "B:", "B: green", "B. green", "B) green", "(B) green",
        "Option B", "option b", "Option B: green", r"\boxed{B}", r"\boxed{b}", " B \n", "green",
        "Green", "GREEN.", "  green ", "B. Green.", "b:green",
    ],
)  # fmt: skip
def test_every_clear_way_to_name_an_option_is_read(text: str) -> None:
    assert read_choice(text, OPTIONS) == 1


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "E", "Z.", "B red", "B. red", "B: blue", "B green", "B and C", "BB", "B, C",
        "A. He met B. Obama", "The answer is B", "The answer is B. green", "I think B",
        "The best answer is C. A big dog", "Answer: B", "greenish", "red green", "((B))", "[B]",
        "**B**", "A man is green", "B" * 5000, r"\boxed{B", "\u212a", "Ｂ．", "Option", "1",
        "not B",
    ],
)  # fmt: skip
def test_anything_else_is_wrong_and_not_guessed(text: str) -> None:
    assert read_choice(text, OPTIONS) is None


def test_an_option_that_begins_with_a_letter_word_is_its_own_text() -> None:
    assert read_choice("a man", OPTIONS) == 3
    assert read_choice("A", OPTIONS) == 0
    assert read_choice("D. a man", OPTIONS) == 3


def test_the_letter_comes_before_the_text() -> None:
    assert read_choice("A", ("B", "A")) == 0


@pytest.mark.parametrize("options", [("5'", '5"'), ("x²", "x2"), ("Red", "red.")])
def test_an_options_own_text_to_the_letter_is_read_before_any_normalizing(
    options: tuple[str, ...],
) -> None:
    assert [read_choice(option, options) for option in options] == [0, 1]


def test_two_options_that_read_alike_are_told_apart_by_letter_only() -> None:
    assert read_choice("RED", ("Red", "red.")) is None
    assert read_choice("B", ("Red", "red.")) == 1


@pytest.mark.parametrize(
    ("text", "truth", "expected"),
    [
        ("42", "42", True),
        ("42.0", "42", True),
        (" 1,000 ", "1000", True),
        ("42.1", "42", False),
        ("0.3333333", "0.33333333", True),
        ("-3", "3", False),
        ("1e3", "1000", True),
        ("42 apples", "42", False),
        ("forty-two", "42", False),
        ("Mount  Everest.", "mount everest", True),
        ("ＡＢＣ", "abc", True),
        ("K2", "Mount Everest", False),
        ("", "Mount Everest", False),
        ("...", "Mount Everest", False),
        ("1" * 400, "1" * 400, True),
        ("1e999", "1e999", True),
        ("x" * 5000, "x" * 5000, False),
        ("٤٢", "42", False),
        (".5", "0.5", True),
        ("5.", "5", True),
        ("+5e-1", ".5", True),
        ("1,000.5e3", "1000500", True),
        ("1,00", "100", False),
        # What only looks like a number.
        ("e1", "1", False),
        ("e1", "e1", True),
        ("E+9", "0", False),
        ("-e9", "5", False),
        ("e", "5", False),
        (".", "0", False),
        ("..", ".", False),
        (".e5", "0", False),
        ("5.e1", "50", False),
        ("+", "0", False),
        (",", "0", False),
        (",000", "0", False),
        ("1e", "1", False),
        ("1e9999", "1e9999", True),
        ("9" * 4096, "9" * 4096, True),
        ("9" * 4096, "8" * 4096, False),
        ("1e-999", "0", True),
        ("-0", "0", True),
        ("0x10", "16", False),
        ("1_000", "1000", False),
        ("inf", "inf", True),
        ("nan", "nan", True),
        ("infinity", "1e999", False),
        ("½", "0.5", False),
        ("10²", "102", False),
        ("10²", "10^2", True),
        ("5 m²", "5 m2", True),
        (".5 m", "5 m", False),
        (".5 m", "0.5 m", True),
        ("5 m", " .5 m.", False),
        ("..5 m", "5 m", True),
        ("v.5", "v.5", True),
        ("v.5", "v0.5", False),
        ("1/0", "5", False),
        ("50%", "50", False),
        ("\ud800", "5", False),
        ("\x00", "\x00\x00", False),
    ],
)
def test_open_answers_are_matched_normalized_or_as_numbers(
    text: str, truth: str, expected: bool
) -> None:
    assert is_correct(text, truth) is expected


DAY = ("Daytime", "Night", "Dusk", "Dawn")
PEOPLE = ("He met B. Obama", "He met nobody", "A man ran", "B")
MANY = ("one", "two", "three", "four", "five", "six")


@pytest.mark.parametrize(
    ("text", "truth", "options", "expected"),
    [
        # What the official VideoZoomer code takes for wrong, though anybody sees what is meant.
        ("(B)", "B", DAY, True),
        ("B)", "B", DAY, True),
        ("B: Night", "B", DAY, True),
        ("b", "B", DAY, True),
        ("Option B", "B", DAY, True),
        # What it reads as B: the last capital with a full stop.
        ("A. He met B. Obama", "B", PEOPLE, False),
        ("A. He met B. Obama", "A", PEOPLE, True),
        ("A. He met B. Obama", "B", DAY, False),
        # What it takes for right from the reasoning: here, only the answer's own text is read.
        ("I see B. but the answer is C.", "C", DAY, False),
        ("<answer>B</answer>", "B", DAY, False),
        # What lmms-eval's shared extractor reads as another letter.
        ("The answer is B. Daytime", "D", DAY, False),
        ("The best answer is C. A big dog", "A", DAY, False),
        ("The correct answer is (B) because Dogs", "D", DAY, False),
        ("Answer: F. Cats", "C", DAY, False),
        # Options past D, which it does not know.
        ("F", "F", MANY, True),
        ("(e)", "E", MANY, True),
        ("F. six", "F", MANY, True),
        ("F", "F", (*DAY, "Noon", "Eve"), True),
        ("G", "F", MANY, False),
        # What LongVideoBench's scorer would draw at random.
        ("", "B", DAY, False),
        ("no idea", "B", DAY, False),
        ("?", "B", DAY, False),
        # A letter with its own text, with another one's, or with more.
        ("B. Night", "B", DAY, True),
        ("B) night.", "B", DAY, True),
        (r"\boxed{B}", "B", DAY, True),
        (r"\boxed{B}. Night", "B", DAY, True),
        ("B. Daytime", "B", DAY, False),
        ("B. Night, I think", "B", DAY, False),
        ("B Night", "B", DAY, False),
        ("B, C", "B", DAY, False),
        ("A or B", "B", DAY, False),
        ("not B", "B", DAY, False),
        # An option's own text, as the official MLVU release gives its answers.
        ("Night", "B", DAY, True),
        (" night. ", "B", DAY, True),
        ("B", "Night", DAY, True),
        ("Nigh", "B", DAY, False),
        ("At night", "B", DAY, False),
        ("A man ran", "C", PEOPLE, True),
        ("A man", "A", PEOPLE, False),
        ("B", "B", PEOPLE, True),
        ("D", "D", PEOPLE, True),
        # Letters that only look alike, and numbers for letters.
        ("\u0412", "B", DAY, False),
        ("\uff22", "B", DAY, False),
        ("2", "B", DAY, False),
        ("BB", "B", DAY, False),
        # Open-ended: numbers and texts.
        ("7", "7.0", (), True),
        ("1,234", "1234", (), True),
        ("7 or 8", "7", (), False),
        ("about 7", "7", (), False),
        ("07", "7", (), True),
        ("-7", "7", (), False),
        ("The Eiffel  tower.", "the Eiffel Tower", (), True),
        ("Eiffel", "the Eiffel Tower", (), False),
        ("the Eiffel Tower, or the Louvre", "the Eiffel Tower", (), False),
        ("right", "wrong", (), False),
    ],
)
def test_answers_are_graded_as_a_careful_human_would(
    text: str, truth: str, options: tuple[str, ...], expected: bool
) -> None:
    assert is_correct(text, truth, options) is expected


def test_a_choice_is_right_if_it_names_the_true_option() -> None:
    assert is_correct("(b)", "B", OPTIONS)
    assert is_correct("B", "green", OPTIONS)
    assert not is_correct("A", "B", OPTIONS)
    assert not is_correct("A. He met B. Obama", "B", OPTIONS)


class Fragile:
    """Reads whole numbers, and minds nothing else."""

    name = "fragile"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def is_right(self, question: str, truth: str, text: str) -> bool:
        if text != truth:
            raise self._error
        return True


@pytest.mark.parametrize(
    "error",
    [ValueError("no"), OverflowError(), ZeroDivisionError(), RecursionError(), MemoryError(),
     KeyError("x"), TypeError(), AttributeError(), RuntimeError(), UnicodeError()],
)  # fmt: skip
def test_an_answer_that_breaks_a_grader_is_wrong_and_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    episode = new_episode(replace(TASK, options=(), answer="5"))
    over = advance(episode, '{"answer": "e1"}', Fragile(error))
    assert (over.answer, over.is_right, over.graded_by) == ("e1", False, "fragile")
    assert f"fragile: an answer broke its reader: {type(error).__name__}" in caplog.text
    assert advance(episode, '{"answer": "5"}', Fragile(error)).is_right


@pytest.mark.parametrize("error", [GradingError("no judge"), ConnectionError("refused")])
def test_a_grader_that_cannot_tell_makes_no_answer_wrong(error: Exception) -> None:
    episode = new_episode(replace(TASK, options=(), answer="5"))
    with pytest.raises(type(error), match=str(error)):
        advance(episode, '{"answer": "7"}', Fragile(error))
    assert episode.turns == ()
