"""Frames as small pictures: which, how large, each kept once, and no more than fits."""

import base64
import io
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.page.stills import MOST_FRAMES, Album, Still, spread, stills
from tests.benchmarks.page.test_write import RIGHT, ZOOM, played
from zoomgym.errors import RecordError, TaskError
from zoomgym.records import Record
from zoomgym.tasks.catalog import open_task_set
from zoomgym.tasks.synthetic import SyntheticTasks


@pytest.fixture(scope="module")
def record() -> Record:
    task = open_task_set("synthetic:flash", split="train", source="scene")[0]
    return played("zoomer", ZOOM, RIGHT, task=task, tasks="synthetic:flash")


def size_of(still: Still) -> tuple[int, int]:
    return Image.open(io.BytesIO(still.webp)).size


def test_overview_is_small_and_clips_are_larger(record: Record, tmp_path: Path) -> None:
    overview, clip = stills(record, tmp_path, with_overview=True)
    assert [len(overview), len(clip)] == [64, 4]
    assert [still.time_s for still in clip] == [10.0, 10.5, 11.0, 11.5]
    assert (size_of(overview[0]), size_of(clip[0])) == ((96, 96), (192, 192))
    assert len(clip[0].webp) < 10_000


def test_overview_is_left_out_if_it_is_not_wanted(record: Record, tmp_path: Path) -> None:
    [clip] = stills(record, tmp_path, with_overview=False)
    assert len(clip) == 4


def test_pictures_are_no_larger_than_what_the_agent_saw(tmp_path: Path) -> None:
    task = open_task_set("synthetic:flash", split="train", source="scene")[0]
    record = played("zoomer", ZOOM, RIGHT, task=task, tasks="synthetic:flash")
    record.settings["max_pixels"] = 28 * 28  # type: ignore[index]
    shown = stills(record, tmp_path, with_overview=True)
    assert {size_of(still) for strip in shown for still in strip} == {(28, 28)}


def test_a_task_that_is_neither_synthetic_nor_of_a_named_set_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"set that --tasks names, got sky-1 of gone\.jsonl"):
        stills(played("guesser", RIGHT), tmp_path, with_overview=True)


def test_a_video_that_is_not_written_is_drawn_and_one_that_is_written_is_decoded(
    tmp_path: Path,
) -> None:
    tasks = SyntheticTasks(("flash",), "train", 60, "easy", "file", tmp_path)
    record = played("zoomer", ZOOM, RIGHT, task=tasks[0], tasks="synthetic:flash")
    encoded = replace(record, settings={**record.settings, "source": "file"})
    drawn = stills(record, tmp_path, with_overview=True)
    assert stills(encoded, tmp_path, with_overview=True) == drawn
    assert not list(tmp_path.iterdir())
    tasks.open_video(tasks[0]).close()
    assert stills(encoded, tmp_path, with_overview=True) != drawn
    assert stills(record, tmp_path, with_overview=True) == drawn


def test_a_short_record_of_ten_hours_writes_no_video(tmp_path: Path) -> None:
    task = SyntheticTasks(("flash",), "train", 36_000, "easy", "scene")[0]
    record = played("zoomer", ZOOM, RIGHT, task=task, tasks="synthetic:flash", duration_s=36_000)
    long = replace(record, settings={**record.settings, "source": "file"})
    overview, clip = stills(Record.from_json(long.to_json()), tmp_path, with_overview=True)
    assert (len(overview), len(clip)) == (64, 4)
    assert not list(tmp_path.iterdir())


def test_a_record_that_gives_another_length_of_its_video_is_not_shown(tmp_path: Path) -> None:
    task = SyntheticTasks(("flash",), "train", 60, "easy", "scene")[0]
    longer = played("guesser", RIGHT, task=task, tasks="synthetic:flash", duration_s=600)
    longer.settings["duration_s"] = 60  # type: ignore[index]
    with pytest.raises(RecordError, match="needed a video as long as the record says, got another"):
        stills(longer, tmp_path, with_overview=True)


def test_very_many_frames_are_thinned_out_evenly() -> None:
    assert spread(range(64)) == range(64)
    assert list(spread(range(300))) == list(range(0, 300, 3))
    assert len(spread(range(10_000))) <= MOST_FRAMES


def test_each_picture_is_kept_once() -> None:
    album = Album(max_bytes=6)
    first = album.add([[Still(1.0, b"abc"), Still(2.0, b"xyz")]])
    again = album.add([[Still(3.0, b"xyz")], []])
    assert first == [[(1.0, 0), (2.0, 1)]]
    assert again == [[(3.0, 1)], []]
    assert album.to_base64() == [base64.b64encode(webp).decode() for webp in (b"abc", b"xyz")]


def test_what_does_not_fit_leaves_the_album_as_it_was() -> None:
    album = Album(max_bytes=5)
    assert album.add([[Still(1.0, b"abc"), Still(2.0, b"xyz")]]) is None
    assert album.add([[Still(1.0, b"abc"), Still(2.0, b"xy")]]) == [[(1.0, 0), (2.0, 1)]]
    assert album.add([[Still(1.0, b"z")]]) is None
    assert len(album.to_base64()) == 2
