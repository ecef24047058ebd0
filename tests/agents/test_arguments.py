"""Arguments of an environment, as every command reads them; and help about settings."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from agents.arguments import add_fields, fields_given, help_of_fields, read_arguments
from zoomgym.io.commands import Parser

NAMES = ("max_turns", "grader", "difficulty")


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ([], {}),
        (['{"max_turns": 3}'], {"max_turns": 3}),
        (["max_turns=3"], {"max_turns": 3}),
        (["grader=math", "max_turns=2"], {"grader": "math", "max_turns": 2}),
        (['difficulty={"preset": "hard"}'], {"difficulty": {"preset": "hard"}}),
        (['{"max_turns": 3}', "max_turns=4"], {"max_turns": 4}),
        (["grader=a=b"], {"grader": "a=b"}),
        (["grader="], {"grader": ""}),
    ],
)
def test_objects_and_pairs_are_read_and_the_last_one_counts(
    texts: list[str], read: dict[str, Any]
) -> None:
    assert read_arguments(texts, NAMES) == read
    assert read_arguments(texts) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("max_turns", "'max_turns' needs the form NAME=VALUE"),
        ("{", "needs JSON like {}, got '{'"),
        ("[" * 100_000, "needs JSON like {}, got"),
        ("[1]", r"needs an object of max_turns, grader, difficulty, got '\[1\]'"),
        (
            "max_turn=3",
            "of max_turns, grader, difficulty, got 'max_turn=3': did you mean 'max_turns'",
        ),
        ('{"seed": 1}', "needs an object of max_turns, grader, difficulty, got"),
    ],
)
def test_what_is_no_argument_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_arguments([text], NAMES)


def test_the_string_under_a_field_is_its_help() -> None:
    class Plan:
        """How much of everything."""

        steps: int = 3
        """Steps, of which
        10% are shown."""
        plain: int = 4
        name: str
        """Name of it."""

    assert help_of_fields(Plan) == {
        "steps": "Steps, of which 10%% are shown.",
        "name": "Name of it.",
    }


@dataclass(kw_only=True)
class Walk:
    """Settings of a walk."""

    steps: int
    """Steps to take."""
    is_fast: bool = False
    """Whether it is fast."""


@dataclass(kw_only=True)
class Tour(Walk):
    """Settings of a tour."""

    steps: int = 3
    cities: tuple[str, ...] = ("Rome",)
    """Cities to see."""
    pace: str = field(default="slow", metadata={"choices": ("slow", "quick")})
    """Pace of it."""


def test_fields_are_options_and_those_not_given_keep_their_default() -> None:
    parser = Parser(prog="tour")
    add_fields(parser, Tour)
    args = parser.parse_args(["--cities", "Bonn", "Kiel", "--is-fast"])
    assert fields_given(args, Tour) == {"cities": ["Bonn", "Kiel"], "is_fast": True}
    told = " ".join(parser.format_help().split())
    assert "--steps N Steps to take. [3]" in told  # by the parent class
    assert "--pace {slow,quick} Pace of it. [slow]" in told


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "walk: needed --steps, got none"),
        ("--steps x", "walk: argument --steps: needed a whole number, got 'x'"),
    ],
)
def test_a_field_without_a_default_is_required(
    capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    parser = Parser(prog="walk")
    add_fields(parser, Walk)
    with pytest.raises(SystemExit):
        parser.parse_args(line.split())
    assert message in capsys.readouterr().err
