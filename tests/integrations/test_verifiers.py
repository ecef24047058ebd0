"""The taskset, game and harness of verifiers, with its own client and a model on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("verifiers", reason="needs verifiers: python -m tests.integrations verifiers")
from tests.grading.judges import fails, judging
from tests.integrations.players_verifiers import HUB, environment, run, says, task_of
from tests.integrations.scripts import ARGUMENTS
from zoomgym import ZoomEnv
from zoomgym.conversation import to_messages, to_openai
from zoomgym.integrations.verifiers import ZoomGame, ZoomHarness, ZoomTaskset

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
ZOOM = '{"segment": [4, 6], "fps": 2}'


def answer(task_id: str) -> str:
    return json.dumps({"answer": ZoomEnv(**ARGUMENTS).tasks.by_id(task_id).truth})


def pictures_in(messages: list[dict[str, Any]]) -> list[str]:
    contents = [one["content"] for one in messages if isinstance(one["content"], list)]
    parts = [part for content in contents for part in content]
    return [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]


def test_the_plugin_is_found_by_its_id_with_a_harness_of_its_own() -> None:
    env = environment(ARGUMENTS)
    assert (type(env), type(env.taskset)) == (ZoomGame, ZoomTaskset)
    assert type(env._harnesses["player"]) is ZoomHarness
    ids = [task.data.id for task in env.taskset.load()]
    assert ids == [ZoomEnv(**ARGUMENTS).tasks[index].id for index in range(3)]


def test_a_model_is_sent_the_conversation_with_every_frame_and_its_episode_is_scored() -> None:
    env = environment(ARGUMENTS, jpeg_quality=0)
    task = next(iter(env.taskset.load()))
    replies = [ZOOM, answer(task.data.task_id)]
    with judging(*map(says, replies)) as server:
        episode = run(env, task, server)
    [trace] = episode.traces
    assert (episode.ok, trace.reward) == (True, pytest.approx(1.5))
    assert trace.metrics == pytest.approx(
        {"accuracy": 1, "format": 1, "tool": 1, "grounding": 0, "zoom_cost": 1, "frames_used": 8}
    )
    played = ZoomEnv(**ARGUMENTS)
    played.reset(seed=0, options={"task_id": task.data.task_id})
    for (_, headers, body), reply in zip(server.requests, replies, strict=True):
        meant = to_openai(to_messages(played.observation))
        assert [one["role"] for one in body["messages"]] == [one["role"] for one in meant]
        assert pictures_in(body["messages"]) == pictures_in(meant)
        assert headers["Authorization"] == "Bearer secret"
        played.step(reply)


def test_thoughts_that_a_server_has_parted_are_put_back() -> None:
    arguments = {**ARGUMENTS, "grammar": "video_zoom"}
    env = environment(arguments)
    task = next(iter(env.taskset.load()))
    truth = ZoomEnv(**arguments).tasks.by_id(task.data.task_id).truth
    with judging(says(f"<answer>{truth}</answer>", reasoning_content="I see.")) as server:
        [trace] = run(env, task, server).traces
    assert (trace.reward, trace.metrics["format"]) == (pytest.approx(1.0), 1)


def test_a_model_that_fails_has_no_score() -> None:
    env = environment(ARGUMENTS)
    with judging(says(ZOOM), fails(400)) as server:
        episode = run(env, next(iter(env.taskset.load())), server)
    [trace] = episode.traces
    assert (episode.ok, dict(trace.rewards)) == (False, {})


def test_an_unknown_task_ends_the_episode_with_an_error_that_names_it() -> None:
    env = environment(ARGUMENTS)
    with judging(says(ZOOM)) as server:
        episode = run(env, task_of(env, "nothing"), server)
    assert not episode.ok
    assert "got 'nothing'" in episode.errors[0].message


def test_a_limit_of_turns_ends_an_episode_without_an_answer() -> None:
    env = environment(ARGUMENTS, player={"max_turns": 1})
    with judging(says(ZOOM)) as server:
        [trace] = run(env, next(iter(env.taskset.load())), server).traces
    assert (trace.reward, trace.metrics["frames_used"]) == (0.0, 8)


def test_the_command_of_verifiers_evaluates_the_plugin(tmp_path: Path) -> None:
    command = [
        str(Path(sys.executable).with_name("vf-eval")),
        *("zoomgym-v1", "-m", "m", "-n", "1", "--client.api-key-var", "ZOOMGYM_TEST_KEY"),
        *("--env.taskset.arguments", json.dumps(ARGUMENTS)),
    ]
    with judging(says(ZOOM), says('{"answer": "none"}')) as server:
        ran = subprocess.run(
            [*command, "--client.base-url", server.url],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HUB}"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == 0, ran.stderr
    assert "reward 0.10" in ran.stdout
    assert "frames_used 8.00" in ran.stdout


def test_the_example_plays_with_a_model() -> None:
    with judging(says(ZOOM), says('{"answer": "none"}')) as server:
        ran = subprocess.run(
            [sys.executable, "-m", "examples.integrations.verifiers", "m", server.url],
            cwd=ROOT,
            env={**os.environ, "ZOOMGYM_API_KEY": "secret"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("'format': 1.0") == 3
