"""What a record names is opened only if it is made from a seed, or if the user has named it."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.clips import first_video
from tests.grading.judges import judging, says
from tests.playing import play_episode
from zoomgym import RecordError, TaskError, ZoomEnv
from zoomgym.records import Record
from zoomgym.records.reopen import env_to_watch, made_again, task_set_of
from zoomgym.rollout import watch_again
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets import ManifestTasks
from zoomgym.tasks.datasets.manifest import write_manifest
from zoomgym.tasks.synthetic import SyntheticTasks


class Guesser:
    """Zooms once, and answers A."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Any) -> str:
        return '{"answer": "A"}' if observation.turns else '{"segment": [1, 2], "fps": 2}'


def play(tasks: str, **settings: Any) -> Record:
    env = ZoomEnv(tasks, num_overview=4, max_pixels=256, **settings)
    return play_episode(env, Guesser(), agent_name="guesser", task_id=env.tasks[0].id, seed=0)


def with_settings(record: Record, **settings: Any) -> Record:
    return replace(record, settings={**record.settings, **settings})


@pytest.fixture(scope="module")
def drawn() -> Record:
    return play("synthetic:flash", source="scene")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A manifest of one task, on a video of half a minute."""
    folder = tmp_path_factory.mktemp("mine")
    tasks = SyntheticTasks(("overview",), "test", 30, "easy", "file")
    path = first_video(tasks, folder)
    write_manifest(folder / "my.jsonl", [replace(tasks[0], video=path.name)])
    return folder / "my.jsonl"


@pytest.fixture(scope="module")
def mine(manifest: Path) -> Record:
    return play(str(manifest))


def test_a_synthetic_task_is_made_again(drawn: Record) -> None:
    tasks = task_set_of(drawn)
    assert isinstance(tasks, SyntheticTasks)
    assert (tasks.name, tasks.source) == ("synthetic:flash", "scene")
    assert watch_again(env_to_watch(drawn), drawn).clips[0].images.shape == (2, 16, 16, 3)


def test_settings_make_the_same_tasks_for_a_record_as_for_an_environment() -> None:
    settings = {"split": "test", "duration_s": 90, "difficulty": {"preset": "hard", "symbols": 6}}
    record = play("synthetic:order", source="scene", **settings)
    tasks = made_again(record)
    assert tasks == ZoomEnv("synthetic:order", source="scene", **settings).tasks  # type: ignore[arg-type]
    assert tasks.content_hash == record.task_set_hash
    with pytest.raises(TaskError, match="synthetic:order has no subtitles: leave subtitles out"):
        made_again(with_settings(record, subtitles=True))


@pytest.mark.long
@pytest.mark.parametrize("place", ["question", "video", "answer"])
def test_a_task_that_says_something_else_than_its_set_is_not_shown(
    drawn: Record, mine: Record, manifest: Path, place: str
) -> None:
    value = "B" if place == "answer" else "/etc/passwd"
    for record, named in ((drawn, None), (mine, ManifestTasks(manifest))):
        other = {"A": "B"}.get(record.task.answer, "A") if place == "answer" else value
        changed = replace(record, task=replace(record.task, **{place: other}))
        with pytest.raises(TaskError, match="needed a synthetic task, or one of a set that --t"):
            task_set_of(changed, named)


def test_files_that_a_record_names_are_opened_only_if_the_user_names_them(
    mine: Record, manifest: Path
) -> None:
    with pytest.raises(TaskError, match="needed a synthetic task, or one of a set that --tasks"):
        task_set_of(mine)
    with pytest.raises(RecordError, match="needed a synthetic task, or one of a set that --tasks"):
        env_to_watch(mine)
    named = ManifestTasks(manifest)
    assert task_set_of(mine, named) is named
    assert len(watch_again(env_to_watch(mine, str(manifest)), mine).clips) == 1


@pytest.mark.parametrize("kind", ["", "videomme:", "manifest:"])
def test_a_pipe_or_a_private_file_that_a_record_names_is_left_alone(
    mine: Record, tmp_path: Path, kind: str
) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "private.jsonl").write_text("the secret of the house")
    for name in ("pipe.jsonl", "private.jsonl"):
        record = with_settings(mine, tasks=f"{kind}{tmp_path / name}")
        for call in (task_set_of, env_to_watch, made_again):
            with pytest.raises((TaskError, RecordError), match="synthetic") as caught:
                call(record)  # type: ignore[operator]
            assert "secret" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"grammar": 5}, {"max_turns": 10**9}, {"on_damage": "\x1b"}])
def test_settings_of_no_environment_are_named(drawn: Record, settings: dict[str, Any]) -> None:
    with pytest.raises(RecordError, match="needed settings of ZoomEnv, got others") as caught:
        env_to_watch(with_settings(drawn, **settings))
    assert str(caught.value).isprintable()


class Telling:
    """Zooms and answers in words."""

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Any) -> str:
        zoom = '{"segment": [1, 2], "fps": 2}'
        return '{"answer": "some bloke"}' if observation.turns else zoom


def test_who_watches_a_stranger_s_record_asks_no_judge_and_sends_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("MY_KEY", "sk-secret")
    tasks = SyntheticTasks(("flash",), "train", 30, "easy", "file")
    video = first_video(tasks, tmp_path).name
    row = VideoQuestion(id="q", video=video, question="Who?", answer="a tall man")
    write_manifest(tmp_path / "my.jsonl", [row])
    with judging(says("RIGHT")) as server:
        grader = {"judge": {"url": server.url, "model": "m", "key_variable": "MY_KEY"}}
        env = ZoomEnv(tmp_path / "my.jsonl", grader=grader, max_pixels=256, cache_dir=tmp_path)
        record = play_episode(env, Telling(), agent_name="x", seed=0)
        assert (record.grading, len(server.requests)) == ("judge:m", 1)
        theirs = {"cache_dir": str(tmp_path / "theirs"), "limits": {}, "render_mode": "human"}
        stranger = replace(record, settings={**record.settings, **theirs})
        other = env_to_watch(stranger, str(tmp_path / "my.jsonl"), cache_dir=tmp_path / "mine")
        assert watch_again(other, stranger).turns == record.turns
        assert len(server.requests) == 1
    assert not (tmp_path / "theirs").exists()
    assert other.render_mode is None
    assert {**other.settings, "grader": grader} == env.settings
