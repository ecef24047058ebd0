"""The picture of accuracy by category and length: what stands in it, and what is refused."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.page.charts import ACCURACY
from benchmarks.panels import draw_panels, main
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played
from zoomgym.records import Record, write_records

SVG = "{http://www.w3.org/2000/svg}"


def result(agent: str, reply: str, category: str, duration_s: float) -> Record:
    """Returns the record of an agent on a task of a category, so long."""
    name = f"{category}{duration_s}"
    task = replace(TASK, id=name, video=name, category=category)
    return replace(played(reply, task=task, agent=agent), duration_s=duration_s)


RECORDS = [
    result(agent, reply, category, duration_s)
    for agent, reply in (("poor", WRONG), ("<b>", RIGHT))
    for category in ("a", "b & c")
    for duration_s in (60.0, 3600.0)
]


def texts(picture: str) -> list[str]:
    return [text.text or "" for text in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_the_picture_names_agents_categories_and_lengths() -> None:
    told = texts(draw_panels(RECORDS))
    assert told[:2] == ["<b>", "poor"]
    assert [text for text in told if text in ("a", "b & c", "up to 2 min", "15-60 min")] == [
        "up to 2 min", "a", "b & c", "15-60 min", "a", "b & c",
    ]  # fmt: skip


def test_marks_stand_at_their_accuracy_and_ungraded_ones_nowhere() -> None:
    ungraded = replace(result("later", RIGHT, "a", 60.0), grading="ungraded")
    picture = draw_panels([*RECORDS[:2], ungraded])
    assert "later" not in texts(picture)
    [first, _] = ElementTree.fromstring(picture).findall(f"{SVG}g")
    marks = [one.get("transform", "") for one in first.iter(f"{SVG}path") if one.get("transform")]
    assert [mark.split()[1] for mark in marks] == [f"{ACCURACY(0)})"]


def test_the_command_writes_the_picture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, picture = tmp_path / "records.jsonl", tmp_path / "a.svg"
    write_records(path, RECORDS)
    assert main([str(picture), str(path)]) == 0
    assert picture.read_text() == draw_panels(RECORDS)
    assert capsys.readouterr().out == f"8 episodes -> {picture}\n"


def test_records_without_a_grade_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "records.jsonl"
    write_records(path, [replace(RECORDS[0], grading="ungraded")])
    with pytest.raises(SystemExit):
        main([str(tmp_path / "a.svg"), str(path)])
    assert "needed a graded episode, got none" in capsys.readouterr().err
