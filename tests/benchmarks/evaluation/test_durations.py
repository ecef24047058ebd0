"""Accuracy by how long the video is: spans, their order, and what is left out."""

from dataclasses import replace

from benchmarks.evaluation.durations import chance_by_duration, duration_rows
from benchmarks.evaluation.metrics import ACCURACY, estimate
from tests.benchmarks.page.test_write import RIGHT, SEA, WRONG, played

SHORT = played("a", RIGHT)
LONG = replace(played("a", WRONG, task=SEA), duration_s=3600.0)
LONGER = replace(played("b", RIGHT), duration_s=3600.1)
UNGRADED = replace(played("b", RIGHT), grading="ungraded")


def test_rows_are_by_agent_and_span() -> None:
    rows = duration_rows([LONGER, LONG, SHORT, SHORT, UNGRADED])
    assert {(row.agent, row.category): row.num_episodes for row in rows} == {
        ("b", "over 60 min"): 1,
        ("a", "15-60 min"): 1,
        ("a", "up to 2 min"): 2,
    }
    assert rows[2].estimates == {"accuracy": estimate(ACCURACY, [SHORT, SHORT])}


def test_chance_comes_from_the_shortest_span_to_the_longest() -> None:
    assert list(chance_by_duration([LONGER, LONG, SHORT]).items()) == [
        ("up to 2 min", 0.5),
        ("15-60 min", 0.25),
        ("over 60 min", 0.5),
    ]


def test_what_nobody_could_grade_is_in_no_span() -> None:
    assert chance_by_duration([UNGRADED]) == {}
