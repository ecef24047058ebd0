"""Text of strangers steers no terminal, breaks no line and outgrows no error."""

import string

from zoomgym.io.text import (
    UNPRINTABLE,
    brief,
    encodable,
    number_of,
    on_one_line,
    plain,
    transliterated,
)


def test_plain_text_spells_out_what_is_not_printable() -> None:
    assert plain("é\x1b[31m\u202e\u2028\ud800") == r"é\x1b[31m\u202e\u2028\ud800"


def test_one_line_is_short_and_plain() -> None:
    assert on_one_line("a\n b\x07", 80) == r"a b\x07"
    assert on_one_line("abcdef", 6) == "abcdef"
    assert on_one_line("abcdefg", 6) == "abcd.."


def test_a_quoted_value_is_short() -> None:
    assert brief("a" * 10**6) == f"'{'a' * 37}...{'a' * 38}'"
    assert brief(10**5000) == brief([10**5000]) == "a number of thousands of digits"
    assert brief((4, 8, 16)) == "(4, 8, 16)"
    assert len(brief(["x" * 80] * 40)) == 605


def test_transliterated_text_has_the_given_characters_only() -> None:
    given, characters = "Zoë \u2014 ﬁn 日\n", string.ascii_letters + " -"
    assert transliterated(given, characters, str.maketrans("\u2014", "-")) == "Zoe - fin ??"


def test_encodable_text_is_unchanged_but_for_lone_surrogates() -> None:
    assert encodable("é\x1b\ud800😀") == "é\x1b?😀"


def test_numbers_are_told_with_what_they_count() -> None:
    assert [number_of(count, "task") for count in (0, 1, 2)] == ["0 tasks", "1 task", "2 tasks"]


def test_names_hold_no_control_characters_and_no_line_ends() -> None:
    assert all(map(UNPRINTABLE.search, "\0\n\x7f\x85\u2028\ud800"))
    assert not UNPRINTABLE.search("é \u202e日")
