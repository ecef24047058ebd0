"""What the viewer is given: which episodes, which pictures, and that nothing strange breaks it."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from benchmarks.evaluation.failures import FAILURES
from benchmarks.evaluation.tables import apart, names_of
from benchmarks.page import episodes as viewer
from benchmarks.page.episodes import (
    MOST_FRAMES,
    Album,
    Thumbnail,
    outcome_of,
    spread,
    thumbnails,
    viewer_data,
)
from tests.benchmarks.page.test_write import RECORDS, RIGHT, SEA, TASK, WRONG, ZOOM, played
from zoomgym.errors import RecordError, TaskError
from zoomgym.records import Record
from zoomgym.rules.settings import Rules
from zoomgym.tasks.catalog import open_task_set
from zoomgym.tasks.synthetic import SyntheticTasks

AGENTS, CATEGORIES = ["zoomer", "guesser"], ["sea", "sky"]


def given(records: Sequence[Record], agents: Sequence[str] = AGENTS) -> dict[str, Any]:
    """Returns the data as the page reads it."""
    data = viewer_data(records, agents, CATEGORIES, names_of(list(apart(records))), None)
    return json.loads(json.dumps(data))  # type: ignore[no-any-return]


def test_episodes_come_by_task_and_the_best_agent_first() -> None:
    data = given(RECORDS[::-1])
    assert [task["id"] for task in data["tasks"]] == ["sea-1", "sky-1"]
    assert [(e["task"], e["agent"]) for e in data["episodes"]] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_task_says_all_that_the_time_line_needs() -> None:
    [task] = given(RECORDS[:1])["tasks"]
    assert task["evidence"] == [[10, 11]]
    assert len(task["overview_s"]) == 64
    assert (task["overview_s"][0], task["overview_s"][-1]) == (0.0, 59.917)
    assert task["duration_label"] == "60.0 s"
    assert task["axis"] == [[time_s, f"{time_s}.0 s"] for time_s in range(0, 61, 10)]
    assert (task["options"], task["truth"]) == ([["A", "a kite"], ["B", "a gull"]], 0)


@pytest.mark.parametrize(
    ("duration_s", "last"), [(0.5, "0.5 s"), (3600.0, "1:00:00"), (864_000.0, "240:00:00")]
)
def test_axis_ends_in_a_round_time(duration_s: float, last: str) -> None:
    [task] = given([replace(RECORDS[0], duration_s=duration_s)])["tasks"]
    assert 4 <= len(task["axis"]) <= 7
    assert task["axis"][-1] == [duration_s, last]


def test_turns_hold_reply_feedback_and_zoom() -> None:
    [episode] = given([played("zoomer", "hm", ZOOM, RIGHT)])["episodes"]
    muddled, zoom, answer = episode["turns"]
    assert (muddled["reply"], muddled["is_refused"], muddled["zoom"]) == ("hm", True, None)
    assert zoom["zoom"] == {
        "start_s": 10.0, "end_s": 12.0, "label": "10.0 s - 12.0 s, 2 fps", "num_frames": 4,
    }  # fmt: skip
    assert zoom["feedback"].startswith("Zoom 1: 4 frames of [10.00, 12.00) s at 2 fps.")
    assert (answer["is_refused"], answer["is_well_formed"]) == (False, True)
    assert [list(FAILURES)[kind] for kind in episode["failures"]] == [
        "zoomed when the overview was enough",
        "malformed",
    ]


def test_what_was_given_is_an_option_or_a_text() -> None:
    unclear = played("guesser", '{"answer": "a bird"}')
    episodes = given([RECORDS[0], RECORDS[2], unclear])["episodes"]
    assert [(e["given"], e["answer"]) for e in episodes] == [(0, "A"), (1, "B"), (None, "a bird")]


def test_outcomes_are_told_apart() -> None:
    unknown = replace(RECORDS[2], grading="ungraded")
    some = (RECORDS[0], RECORDS[2], played("silent", *["hm"] * 5), unknown)
    assert tuple(map(outcome_of, some)) == viewer.OUTCOMES
    assert [episode["reward"] for episode in given([unknown])["episodes"]] == [None]


def test_very_long_texts_are_cut() -> None:
    reply = "z" * 1_000_000
    [episode] = given([played("zoomer", reply, RIGHT)])["episodes"]
    assert episode["turns"][0]["reply"] == f"{'z' * 800} … (65,537 characters)"
    assert len(json.dumps(episode)) < 4000


def test_of_too_many_episodes_the_first_tasks_of_each_kind_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tasks = [replace(task, id=f"{task.category}-{k:02}") for task in (TASK, SEA) for k in range(50)]
    records = [played(agent, RIGHT, task=task) for task in tasks for agent in AGENTS]
    assert len(given(records)["episodes"]) == 200
    monkeypatch.setattr(viewer, "MAX_EPISODE_BYTES", 10_000)
    data = given(records)
    assert len(json.dumps([data["tasks"], data["episodes"]])) < 12_000
    ids = [data["tasks"][episode["task"]]["id"] for episode in data["episodes"]]
    assert ids == [f"{c}-{k:02}" for c in ("sea", "sky") for k in range(3) for _ in AGENTS]


def test_missing_video_becomes_a_note() -> None:
    notes = [episode["note"] for episode in given(RECORDS)["episodes"]]
    assert all("gone.jsonl" in note for note in notes)


def test_record_that_replays_otherwise_gets_a_note() -> None:
    [episode] = given([replace(RECORDS[0], turns=RECORDS[0].turns[:1])])["episodes"]
    assert "the rules have changed, or the record was edited" in episode["note"]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Gives every strip of an episode one frame of 100 bytes; notes when an overview is wanted."""
    wanted: list[bool] = []

    def one_frame(
        record: Record, cache_dir: Path | None, *, with_overview: bool, tasks: object
    ) -> list[tuple[Thumbnail, ...]]:
        wanted.append(with_overview)
        overview = [(Thumbnail(0.0, record.task.id.encode().ljust(100)),)] if with_overview else []
        clip = record.agent.encode() + record.task.id.encode()
        return [
            *overview,
            *((Thumbnail(10.5, clip.ljust(100)),) for turn in record.turns if turn.zoom),
        ]

    monkeypatch.setattr(viewer, "thumbnails", one_frame)
    return wanted


def test_frames_stand_with_the_first_task_of_each_category(
    shown: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer, "MAX_PICTURED", 4)
    more = [played("zoomer", ZOOM, RIGHT, task=replace(TASK, id="sky-2"))]
    data = given([*RECORDS, *more])
    assert [episode["is_pictured"] for episode in data["episodes"]] == [True] * 4 + [False]
    assert [task["frames"] for task in data["tasks"]] == [[[0.0, 0, False]], [[0.0, 2, False]], []]
    assert data["episodes"][0]["clips"] == [[[10.5, 1, True]]]
    assert len(data["pictures"]) == 4
    assert shown == [True, True, False, False]  # one overview for all agents on a task


def test_frames_stand_with_further_tasks_as_long_as_there_is_room(
    shown: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    sky = [replace(TASK, id=f"sky-{number}") for number in range(1, 5)]
    tasks = [*sky, replace(SEA, id="sea-1")]
    records = [played(agent, ZOOM, RIGHT, task=task) for task in tasks for agent in AGENTS]
    assert all(episode["is_pictured"] for episode in given(records)["episodes"])
    monkeypatch.setattr(viewer, "MAX_PICTURED", 7)
    data = given(records)
    shown_of = [e for e in data["episodes"] if e["is_pictured"]]
    pictured = [(data["tasks"][e["task"]]["id"], e["agent"]) for e in shown_of]
    assert pictured == [
        ("sea-1", 0), ("sea-1", 1), ("sky-1", 0), ("sky-1", 1),
        ("sky-2", 0), ("sky-2", 1), ("sky-3", 0),
    ]  # fmt: skip


def test_the_second_task_with_frames_is_of_another_set(
    shown: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer, "MAX_PICTURED", 3)
    drawn = [played("zoomer", ZOOM, RIGHT, task=replace(TASK, id=f"sky-{k}")) for k in range(3)]
    encoded = [
        replace(record, task_set="files", task=replace(record.task, id=f"sky-z{k}"))
        for k, record in enumerate(drawn[:2])
    ]
    data = given([*drawn, *encoded])
    pictured = [data["tasks"][e["task"]]["id"] for e in data["episodes"] if e["is_pictured"]]
    assert pictured == ["sky-0", "sky-1", "sky-z0"]


def test_the_best_agents_get_the_frames(shown: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(viewer, "MAX_PICTURED", 3)
    episodes = given(RECORDS)["episodes"]
    assert [(e["agent"], e["task"]) for e in episodes if e["is_pictured"]] == [
        (0, 0), (1, 0), (0, 1),
    ]  # fmt: skip


def test_the_rules_that_allow_most_get_the_frames(shown: list[bool]) -> None:
    fewer = [replace(record, rules=Rules(max_turns=3)) for record in RECORDS]
    data = given([*RECORDS, *fewer])
    rules = [data["tasks"][episode["task"]]["rules"] for episode in data["episodes"]]
    assert rules == [0, 0, 1, 1, 0, 0, 1, 1]
    assert [episode["is_pictured"] for episode in data["episodes"]] == [
        False,
        False,
        True,
        True,
    ] * 2


def test_frames_that_do_not_fit_are_left_out(
    shown: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(viewer, "MAX_PICTURE_BYTES", 250)
    data = given(RECORDS)
    assert len(data["pictures"]) == 2
    assert [episode["is_pictured"] for episode in data["episodes"]] == [True, True, False, False]
    assert given([played("guesser", WRONG)])["episodes"][0]["note"] == ""


@pytest.fixture(scope="module")
def record() -> Record:
    task = open_task_set("synthetic:flash", split="train", source="scene")[0]
    return played("zoomer", ZOOM, RIGHT, task=task, tasks="synthetic:flash")


def size_of(still: Thumbnail) -> tuple[int, int]:
    return Image.open(io.BytesIO(still.webp)).size


def test_overview_is_small_and_clips_are_larger(record: Record, tmp_path: Path) -> None:
    overview, clip = thumbnails(record, tmp_path, with_overview=True)
    assert [len(overview), len(clip)] == [64, 4]
    assert [still.time_s for still in clip] == [10.0, 10.5, 11.0, 11.5]
    assert (size_of(overview[0]), size_of(clip[0])) == ((96, 96), (192, 192))
    assert len(clip[0].webp) < 10_000


def test_overview_is_left_out_if_it_is_not_wanted(record: Record, tmp_path: Path) -> None:
    [clip] = thumbnails(record, tmp_path, with_overview=False)
    assert len(clip) == 4


def test_pictures_are_no_larger_than_what_the_agent_saw(tmp_path: Path) -> None:
    task = open_task_set("synthetic:flash", split="train", source="scene")[0]
    record = played("zoomer", ZOOM, RIGHT, task=task, tasks="synthetic:flash")
    record.settings["max_pixels"] = 28 * 28  # type: ignore[index]
    shown = thumbnails(record, tmp_path, with_overview=True)
    assert {size_of(still) for strip in shown for still in strip} == {(28, 28)}


def test_a_task_that_is_neither_synthetic_nor_of_a_named_set_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"set that --tasks names, got sky-1 of gone\.jsonl"):
        thumbnails(played("guesser", RIGHT), tmp_path, with_overview=True)


@pytest.mark.long
def test_a_video_that_is_not_written_is_drawn_and_one_that_is_written_is_decoded(
    tmp_path: Path,
) -> None:
    tasks = SyntheticTasks(("flash",), "train", 60, "easy", "file", tmp_path)
    record = played("zoomer", ZOOM, RIGHT, task=tasks[0], tasks="synthetic:flash")
    encoded = replace(record, settings={**record.settings, "source": "file"})
    drawn = thumbnails(record, tmp_path, with_overview=True)
    assert thumbnails(encoded, tmp_path, with_overview=True) == drawn
    assert not list(tmp_path.iterdir())
    tasks.open_video(tasks[0]).close()
    assert thumbnails(encoded, tmp_path, with_overview=True) != drawn
    assert thumbnails(record, tmp_path, with_overview=True) == drawn


def test_a_short_record_of_ten_hours_writes_no_video(tmp_path: Path) -> None:
    task = SyntheticTasks(("flash",), "train", 36_000, "easy", "scene")[0]
    record = played("zoomer", ZOOM, RIGHT, task=task, tasks="synthetic:flash", duration_s=36_000)
    long = replace(record, settings={**record.settings, "source": "file"})
    overview, clip = thumbnails(Record.from_json(long.to_json()), tmp_path, with_overview=True)
    assert (len(overview), len(clip)) == (64, 4)
    assert not list(tmp_path.iterdir())


def test_a_record_that_gives_another_length_of_its_video_is_not_shown(tmp_path: Path) -> None:
    task = SyntheticTasks(("flash",), "train", 60, "easy", "scene")[0]
    longer = played("guesser", RIGHT, task=task, tasks="synthetic:flash", duration_s=600)
    longer.settings["duration_s"] = 60  # type: ignore[index]
    with pytest.raises(RecordError, match="needed a video as long as the record says, got another"):
        thumbnails(longer, tmp_path, with_overview=True)


def test_very_many_frames_are_thinned_out_evenly() -> None:
    assert spread(range(64)) == range(64)
    assert list(spread(range(300))) == list(range(0, 300, 3))
    assert len(spread(range(10_000))) <= MOST_FRAMES


def test_each_picture_is_kept_once() -> None:
    album = Album(max_bytes=6)
    first = album.add([[Thumbnail(1.0, b"abc"), Thumbnail(2.0, b"xyz")]])
    again = album.add([[Thumbnail(3.0, b"xyz")], []])
    assert first == [[(1.0, 0), (2.0, 1)]]
    assert again == [[(3.0, 1)], []]
    assert album.to_base64() == [base64.b64encode(webp).decode() for webp in (b"abc", b"xyz")]


def test_what_does_not_fit_leaves_the_album_as_it_was() -> None:
    album = Album(max_bytes=5)
    assert album.add([[Thumbnail(1.0, b"abc"), Thumbnail(2.0, b"xyz")]]) is None
    assert album.add([[Thumbnail(1.0, b"abc"), Thumbnail(2.0, b"xy")]]) == [[(1.0, 0), (2.0, 1)]]
    assert album.add([[Thumbnail(1.0, b"z")]]) is None
    assert len(album.to_base64()) == 2
