"""What is said below a ranking, word for word."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from benchmarks.evaluation.metrics import ALL, Score, leaderboard
from benchmarks.evaluation.summary import reading
from benchmarks.leaderboard import show_ranking
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played
from zoomgym.records import Record

HOW = "in accuracy on the same tasks, with 95% confidence"
GUESSING = "guessing (0.50)"


def results(**answers: str) -> list[Record]:
    """Returns the records of agents: r is a right answer, w a wrong one, - none at all."""
    replies = {"r": RIGHT, "w": WRONG}
    return [
        played(replies[sign], agent=agent, task=replace(TASK, id=f"q{k}", video=f"v{k}"))
        for agent, own in answers.items()
        for k, sign in enumerate(own)
        if sign != "-"
    ]


def ranked(records: list[Record]) -> list[Score]:
    return [row for row in leaderboard(records) if row.category == ALL]


def read(**answers: str) -> str:
    records = results(**answers)
    return reading(ranked(records), records)


ALL_RIGHT, MOSTLY = "r" * 40, "r" * 30 + "w" * 10
HALF, LESS, NONE = "rw" * 20, "rw" * 19 + "ww", "w" * 40


@pytest.mark.parametrize(
    ("answers", "clauses"),
    [
        ({"a": ALL_RIGHT, "b": MOSTLY}, f"a beats b; all beat {GUESSING}"),
        (
            {"a": ALL_RIGHT, "b": MOSTLY, "c": NONE},
            f"a beats b, which beats c; c is worse than {GUESSING}",
        ),
        ({"a": ALL_RIGHT, "b": ALL_RIGHT}, f"a and b are too close to call; all beat {GUESSING}"),
        (
            {"a": HALF, "b": LESS, "c": LESS},
            "a, b and c are each too close to the next to call; "
            f"a, b and c are too close to {GUESSING} to call",
        ),
        (
            {"a": ALL_RIGHT, "b": HALF, "c": LESS, "d": NONE, "e": NONE},
            "a beats b; b and c are too close to call; c beats d; d and e are too close to call; "
            f"b and c are too close to {GUESSING} to call; d and e are worse than {GUESSING}",
        ),
        ({"a": ALL_RIGHT}, f"a beats {GUESSING}"),
        ({"a": HALF}, f"a is too close to {GUESSING} to call"),
        ({"a": NONE}, f"a is worse than {GUESSING}"),
        (
            {"a": "r" * 9 + "-" * 9, "b": "-" * 9 + "r" * 8 + "w"},
            f"a and b share no task; all beat {GUESSING}",
        ),
        (
            {"a": "r" * 30 + "w" * 10, "b": "-" * 20 + "r" * 14 + "w" * 6},
            f"b beats a where both played; b is too close to {GUESSING} to call",
        ),
    ],
)
def test_what_a_ranking_shows_is_said_in_words(answers: dict[str, str], clauses: str) -> None:
    assert read(**answers) == f"What it shows: {clauses} ({HOW})."


def test_agents_that_are_told_the_evidence_are_marked() -> None:
    assert read(oracle=ALL_RIGHT, a=HALF, tutor=HALF) == (
        f"What it shows: oracle* beats a; a and tutor* are too close to call; "
        f"a and tutor* are too close to {GUESSING} to call ({HOW}; * is told where to look)."
    )


def test_nothing_is_said_of_guessing_where_there_are_no_options_or_of_what_is_not_graded() -> None:
    task = replace(TASK, options=(), answer="a red car")
    right, wrong = '{"answer": "a red car"}', '{"answer": "a dog"}'
    records = [
        played(reply, agent=agent, task=replace(task, id=f"q{k}", video=f"v{k}"))
        for k in range(9)
        for agent, reply in (("a", right), ("b", wrong))
    ]
    assert reading(ranked(records), records) == f"What it shows: a beats b ({HOW})."
    alone = [record for record in records if record.agent == "a"]
    assert reading(ranked(alone), alone) == ""
    ungraded = [replace(record, grading="ungraded") for record in records]
    assert reading(ranked(ungraded), ungraded) == ""


@pytest.mark.parametrize("width", [60, 80, 120])
def test_it_is_said_once_below_the_first_table_and_steers_no_terminal(width: int) -> None:
    records = results(**{"[red]\x1b[2J": MOSTLY, "b": NONE})
    console = Console(width=width, file=io.StringIO(), color_system=None)
    with console.capture() as capture:
        show_ranking(console, records)
    printed = capture.get()
    assert max(map(len, printed.splitlines())) <= width
    first, _, _ = printed.partition("Accuracy by category")
    said = " ".join(first.rpartition("┘")[2].partition("Left out")[0].split())
    assert said.endswith(
        f"What it shows: [red]\\x1b[2J beats b; b is worse than guessing (0.50) ({HOW})."
    )
    assert printed.count("What it shows") == 1
