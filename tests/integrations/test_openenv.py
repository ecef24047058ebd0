"""The OpenEnv server and its client, over loopback."""

import base64
import io
import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("openenv", reason="needs openenv: python -m tests.integrations openenv")
import requests
from websockets.sync.client import connect

from tests.integrations.players_openenv import play, serve
from tests.integrations.scripts import ARGUMENTS, scripts
from zoomgym import ZoomEnv
from zoomgym.conversation import images_of, text_of, to_messages
from zoomgym.integrations.openenv import ZoomAction, ZoomClient

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "integrations" / "openenv"
ZOOM = '{"segment": [4, 6], "fps": 2}'


def url_of(**arguments: Any) -> str:
    return serve(json.dumps({**ARGUMENTS, **arguments}))


def pictures_in(messages: list[dict[str, Any]]) -> list[np.ndarray]:
    parts = [part for one in messages if one["role"] == "user" for part in one["content"]]
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    files = [io.BytesIO(base64.b64decode(url.partition(",")[2])) for url in urls]
    return [np.asarray(Image.open(file)) for file in files]


def test_messages_are_those_of_the_environment_and_the_state_follows() -> None:
    env = ZoomEnv(**ARGUMENTS)
    with ZoomClient(url_of()).sync() as client:
        task_id = env.tasks[3].id
        result = client.reset(seed=1, index=3, episode_id="mine")
        env.reset(seed=1, options={"task_id": task_id})
        seen = result.observation
        meant = to_messages(env.observation)
        assert [one["role"] for one in seen.messages] == ["system", "user"]
        assert seen.messages[0]["content"] == text_of(meant[0])
        assert [one.shape for one in pictures_in(seen.messages)] == [
            one.shape for one in images_of(meant)
        ]
        result = client.step(ZoomAction(reply=ZOOM))
        assert len(pictures_in(result.observation.messages)) == 4
        assert (result.done, result.reward, result.observation.terms) == (False, 0.0, {})
        state = client.state()
        assert (state.task_id, state.episode_id, state.step_count) == (task_id, "mine", 1)
        assert (state.frames_left, state.turns_left) == (2, 2)


def test_two_sessions_at_once_give_the_rewards_of_each_alone() -> None:
    some = scripts()[:8]
    alone = [play(one.task_id, one.replies, one.arguments) for one in some]
    with ThreadPoolExecutor(4) as pool:
        both = list(pool.map(lambda one: play(one.task_id, one.replies, one.arguments), some))
    assert both == alone == [pytest.approx(one.reward) for one in some]


@pytest.mark.parametrize("reply", ["", "x" * 2_000_000, "[" * 100_000, "\ud800", '{"answer": 1}'])
def test_a_hostile_reply_costs_a_turn(reply: str) -> None:
    with ZoomClient(url_of()).sync() as client:
        client.reset(seed=0)
        result = client.step(ZoomAction(reply=reply))
        assert (result.done, client.state().turns_left) == (False, 2)


@pytest.mark.parametrize(
    "sent",
    [
        "no json",
        "[1]",
        '{"type": "step", "data": {"reply": 5}}',
        '{"type": "step", "data": {}}',
        '{"type": "step", "data": {"reply": "x", "more": 1}}',
        '{"type": "step", "data": {"reply": "\\ud800"}}',
        '{"type": "step", "data": {"reply": "x"}}',
        '{"type": "reset", "data": {"task_id": "no such task"}}',
        '{"type": "reset", "data": {"index": -1}}',
        '{"type": "reset", "data": {"split": 7}}',
        '{"type": "what"}',
        "[" * 100_000,
    ],
)
def test_a_hostile_request_gets_an_error_and_the_server_goes_on(sent: str) -> None:
    url = url_of()
    with connect(f"{url.replace('http', 'ws')}/ws") as socket:
        socket.send(sent)
        assert json.loads(socket.recv(timeout=20))["type"] == "error"
    with ZoomClient(url).sync() as client:
        assert not client.reset(seed=0).done


def test_an_error_says_what_is_wrong_and_the_session_goes_on() -> None:
    with ZoomClient(url_of()).sync() as client:
        with pytest.raises(RuntimeError, match="there is no episode yet: call reset first"):
            client.step(ZoomAction(reply=ZOOM))
        with pytest.raises(RuntimeError, match="task_id needs to be one of synthetic"):
            client.reset(task_id="nothing")
        with pytest.raises(RuntimeError, match="the server has the split 'train', got 'test'"):
            client.reset(split="test")
        assert not client.reset(seed=0).done


def test_tasks_are_listed() -> None:
    url = url_of()
    assert requests.get(f"{url}/zoomgym/splits", timeout=20).json() == [
        {"name": "train", "type": "train"}
    ]
    answer = requests.post(f"{url}/step", json={"action": {"reply": ZOOM}}, timeout=20)
    assert (answer.status_code, answer.json()) == (
        400,
        {"detail": "there is no episode yet: call reset first"},
    )


def test_openenv_validates_a_server_that_runs() -> None:
    from openenv.cli._validation import validate_running_environment

    report = validate_running_environment(url_of())
    assert report["passed"], report["criteria"]


def test_openenv_validates_the_folder(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "zoomgym", ignore=shutil.ignore_patterns("__pycache__"))
    tool = str(Path(sys.executable).with_name("openenv"))
    command = [tool, "validate", "zoomgym", "--level", "static"]  # others need Docker
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert "PASS  static.manifest" in ran.stdout
    assert "Verdict: PASS" in ran.stdout
    assert ran.returncode == 0


def test_the_example_of_the_server_can_be_imported() -> None:
    command = [sys.executable, "-c", "from server.app import app; print(app.title)"]
    ran = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120)
    assert "OpenEnv" in ran.stdout, ran.stderr


def test_the_example_plays_an_episode() -> None:
    command = [sys.executable, "-m", "examples.integrations.openenv_client"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("5 messages, reward ")
