"""The search for leaks finds those that are planted, and none where there are none."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.evaluation import leaks
from benchmarks.evaluation.leaks import CLUES, found
from benchmarks.evaluation.statistics import wilson
from zoomgym.grading import letter
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.synthetic import FAMILIES, SyntheticTasks

COLORS = ("red", "green", "blue", "white", "black", "gray")
NUM_TASKS = 200


def some_tasks() -> tuple[list[VideoQuestion], np.ndarray]:
    """Returns tasks with shuffled options, and the index of each right text."""
    rng = np.random.default_rng(0)
    tasks, right = [], []
    for i in range(NUM_TASKS):
        options = [int(k) for k in rng.permutation(len(COLORS))[:4]]
        place = int(rng.integers(4))
        named = tuple(COLORS[k] for k in options)
        tasks.append(VideoQuestion(f"q{i}", "v", "?", letter(place), named))
        right.append(options[place])
    return tasks, np.array(right)


def test_a_clue_that_tells_the_text_is_found() -> None:
    tasks, right = some_tasks()
    assert np.mean(found(np.eye(len(COLORS))[right], tasks)) == 1.0


def test_a_clue_that_tells_the_place_is_found() -> None:
    tasks, _ = some_tasks()
    places = np.array([[float(ord(task.answer))] for task in tasks])
    assert np.mean(found(np.hstack([places, places**2]), tasks)) > 0.9


def test_a_weak_clue_is_told_from_none() -> None:
    tasks, right = some_tasks()
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(NUM_TASKS, 6))
    estimate = wilson(found(noise, tasks))
    assert estimate.low < 0.25 < estimate.high
    assert wilson(found(noise + 1.5 * np.eye(len(COLORS))[right], tasks)).low > 0.25


@pytest.mark.parametrize("family", FAMILIES)
def test_every_clue_has_a_row_for_every_task(family: str, tmp_path: Path) -> None:
    tasks = SyntheticTasks((family,), "test", 30, "easy", "scene")
    drawn = [tasks[index] for index in range(5)]
    for clue, features_of in CLUES.items():
        if clue != "file size":
            assert len(features_of(tasks, drawn, tmp_path)) == 5


def letters(
    tasks: SyntheticTasks, drawn: Sequence[VideoQuestion], folder: Path
) -> NDArray[np.float64]:
    """Returns the right answers themselves: the worst of all leaks."""
    return np.array([[letter(k) == task.truth for k in range(4)] for task in drawn], float)


def test_a_leak_is_named_and_makes_the_command_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--families", "flash", "--tasks", "60", "--clues", "question", "duration"]
    assert leaks.main(arguments) == 0
    assert "0 of 2 clues tell more than chance" in capsys.readouterr().out
    monkeypatch.setitem(CLUES, "question", letters)  # type: ignore[arg-type]
    assert leaks.main(arguments) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "1 of 2 clues tell more than chance" in said
    assert said.endswith("for all at once): flash by question")


def test_one_interval_of_many_that_misses_by_luck_is_no_leak(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lucky = [True] * 36 + [False] * 64  # at least 0.273 with 95%, 0.246 if one of six
    monkeypatch.setattr(leaks, "found", lambda features, tasks: lucky)
    arguments = ["--tasks", "100", "--clues", "question", "--families"]
    assert leaks.main([*arguments, "flash"]) == 1
    assert leaks.main([*arguments, *(name for name in FAMILIES if name != "motion")]) == 0
    said = capsys.readouterr().out
    assert said.count("0.360 (0.273..0.458)") == 7
    assert "0 of 6 clues tell more than chance" in said


@pytest.mark.usefixtures("short_videos")
def test_the_size_of_a_file_is_that_of_the_video_and_no_file_stays(tmp_path: Path) -> None:
    tasks = SyntheticTasks(("flash",), "test", 8, "easy", "scene")
    drawn = [tasks[0], tasks[1]]
    sizes = CLUES["file size"](tasks, drawn, tmp_path)
    assert list(tmp_path.iterdir()) == []
    written = [tasks.write_video(task, tmp_path).stat().st_size for task in drawn]
    assert sizes[:, 0].tolist() == written
    assert sorted(sizes[:, 1]) == [0, 1]
