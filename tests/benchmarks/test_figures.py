"""The pictures of the documentation: what is in them, from which data, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from matplotlib.axes import Axes

from benchmarks.evaluation.statistics import wilson
from benchmarks.figures import (
    LearningCurve,
    draw_categories,
    draw_curves,
    main,
    panels_of,
    read_curve,
    read_panels,
)
from benchmarks.leaderboard import as_csv, blocks
from tests.benchmarks.episodes import RIGHT, TASK, WRONG, played
from zoomgym.records import Record, write_records

ROOT = Path(__file__).parents[2]
MEASUREMENTS = ROOT / "docs" / "measurements"
HEADER = "time/total_timesteps,time/time_elapsed,rollout/success_rate,eval/success_rate\n"
FIRST = HEADER + "1000,60,0.2,\n2000,,,0.4\n3000,180,0.3,\n"
SECOND = HEADER + "4000,30,0.5,\n5000,90,0.6,\n5000,,,0.9\n"


def result(agent: str, reply: str, category: str, duration_s: float) -> Record:
    """Returns the record of an agent on a task of a category, so long."""
    name = f"{category}{duration_s}"
    task = replace(TASK, id=name, video=name, category=category)
    return replace(played(reply, task=task, agent=agent), duration_s=duration_s)


RECORDS = [
    result(agent, reply, category, duration_s)
    for agent, reply in (("poor", WRONG), ("<$b$>", RIGHT))
    for category in ("a", "b & c")
    for duration_s in (60.0, 3600.0)
]


def texts(picture: Path) -> list[str]:
    """Returns every text in a picture, in its order."""
    tree = ElementTree.fromstring(picture.read_text())
    return [text.text or "" for text in tree.iter("{http://www.w3.org/2000/svg}text")]


def points(ax: Axes, label: str) -> list[tuple[float, float]]:
    """Returns the points of a line, rounded."""
    [line] = [line for line in ax.lines if line.get_label() == label]
    return [(round(float(x), 9), round(float(y), 9)) for x, y in line.get_xydata()]


def draw(arguments: list[Any]) -> None:
    assert main([str(argument) for argument in arguments]) == 0


def test_a_picture_of_records_names_agents_categories_and_lengths(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, picture = tmp_path / "records.jsonl", tmp_path / "a.svg"
    write_records(path, RECORDS)
    draw(["categories", picture, path])
    assert capsys.readouterr().out == f"8 episodes -> {picture}\n"
    told = texts(picture)
    assert [text for text in told if text in ("<$b$>", "poor")] == ["<$b$>", "poor"]
    assert [text for text in told if text in ("a", "b & c", "up to 2 min", "15-60 min")] == [
        "a", "b & c", "up to 2 min", "a", "b & c", "15-60 min",
    ]  # fmt: skip
    once = picture.read_bytes()
    draw(["categories", picture, path])
    assert picture.read_bytes() == once
    assert not re.search(rb"[Mm]atplotlib v|<dc:date>", once)


def test_panels_hold_accuracy_and_chance_of_what_is_graded() -> None:
    ungraded = replace(result("later", RIGHT, "a", 60.0), grading="ungraded")
    short, long = panels_of([*RECORDS, ungraded])
    assert (short.title, long.title) == ("up to 2 min", "15-60 min")
    assert short.chances == {"a": 0.5, "b & c": 0.5}
    assert {place: one.mean for place, one in short.accuracies.items()} == {
        ("poor", "a"): 0.0,
        ("poor", "b & c"): 0.0,
        ("<$b$>", "a"): 1.0,
        ("<$b$>", "b & c"): 1.0,
    }
    assert short.accuracies["<$b$>", "a"] == wilson([1.0])
    [marks, _] = [ax.containers for ax in draw_categories([short, long]).axes]
    assert [container.get_label() for container in marks] == [r"<\$b\$>", "poor"]


def test_a_table_of_a_leaderboard_gives_the_same_panels_as_its_records(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(as_csv(blocks(RECORDS)))
    assert read_panels(path) == panels_of(RECORDS)


def test_sessions_follow_each_other_in_steps_and_in_minutes(tmp_path: Path) -> None:
    by_steps = read_curve(run_in(tmp_path / "run"), "steps")
    assert by_steps.train == ((1.0, 0.2), (3.0, 0.3), (4.0, 0.5), (5.0, 0.6))
    assert by_steps.test == ((2.0, 0.4), (5.0, 0.9))
    by_time = read_curve(tmp_path / "run", "minutes")
    assert by_time.train == ((1.0, 0.2), (3.0, 0.3), (3.5, 0.5), (4.5, 0.6))
    assert by_time.test == ((2.0, 0.4), (4.5, 0.9))


def test_progress_in_processor_time_needs_a_log_that_has_it(tmp_path: Path) -> None:
    run = run_in(tmp_path / "run")
    for path in run.glob("log/*/progress.csv"):
        first, *rows = path.read_text().splitlines()
        elapsed = [row.split(",")[1] for row in rows]
        quarters = [str(float(seconds) / 4) if seconds else "" for seconds in elapsed]
        rows = [f"{row},{quarter}" for row, quarter in zip(rows, quarters, strict=True)]
        path.write_text("\n".join([f"{first},time/processor_s", *rows]) + "\n")
    of_wall, of_processor = (read_curve(run, axis) for axis in ("minutes", "processor"))
    assert of_processor.test == tuple((x / 4, y) for x, y in of_wall.test)
    with pytest.raises(FileNotFoundError, match="needs a column time/processor_s, found none"):
        read_curve(run_in(tmp_path / "old"), "processor")


def run_in(folder: Path) -> Path:
    for name, text in (("from_3000", SECOND), ("from_0", FIRST)):
        (folder / "log" / name).mkdir(parents=True)
        (folder / "log" / name / "progress.csv").write_text(text)
    return folder


def test_curves_hold_every_point_and_every_name() -> None:
    curves = [
        LearningCurve("a & b", ((0.0, 0.0), (2.0, 1.0)), ((1.0, 0.5),)),
        LearningCurve("c", (), ()),
    ]
    [ax] = draw_curves(curves, "minutes", 0.25).axes
    assert points(ax, "a & b") == [(1.0, 0.5)]
    assert points(ax, "c") == []
    level, train, *_ = ax.lines
    assert level.get_ydata() == [0.25, 0.25]
    assert train.get_xydata().tolist() == [[0.0, 0.0], [2.0, 1.0]]


def test_the_command_draws_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, picture = run_in(tmp_path / "run"), tmp_path / "x.svg"
    draw(["curves", picture, run, "--axis", "steps"])
    assert {"1,000 steps", "success", "run"} <= set(texts(picture))
    assert capsys.readouterr().out == f"1 run -> {picture}\n"


def test_bars_of_decoding_say_how_long_it_took_and_what_was_wrong(tmp_path: Path) -> None:
    rows = [
        {"file": "a.mp4", "work": "zoom", "peer": peer, "median_s": median_s, "error": error}
        | {"num_frames": 9, "num_wrong": num_wrong}
        for peer, median_s, error, num_wrong in (
            ("ours", 0.5, "", 0),
            ("slow", 2.0, "", 3),
            ("none", None, "hangs", 0),
        )
    ]
    alone = {**rows[0], "file": "b.mp4"}
    path, picture = tmp_path / "video.json", tmp_path / "x.svg"
    path.write_text(json.dumps({"parts": {"peers": {"rows": [*rows, alone]}}}))
    draw(["decoding", picture, path])
    assert texts(picture) == [
        "ours", "slow", "none", "500 ms", "2000 ms, 3 of 9 frames wrong", "hangs", "a.mp4 - zoom",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["categories", "x.svg", "ungraded.jsonl"], "needed a graded episode, got none"),
        (["categories", "x.svg", "empty.csv"], "needed cells of category and length, got none"),
        (["curves", "x.svg", "."], "needs a log of agents.sb3, found none"),
        (["decoding", "x.svg", "empty.csv"], "needed the part peers of"),
        (["decoding", "x.svg", "alone.json"], "needed rows that compare at least two peers"),
        (["decoding", "x.svg", "missing.json"], "missing.json"),
    ],
)
def test_what_cannot_be_drawn_is_refused(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_records(Path("ungraded.jsonl"), [replace(RECORDS[0], grading="ungraded")])
    Path("empty.csv").write_text("suite,table\n")
    Path("alone.json").write_text('{"parts": {"peers": {"rows": []}}}')
    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
    assert not Path("x.svg").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    "arguments",
    [
        ["categories", "standard-v0.svg", "standard-v0.csv"],
        ["decoding", "video_peers.svg", "video.json"],
    ],
)
def test_pictures_of_the_documentation_show_the_data_beside_them(
    arguments: list[str], tmp_path: Path
) -> None:
    what, picture, data = arguments
    draw([what, tmp_path / picture, MEASUREMENTS / data])
    assert sorted(texts(tmp_path / picture)) == sorted(texts(MEASUREMENTS / picture))


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were(tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    draw(["curves", tmp_path / "x.svg", run_in(tmp_path / "run")])
    assert dict(matplotlib.rcParams) == before
