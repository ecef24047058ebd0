"""Which grader an environment uses, and what becomes of its verdicts."""

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from tests.clips import first_video
from tests.grading.judges import JudgeServer, by_answer, fails, judging, says
from tests.playing import play_episode
from zoomgym import ZoomEnv
from zoomgym.errors import GradingError
from zoomgym.grading.registry import make_grader
from zoomgym.records import Record, replay
from zoomgym.rules.question import VideoQuestion
from zoomgym.tasks.datasets import write_manifest
from zoomgym.tasks.synthetic import SyntheticTasks

RIGHT = '{"answer": "yes, some tall bloke"}'


class Answering:
    """Gives one answer."""

    def __init__(self, reply: str) -> None:
        self._reply = reply

    def reset(self, seed: int) -> None:
        pass

    def act(self, observation: Any) -> str:
        return self._reply


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks about one video: `open` is open-ended, `choice` has options."""
    folder = tmp_path_factory.mktemp("tasks")
    tasks = SyntheticTasks(("overview",), "train", 30, "easy", "file")
    video = first_video(tasks, folder).name
    rows = [
        VideoQuestion("open", video, "Who is it?", "a tall man"),
        VideoQuestion("choice", video, "Who?", "A", options=("yes, some tall bloke", "a cat")),
    ]
    write_manifest(folder / "tasks.jsonl", rows)
    return folder / "tasks.jsonl"


def played(manifest: Path, task_id: str, reply: str, **settings: Any) -> Record:
    env = ZoomEnv(manifest, frame_size=(8, 8), max_pixels=256, **settings)
    record = play_episode(env, Answering(reply), agent_name="a", task_id=task_id, seed=0)
    env.close()
    return record


def judge(server: JudgeServer, **settings: Any) -> dict[str, Any]:
    return {"judge": {"url": server.url, "model": "m", **settings}}


def test_a_judge_decides_open_answers_once_and_its_verdict_is_kept(
    manifest: Path, tmp_path: Path
) -> None:
    with judging(by_answer) as server:
        settings = {"grader": judge(server), "cache_dir": tmp_path}
        record = played(manifest, "open", RIGHT, **settings)
        wrong = played(manifest, "open", '{"answer": "a cat"}', **settings)
        assert len(server.requests) == 2
    assert (record.grading, record.reward_parts.accuracy, record.reward) == ("judge:m", 1.0, 1.0)
    assert (wrong.grading, wrong.reward_parts.accuracy, wrong.reward) == ("judge:m", 0.0, 0.1)
    assert record.settings["grader"] == settings["grader"]
    again = Record.from_json(record.to_json())
    assert again == record
    assert replay(again).is_right  # though nobody can be asked any more
    assert len(list((tmp_path / "judge").iterdir())) == 2


def test_choices_are_read_strictly_whoever_grades_the_rest(manifest: Path, tmp_path: Path) -> None:
    with judging(says("WRONG")) as server:
        record = played(manifest, "choice", RIGHT, grader=judge(server), cache_dir=tmp_path)
        assert server.requests == []
    assert (record.grading, record.reward_parts.accuracy) == ("strict", 1.0)


def test_an_answer_that_nobody_can_grade_is_an_error_and_may_be_sent_again(
    manifest: Path, tmp_path: Path
) -> None:
    with judging(fails(500), says("RIGHT")) as server:
        env = ZoomEnv(
            manifest, grader=judge(server, max_tries=1), cache_dir=tmp_path, frame_size=(8, 8)
        )
        env.reset(seed=0, options={"task_id": "open"})
        with pytest.raises(GradingError, match="status 500"):
            env.step(RIGHT)
        assert env.episode.turns == ()
        assert env.step(RIGHT)[1:4] == (1.0, True, False)
        env.render_mode = "ansi"
        assert "Outcome: right" in str(env.render())
        env.close()
        assert len(server.requests) == 2


def test_strict_grading_is_the_default(manifest: Path) -> None:
    record = played(manifest, "open", RIGHT)
    assert (record.grading, record.reward_parts.accuracy) == ("strict", 0.0)
    assert played(manifest, "open", '{"answer": "A tall man."}').reward_parts.accuracy == 1.0


def test_settings_of_a_grader_are_json(manifest: Path, tmp_path: Path) -> None:
    grader = json.loads('{"judge": {"url": "http://h/v1", "model": "m", "max_tries": 2}}')
    env = gym.make("zoomgym:ZoomEnv-v0", tasks=str(manifest), grader=grader, cache_dir=tmp_path)
    unwrapped = env.unwrapped
    assert isinstance(unwrapped, ZoomEnv)
    assert unwrapped.grader == make_grader(grader, tmp_path)
    env.close()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("lenient", 'grader needs "strict", "math", "segment"'),
        ({}, 'grader needs "strict", "math", "segment"'),
        (None, 'grader needs "strict", "math", "segment"'),
        ({"judge": None}, "judge needs settings from"),
        ({"judge": {"url": "http://h/v1"}}, "url and model among them"),
        ({"judge": {"url": "http://h/v1", "model": "m", "key": "sk-1"}}, "judge needs settings"),
        ({"judge": {"url": "http://h/v1", "model": "m", "sleep": 1}}, "judge needs settings"),
    ],
)
def test_a_grader_that_is_none_is_refused(setting: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        make_grader(setting)
    assert "sk-1" not in str(caught.value)
