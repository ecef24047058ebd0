"""Synthetic sets: balanced, split, solvable, the same everywhere."""

import hashlib
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.clips import first_video
from zoomgym.errors import TaskError
from zoomgym.rules.question import VideoQuestion
from zoomgym.rules.timeline import overview_times
from zoomgym.tasks.synthetic import DIFFICULTIES, FAMILIES, SyntheticTasks, task_set
from zoomgym.tasks.synthetic.families import motion
from zoomgym.tasks.synthetic.layout import BLUE, FPS
from zoomgym.tasks.synthetic.marks import Board, Plate, Wheel
from zoomgym.tasks.synthetic.task_set import _file_name
from zoomgym.video import VideoFile

DURATIONS_S = (30, 60, 600, 3600)


def tasks_of(*families: str, **settings: object) -> SyntheticTasks:
    given = {"split": "train", "duration_s": 60, "difficulty": "easy", "source": "scene"}
    return SyntheticTasks(families, **{**given, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("split", ["train", "test"])
def test_answers_are_exactly_balanced_over_the_options(family: str, split: str) -> None:
    tasks = tasks_of(family, split=split)
    places = "ABCD"[: len(tasks[0].options)]
    for size in (4, 12, 200):
        letters = Counter(tasks[index].answer for index in range(size))
        assert letters == dict.fromkeys(places, size // len(places))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_answers_are_exactly_balanced_over_a_whole_set(family: str) -> None:
    tasks = tasks_of(family)
    letters = Counter(tasks[index].answer for index in range(len(tasks)))
    places = "ABCD"[: len(tasks[0].options)]
    assert letters == dict.fromkeys(places, 10_000 // len(places))


def test_every_block_of_four_tasks_has_each_letter_once() -> None:
    tasks = tasks_of("flash")
    for block in range(50):
        assert {tasks[4 * block + i].answer for i in range(4)} == set("ABCD")


def test_a_mixed_set_takes_the_families_by_turns() -> None:
    tasks = tasks_of("flash", "order", "overview")
    assert len(tasks) == 30_000
    assert [tasks[i].category for i in range(4)] == ["flash", "order", "overview", "flash"]
    assert tasks[3] == tasks_of("flash")[1]


def test_splits_share_no_seed() -> None:
    train, test = tasks_of("flash"), tasks_of("flash", split="test")
    seeds = [{tasks._seed(index) for index in range(10_000)} for tasks in (train, test)]
    assert len(seeds[0] | seeds[1]) == 20_000


def test_a_task_is_found_by_its_id() -> None:
    tasks = tasks_of("flash", "order")
    assert tasks.by_id("order-easy-60s-train-00005") == tasks[11]
    for wrong in (
        "order-easy-60s-test-00005",
        "order-easy-60s-train-5",
        "",
        "order-easy-60s-train-٠٠٠٠٥",
    ):
        with pytest.raises(TaskError, match="task_id needs to be one of synthetic:flash,order"):
            tasks.by_id(wrong)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"split": "dev"}, "split needs one of train, test, got 'dev'"),
        ({"difficulty": "ez"}, "difficulty needs one of easy, medium, hard, got 'ez'"),
        ({"source": "web"}, "source needs one of file, scene, got 'web'"),
        ({"duration_s": 10}, "duration_s needs 30 to 36000 seconds, got 10"),
        ({"duration_s": "60"}, "duration_s needs 30 to 36000 seconds, got '60'"),
        ({"duration_s": float("nan")}, "duration_s needs 30 to 36000 seconds, got nan"),
    ],
)
def test_a_set_that_does_not_exist_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        tasks_of("flash", **settings)
    with pytest.raises(TaskError, match=r"synthetic family needs one of flash, .*, got 'flush'"):
        tasks_of("flush")


@pytest.mark.parametrize("duration_s", DURATIONS_S)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
@pytest.mark.parametrize("family", ["flash", "order"])
def test_brief_events_hide_between_the_samples_of_the_overview(
    family: str, difficulty: str, duration_s: int
) -> None:
    tasks = tasks_of(family, difficulty=difficulty, duration_s=duration_s)
    last_frame_s = duration_s - 1 / FPS
    step_s = last_frame_s / 63
    times_s = overview_times(last_frame_s, 64)
    for index in range(20):
        task = tasks[index]
        [beacon, *_] = tasks._puzzle(family, index).scene.beacons
        assert any(beacon.first <= time_s * FPS < beacon.end for time_s in times_s)
        for segment in task.evidence:
            assert not any(map(segment.holds, times_s))
            assert beacon.first < segment.start_s * FPS
            assert segment.end_s * FPS < beacon.end
            length_s = segment.end_s - segment.start_s
            assert length_s <= min(1.0, 0.8 * step_s) + 1e-9
            assert length_s >= min(0.3, 0.8 * step_s - 1 / FPS)


def test_the_two_events_of_order_do_not_touch() -> None:
    tasks = tasks_of("order")
    for index in range(50):
        first, second = tasks[index].evidence
        assert first.end_s + 0.2 < second.start_s


def test_the_overview_family_shows_its_answer_in_many_samples() -> None:
    """The pair that is asked for is shown whole, twelve samples long."""
    tasks = tasks_of("overview")
    times_s = overview_times(60 - 1 / FPS, 64)
    for index in range(50):
        [segment] = tasks[index].evidence
        assert 12 <= sum(map(segment.holds, times_s)) <= 14


def test_a_medium_task_has_decoys_in_blue() -> None:
    scene = tasks_of("flash", difficulty="medium")._puzzle("flash", 0).scene
    assert [beacon.color for beacon in scene.beacons] == [(255, 170, 0), *[(70, 130, 255)] * 2]
    assert len({sign.symbol for sign in scene.plates}) >= 2


def digest(tasks: SyntheticTasks, index: int) -> str:
    with_video = tasks.open_video(tasks[index])
    frames = with_video.frames_at([0.0, 10.0, 29.99], (64, 64))
    return hashlib.sha256(repr(tasks[index]).encode() + frames.tobytes()).hexdigest()


@pytest.mark.long
def test_a_task_is_the_same_in_another_process() -> None:
    code = (
        "from tests.tasks.synthetic.test_task_set import digest, tasks_of;"
        "print(digest(tasks_of('order'), 77))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == digest(tasks_of("order"), 77)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the first task's video."""
    tasks = tasks_of("flash", source="file", duration_s=30)
    return first_video(tasks, tmp_path_factory.mktemp("written"))


@pytest.mark.long
def test_the_file_shows_the_pictures_of_the_scene_up_to_compression() -> None:
    drawn, encoded = (
        tasks_of("flash", source=source, duration_s=30) for source in ("scene", "file")
    )
    scene, file = drawn.open_video(drawn[0]), encoded.open_video(encoded[0])
    assert isinstance(file, VideoFile)
    assert (file.duration_s, file.last_frame_s, file.size) == (30.0, 359 / 12, (256, 256))
    assert (scene.duration_s, scene.last_frame_s, scene.size) == (30.0, 359 / 12, (256, 256))
    times_s = [*np.linspace(0, 30, 40), drawn[0].evidence[0].start_s, drawn[0].evidence[0].end_s]
    pictures = [video.frames_at(times_s, (256, 256)).astype(int) for video in (scene, file)]
    difference = np.abs(pictures[0] - pictures[1]).mean(axis=(1, 2, 3))
    assert difference.max() < 6  # a frame beside an event's edge differs by far more
    file.close()


def test_evidence_is_where_the_symbol_is_and_nowhere_else() -> None:
    tasks = tasks_of("flash")
    video = tasks.open_video(tasks[0])
    [(start_s, end_s)] = tasks[0].evidence
    middle = (slice(None), slice(100, 240), slice(None))
    before, first, last, after = (
        video.frames_at([t], (256, 256))[0][middle[1:]].astype(int)
        for t in (start_s - 1 / FPS, start_s, end_s - 1 / FPS, end_s)
    )
    assert np.abs(first - before).mean() > 20
    assert np.abs(last - first).mean() < 10
    assert np.abs(after - last).mean() > 20


@pytest.mark.usefixtures("short_videos")
def test_files_are_written_once_into_the_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ZOOMGYM_CACHE", str(tmp_path / "by-variable"))
    caplog.set_level("INFO", "zoomgym")
    tasks = tasks_of("flash", source="file", duration_s=8)
    for _ in range(2):
        tasks.open_video(tasks[0]).close()
    [path] = (tmp_path / "by-variable").rglob("*.mp4")
    assert path.name.startswith("flash-easy-8s-train-00000-")
    assert [f"wrote {path} in" in record.message for record in caplog.records] == [True]
    other = tasks_of("flash", source="file", duration_s=8, cache_dir=tmp_path / "by-argument")
    other.open_video(other[0]).close()
    assert len(list((tmp_path / "by-argument").rglob("*.mp4"))) == 1


@pytest.mark.usefixtures("short_videos")
def test_the_same_task_is_the_same_file_byte_by_byte(tmp_path: Path) -> None:
    tasks = tasks_of("flash", source="file", duration_s=8)
    one, other = (tasks.write_video(tasks[0], tmp_path / name) for name in ("a", "b"))
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()


def test_another_duration_or_difficulty_is_another_file() -> None:
    names = {
        _file_name(tasks[0], tasks._puzzle("flash", 0).scene)
        for tasks in (
            tasks_of("flash", duration_s=1000.25),
            tasks_of("flash", duration_s=1000.5),  # both are called 1000s-ish in ids
            tasks_of("flash", difficulty="hard"),
        )
    }
    assert len(names) == 3


def named(plate: Plate) -> str:
    """Returns the option that a plate alone may seem to name."""
    if isinstance(plate, Wheel):
        return "clockwise" if plate.phase < 0.5 else "counter-clockwise"
    return plate.tiles[0] if isinstance(plate, Board) else plate.symbol


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.99])
def test_no_single_frame_answers_a_question(family: str, share: float) -> None:
    """Naming what is on screen, or else guessing, stays within the 99% interval of chance."""
    tasks, num_tasks = tasks_of(family), 200
    chance = 1 / len(tasks[0].options)
    right = offered = 0
    for index in range(num_tasks):
        task, scene = tasks[index], tasks._puzzle(family, index).scene
        frame = int(share * scene.num_frames)
        shown = [named(plate) for plate in scene.plates if plate.first <= frame < plate.end]
        offered += any(text in task.options for text in shown)
        right += any(text == task.options["ABCD".index(task.answer)] for text in shown)
    accuracy = (right + (num_tasks - offered) * chance) / num_tasks
    assert abs(accuracy - chance) < 2.6 * (chance * (1 - chance) / num_tasks) ** 0.5


@pytest.mark.parametrize("family", ["flash", "order"])
def test_symbols_under_blue_rule_nothing_out(family: str) -> None:
    tasks, num_tasks = tasks_of(family, difficulty="hard"), 200
    right = decoys = 0
    for index in range(num_tasks):
        task, scene = tasks[index], tasks._puzzle(family, index).scene
        blue = [lamp for lamp in scene.beacons if lamp.color == BLUE]
        for sign in scene.plates:
            if any(lamp.first <= sign.first < lamp.end for lamp in blue):
                decoys += 1
                right += sign.symbol == task.options["ABCD".index(task.answer)]
    assert abs(right - decoys / 8) < 2.6 * (decoys * 7 / 64) ** 0.5


def test_scene_and_file_change_pictures_at_the_same_times(written: Path) -> None:
    tasks = tasks_of("flash", duration_s=30)
    [segment] = tasks[0].evidence
    times_s = [segment.start_s + delta for delta in (-6e-4, -4e-4, -1e-4, -3e-5, 0, 1e-4)]
    with VideoFile(written) as file:
        pictures = [
            video.frames_at(times_s, (64, 64)).astype(int)
            for video in (tasks.open_video(tasks[0]), file)
        ]
    for one, other in zip(*pictures, strict=True):
        assert np.abs(one - other).mean() < 8


def test_a_scene_that_is_drawn_otherwise_is_another_file() -> None:
    tasks = tasks_of("overview")
    scene = tasks._puzzle("overview", 0).scene
    others = [replace(scene, contrast=0.5), replace(scene, plates=scene.plates[1:])]
    assert len({_file_name(tasks[0], one) for one in (scene, *others)}) == 3


@pytest.mark.long
def test_the_hash_of_a_set_is_the_same_in_another_process_and_for_both_sources() -> None:
    code = (
        "from tests.tasks.synthetic.test_task_set import tasks_of;"
        "print(tasks_of('count', 'relay', source='file').content_hash)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert re.fullmatch("[0-9a-f]{12}", printed.strip())
    assert printed.strip() == tasks_of("count", "relay").content_hash


def test_whatever_changes_a_task_changes_the_hash_of_its_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = [
        tasks_of("motion"),
        tasks_of("count"),
        tasks_of("count", "motion"),
        tasks_of("count", split="test"),
        tasks_of("count", duration_s=60.5),
        tasks_of("count", difficulty="hard"),
        tasks_of("count", difficulty={"contrast": 0.9}),
    ]
    assert len({tasks.content_hash for tasks in sets}) == len(sets)
    before = tasks_of("motion").content_hash
    unkept = task_set.draw_puzzle.__wrapped__  # puzzles are kept
    monkeypatch.setattr(task_set, "draw_puzzle", unkept)
    monkeypatch.setattr(motion, "FASTEST", 0.45)
    assert tasks_of("motion").content_hash != before


def test_tasks_are_plain_values() -> None:
    assert isinstance(tasks_of("flash")[0], VideoQuestion)
    with pytest.raises(IndexError, match="has tasks 0 to 9999, got 10000"):
        tasks_of("flash")[10_000]
