"""Needle tasks are solvable from pixels, not without zooming, and exact on files of any kind."""

import json
import logging
import os
import pickle
import re
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import av
import gymnasium as gym
import numpy as np
import pytest

from agents.registry import make_agent
from benchmarks.page.episodes import thumbnails
from benchmarks.run import main as run_benchmark
from tests.tasks.needle.footage import SIZE, even, write_footage
from zoomgym import TaskError, VideoError, ZoomEnv
from zoomgym.cli.command import main
from zoomgym.records.reopen import env_to_watch, task_set_of
from zoomgym.rollout import run_episodes, watch_again
from zoomgym.tasks.catalog import check_task_set, open_task_set
from zoomgym.tasks.needle import NeedleTasks
from zoomgym.tasks.needle.task_set import NEEDLE_FAMILIES, TASKS_PER_VIDEO
from zoomgym.tasks.synthetic import FAMILIES
from zoomgym.tasks.synthetic.plan import OVERVIEW_STEPS
from zoomgym.tasks.synthetic.symbols import LAMPS
from zoomgym.video import Limits, VideoFile
from zoomgym.video.decode import Decoder

VARIABLE_S = [0.5, 0.6, 0.65, 2.0, 2.01, 4.5, 7.0]
"""Uneven times that do not start at 0."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three videos: 10 a second, one a second, and uneven with a late start."""
    home = tmp_path_factory.mktemp("videos")
    write_footage(home / "steady.mp4", even(8, 10))
    write_footage(home / "sub" / "time lapse.mkv", even(70, 1), seed=1)
    write_footage(home / "uneven.mkv", VARIABLE_S, seed=2)
    return home


def needles(folder: Path, **settings: object) -> NeedleTasks:
    tasks = open_task_set(f"needle:{folder}", **{"split": "test", **settings})  # type: ignore[arg-type]
    assert isinstance(tasks, NeedleTasks)
    return tasks


def accuracies(folder: Path, agent: str, num_tasks: int, **settings: object) -> list[float]:
    given = {"split": "test", "max_pixels": SIZE[0] * SIZE[1], "frame_size": (8, 8), **settings}
    env = ZoomEnv(f"needle:{folder}", **given)  # type: ignore[arg-type]
    task_ids = [env.tasks[index].id for index in range(num_tasks)]
    records = run_episodes(env, make_agent(agent), agent_name=agent, task_ids=task_ids, seed=0)
    return [record.reward_parts.accuracy for record in records]


@pytest.mark.long
@pytest.mark.parametrize("difficulty", ["easy", "hard"])
def test_the_oracle_solves_every_task_from_pixels(folder: Path, difficulty: str) -> None:
    num_tasks = 2 * len(NEEDLE_FAMILIES) * 3
    assert accuracies(folder, "oracle", num_tasks, difficulty=difficulty) == [1.0] * num_tasks


@pytest.mark.long
def test_who_does_not_zoom_guesses(folder: Path) -> None:
    num_tasks = 4 * len(NEEDLE_FAMILIES) * 3
    blind = accuracies(folder, "blind", num_tasks)
    assert accuracies(folder, "glance", num_tasks) == blind  # the overview shows no answer
    expected = num_tasks * (5 * 0.25 + 0.5) / 6
    deviation = (num_tasks * (5 * 0.25 * 0.75 + 0.25) / 6) ** 0.5
    assert abs(sum(blind) - expected) < 2.6 * deviation  # 99%
    assert sum(blind) == 27.0


@pytest.mark.slow
@pytest.mark.parametrize("difficulty", ["easy", "medium", "hard"])
@pytest.mark.parametrize("duration_s", [30, 600, 3600])
def test_every_task_of_a_split_is_solved(folder: Path, duration_s: int, difficulty: str) -> None:
    settings = {"duration_s": duration_s, "difficulty": difficulty}
    num_tasks = len(needles(folder, **settings))
    right = accuracies(folder, "oracle", num_tasks, **settings)
    assert sum(right) >= 0.98 * num_tasks  # as for the synthetic families


def test_a_frame_is_the_files_own_outside_of_its_marks_and_shows_them_for_their_time(
    folder: Path,
) -> None:
    tasks = needles(folder)
    for index in range(len(NEEDLE_FAMILIES) * 3):
        task = tasks[index]
        name = dict(task.labels)["video"]
        video, file = tasks.open_video(task), VideoFile(folder / name)
        for start_s, end_s in task.evidence:
            first, end = round(start_s * 12), round(end_s * 12)
            times_s = [(first - 1) / 12, first / 12, end / 12 - 0.001, end / 12]
            shown = video.frames_at(times_s, SIZE)[:, 28:68]  # where plates are
            period_s = tasks._footage[index // len(NEEDLE_FAMILIES) % 3].duration_s
            indexes = [first - 1, first, end - 1, end]
            plain = file.frames_at([k / 12 % period_s for k in indexes], SIZE)[:, 28:68]
            same = [bool((a == b).all()) for a, b in zip(shown, plain, strict=True)]
            assert same == [True, False, False, True], task.id


@pytest.mark.parametrize("index", range(0, 18, 6), ids=["10 fps", "1 fps", "uneven"])
def test_frames_are_12_a_second_whatever_the_file_has(folder: Path, index: int) -> None:
    tasks = needles(folder)
    video, [(start_s, end_s)] = tasks.open_video(tasks[index]), tasks[index].evidence
    asked_s = np.arange(start_s - 0.3, end_s + 0.3, 1 / 48)
    own_s = np.floor(asked_s * 12 + 0.01) / 12  # when the frame on screen began
    assert (video.frames_at(asked_s.tolist(), SIZE) == video.frames_at(own_s.tolist(), SIZE)).all()
    assert (video.frames_at([1e6], SIZE) == video.frames_at([video.last_frame_s], SIZE)).all()
    assert video.duration_s == [60, 829 / 12, 60][index // 6]  # 829: of 69.1 s, by the header


def test_a_file_that_ends_before_its_header_says_is_shown_to_its_end(
    folder: Path, tmp_path: Path
) -> None:
    whole = (folder / "sub" / "time lapse.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    tasks = needles(tmp_path)
    video = tasks.open_video(tasks[0])
    assert video.duration_s == 829 / 12
    assert video.frames_at([0.0, 69.0], SIZE).shape == (2, *SIZE, 3)
    assert accuracies(tmp_path, "oracle", 6) == [1.0] * 6


@pytest.mark.parametrize("duration_s", [30, 41.7, 60, 599.5, 36_000])
def test_the_default_overview_shows_no_evidence(folder: Path, duration_s: float) -> None:
    tasks = needles(folder, duration_s=duration_s)
    for task in map(tasks.__getitem__, range(0, len(tasks), 7)):
        last_s = tasks.open_video(task).last_frame_s
        if task.category != "count":  # its pulses hide one by one
            seen = np.linspace(0, last_s, OVERVIEW_STEPS + 1)
            assert not any(s.start_s + 0.002 <= t < s.end_s for t in seen for s in task.evidence)


def test_answers_are_balanced_for_every_video_and_family(folder: Path) -> None:
    tasks = needles(folder)
    counts = Counter(
        (task.category, task.labels, task.answer)
        for task in map(tasks.__getitem__, range(len(tasks)))
    )
    num_options = {family: 2 if family == "motion" else 4 for family in NEEDLE_FAMILIES}
    assert len(tasks) == 3 * len(NEEDLE_FAMILIES) * TASKS_PER_VIDEO
    assert all(n == TASKS_PER_VIDEO / num_options[family] for (family, _, _), n in counts.items())
    assert all(family in FAMILIES for family in NEEDLE_FAMILIES)


def test_a_task_is_found_by_its_id_and_depends_on_its_own_file_alone(
    folder: Path, tmp_path: Path
) -> None:
    tasks = needles(folder)
    assert [tasks.by_id(tasks[i].id) for i in range(len(tasks))] == [
        *map(tasks.__getitem__, range(len(tasks)))
    ]
    assert len({tasks[i].id for i in range(len(tasks))}) == len(tasks)
    (tmp_path / "uneven.mkv").write_bytes((folder / "uneven.mkv").read_bytes())
    assert needles(tmp_path)[0] == tasks.by_id(needles(tmp_path)[0].id)
    train = needles(folder, split="train")
    assert not {train[i].evidence for i in range(18)} & {tasks[i].evidence for i in range(18)}
    for wrong in (
        tasks[0].id + "0",
        tasks[0].id[:-2] + "20",
        tasks[0].id[:-1] + "²",
        "",
        "a-b-c-d",
        train[0].id,
    ):
        with pytest.raises(TaskError, match="task_id needs to be one of needle:videos"):
            tasks.by_id(wrong)
    with pytest.raises(IndexError, match="has tasks 0 to 359, got 360"):
        tasks[360]


def test_the_hash_is_that_of_settings_names_and_content(folder: Path, tmp_path: Path) -> None:
    for path in folder.rglob("*.m*"):
        copy = tmp_path / path.relative_to(folder)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    before = needles(folder).content_hash
    assert needles(tmp_path).content_hash == before
    others = [
        needles(folder, split="train"),
        needles(folder, duration_s=61),
        needles(folder, difficulty="hard"),
    ]
    (tmp_path / "uneven.mkv").rename(tmp_path / "other.mkv")
    others.append(needles(tmp_path))
    assert len({before, *(one.content_hash for one in others)}) == 5


def test_what_cannot_be_shown_is_named_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home, private = tmp_path / "home", tmp_path / "private.mp4"
    write_footage(private, even(2, 10))
    names = ["ok é ☃.mp4", "-rf.MP4", "a:b.mkv", os.fsdecode(b"\xff.mp4"), "line\nbreak.mp4"]
    for name in names:
        write_footage(home / "plain.mp4", even(2, 10))
        (home / "plain.mp4").rename(home / name)
    (home / "empty.mp4").touch()
    (home / "text.mp4").write_text("no video")
    write_footage(home / "one.mp4", [0.0])
    (home / "out.mp4").symlink_to(private)
    (home / "circle.mp4").symlink_to("circle.mp4")
    (home / "gone.mp4").symlink_to("nowhere.mp4")
    (home / "folder.mp4").mkdir()
    (home / "again").symlink_to(home)
    (home / ".hidden.mp4").touch()
    (home / "notes.txt").touch()
    with av.open(str(home / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.rate = 44100
        container.mux([*stream.encode(silence), *stream.encode(None)])
    os.mkfifo(home / "pipe.mp4")
    with caplog.at_level(logging.WARNING):
        tasks = needles(home)
    assert len(tasks) == len(names) * len(NEEDLE_FAMILIES) * TASKS_PER_VIDEO
    told = [record.getMessage() for record in caplog.records]
    bad = ["circle", "empty", "gone", "one", "out", "pipe", "sound", "text"]
    assert sorted(Path(text.split(": needed")[0].split(": cannot")[0]).stem for text in told) == bad
    for index in range(len(names) * len(NEEDLE_FAMILIES)):
        task = tasks[index]
        assert re.fullmatch("[0-9A-Za-z_.-]+", task.id)
        assert tasks.open_video(task).frames_at([0.0], (9, 16)).shape == (1, 9, 16, 3)
        json.dumps(task.labels, ensure_ascii=False).encode()
    assert len(tasks.content_hash) == 12
    rows = list(check_task_set(f"needle:{home}"))
    assert (len(rows), sum(bool(row.problems) for row in rows)) == (13, 8)


def test_a_folder_without_a_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        TaskError, match=r"needed a folder with videos \(.3gp.*got none: put videos"
    ):
        needles(tmp_path)
    (tmp_path / "a.mp4").touch()
    with pytest.raises(
        TaskError, match=r"got 1 file that cannot be shown \(.*a.mp4: needed a video"
    ):
        needles(tmp_path)
    with pytest.raises(TaskError, match="needed a folder of videos, but "):
        needles(tmp_path / "nowhere")
    with pytest.raises(TaskError, match="needed a folder of videos, got a file"):
        needles(tmp_path / "a.mp4")
    with pytest.raises(TaskError, match="needle needs the folder of its files"):
        open_task_set("needle:")
    with pytest.raises(TaskError, match="duration_s needs 30 to 36000 seconds, got 5"):
        needles(tmp_path, duration_s=5)


def test_limits_hold_for_every_file(folder: Path) -> None:
    with pytest.raises(TaskError, match=r"got 3 files that cannot be shown .* at most 16 pixels"):
        needles(folder, limits=Limits(pixels=16))


def test_a_file_that_changes_is_not_shown_under_its_old_tasks(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    write_footage(path, even(2, 10))
    tasks = needles(tmp_path)
    write_footage(path, even(3, 10))
    with pytest.raises(VideoError, match="got one that has changed since: open the folder again"):
        tasks.open_video(tasks[0])
    path.unlink()
    with pytest.raises(VideoError, match="needed the file that was listed, got"):
        tasks.open_video(tasks[0])
    with pytest.raises(TaskError, match="needed the file that was listed, got"):
        tasks.content_hash  # noqa: B018


def test_opening_a_folder_and_drawing_its_tasks_decodes_nothing(tmp_path: Path) -> None:
    for index in range(5):
        write_footage(tmp_path / f"{index}.mp4", even(2, 10), seed=index)
    with patch.object(Decoder, "first_frame", side_effect=AssertionError("decoded")):
        tasks = needles(tmp_path)
        assert len([tasks[index] for index in range(len(tasks))]) == 600
        assert tasks.content_hash


@pytest.mark.long
def test_footage_in_the_color_of_a_beacon_misleads_nobody_who_zooms(tmp_path: Path) -> None:
    write_footage(tmp_path / "amber.mp4", even(4, 10), color=LAMPS["amber"])
    num_tasks = 2 * len(NEEDLE_FAMILIES)
    assert accuracies(tmp_path, "oracle", num_tasks) == [1.0] * num_tasks


def test_environments_pickle_and_run_side_by_side(folder: Path) -> None:
    tasks = needles(folder)
    assert pickle.loads(pickle.dumps(tasks)) == tasks
    name = f"needle:{folder}"
    for env_id in ("zoomgym:ZoomEnv-v0", "zoomgym:ZoomEnvDiscrete-v0"):
        envs = gym.make_vec(env_id, num_envs=2, tasks=name, max_pixels=256)
        _, infos = envs.reset(seed=0)
        assert [task_id.split("-")[0] for task_id in infos["task_id"]] == ["needle"] * 2
        envs.close()


def test_a_record_is_watched_again_where_its_folder_is_named(folder: Path, tmp_path: Path) -> None:
    name = f"needle:{folder}"
    env = ZoomEnv(name, split="test", max_pixels=4096)
    task_id = env.tasks[0].id
    [record] = run_episodes(env, make_agent("oracle"), agent_name="o", task_ids=[task_id], seed=0)
    assert watch_again(env_to_watch(record, name), record).clips
    assert task_set_of(record, env.tasks) is env.tasks
    assert len(thumbnails(record, tmp_path, with_overview=True, tasks=env.tasks)) == 2
    with pytest.raises(TaskError, match="needed a synthetic task, or one of a set"):
        task_set_of(record)


@pytest.mark.long
def test_commands_take_the_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"needle:{folder}"
    assert main(["tasks", name, "--split", "test"]) == 0
    assert main(["check", name]) == 0
    assert "3 rows, 0 with problems" in capsys.readouterr().out
    given = ["--tasks", name, "--agents", "oracle", "--limit", "6", "--workers", "1"]
    given += ["--env", "max_pixels=9216", "--out", str(tmp_path / "run")]
    assert run_benchmark(given) == 0
    assert "data:image" in (tmp_path / "run" / "report.html").read_text()
