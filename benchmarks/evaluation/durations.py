"""Accuracy by how long the video is."""

from collections.abc import Sequence

from benchmarks.evaluation.metrics import ACCURACY, Row, chance, estimate
from zoomgym.records import Record

__all__ = ["SPANS", "chance_by_duration", "duration_rows", "span_of"]

SPANS = (
    ("up to 2 min", 120.0),
    ("2-15 min", 900.0),
    ("15-60 min", 3600.0),
    ("over 60 min", float("inf")),
)
"""Names and longest durations in seconds. Source: Video-MME calls its videos short (below 2 min),
medium (4 to 15) and long (30 to 60)."""


def duration_rows(records: Sequence[Record]) -> list[Row]:
    """Returns a row for every agent and span of durations, its category the span's name.

    Args:
        records: every episode that counts; only graded ones are in the rows.
    """
    by_place: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        if record.is_graded:
            by_place.setdefault((record.agent, span_of(record)), []).append(record)
    return [
        Row(agent, span, len(own), 0, {ACCURACY.name: accuracy})
        for (agent, span), own in by_place.items()
        if (accuracy := estimate(ACCURACY, own))
    ]


def chance_by_duration(records: Sequence[Record]) -> dict[str, float]:
    """Returns the accuracy of guessing by span of durations, the shortest first."""
    by_span: dict[str, list[Record]] = {name: [] for name, _ in SPANS}
    for record in records:
        if record.is_graded:
            by_span[span_of(record)].append(record)
    return {name: chance(own) for name, own in by_span.items() if own}


def span_of(record: Record) -> str:
    """Returns the name of the span in which a record's video lies."""
    return next(name for name, most_s in SPANS if record.duration_s <= most_s)
