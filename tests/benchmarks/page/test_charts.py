"""Histograms of how agents zoom: what is counted, and how high a bar is."""

import json

from benchmarks.page.charts import MOST_BAR_HEIGHT, fps_histogram, zooms_histogram
from tests.benchmarks.page.test_write import RIGHT, played

AGENTS = ["a", "b"]


def zoom(fps: float) -> str:
    return json.dumps({"segment": [10, 14], "fps": fps})


RECORDS = [
    played("a", zoom(0.25), zoom(2), zoom(4), RIGHT),
    played("a", zoom(2), zoom(400), RIGHT),  # the second is refused
    played("b", RIGHT),
]


def test_rates_are_counted_for_executed_zooms() -> None:
    histogram = fps_histogram(RECORDS, AGENTS)
    assert [label for _, label in histogram.labels] == [
        "<0.5", "0.5-1", "1-2", "2-4", "4-8", "8-16", "≥16",
    ]  # fmt: skip
    a, b = histogram.lines
    assert [(bar.label, bar.count, bar.share) for bar in a.bars] == [
        ("<0.5", 1, 0.25), ("2-4", 2, 0.5), ("4-8", 1, 0.25),
    ]  # fmt: skip
    assert (a.total, b.total, b.bars) == (4, 0, ())


def test_zooms_are_counted_for_every_episode() -> None:
    a, b = zooms_histogram(RECORDS, AGENTS).lines
    assert [(bar.label, bar.count) for bar in a.bars] == [("1", 1), ("3", 1)]
    assert [(bar.label, bar.share) for bar in b.bars] == [("0", 1.0)]


def test_very_many_zooms_share_the_last_bin() -> None:
    record = RECORDS[1]
    many = played("a", *[zoom(1)] * 4, RIGHT)
    turns = (many.turns[0],) * 30
    object.__setattr__(many, "turns", turns)
    histogram = zooms_histogram([record, many], ["a"])
    assert [label for _, label in histogram.labels][-2:] == ["7", "8+"]
    assert histogram.lines[0].bars[-1].count == 1


def test_bars_stand_on_their_line_and_in_their_slot() -> None:
    histogram = zooms_histogram(RECORDS, AGENTS)
    full = histogram.lines[1].bars[0]
    assert full.height == MOST_BAR_HEIGHT
    assert full.y + full.height == histogram.lines[1].foot_y
    middle = histogram.labels[0][0]
    assert abs(full.x + full.width / 2 - middle) < 0.1
