"""`transformers serve` serves a saved model, and the agent `chat:` plays with it over loopback.

It needs torchvision, as released models do, and what `transformers[serving]` installs.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.chat.agent import ChatAgent
from agents.registry import make_agent
from tests.agents.qwen.small import EVERY_FAMILY
from zoomgym import ZoomEnv
from zoomgym.rollout import run_episodes

for package in ("torchvision", "fastapi", "uvicorn", "openai"):
    pytest.importorskip(package, reason=f"transformers serve needs {package}")

pytestmark = pytest.mark.slow

SERVE = ("-m", "transformers.cli.transformers", "serve", "--device", "cpu", "--host", "127.0.0.1")


@pytest.fixture
def url(folder: Path) -> Iterator[str]:
    """Address of a server of the model in the folder."""
    command = [sys.executable, *SERVE, "--port", "0", "--log-level", "info", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        try:
            lines = (re.search(r"running on (http://[\d.:]+)", line) for line in server.stderr)
            found = next(line for line in lines if line)
            yield f"{found[1]}/v1"
        finally:
            server.kill()


@EVERY_FAMILY
def test_a_saved_model_is_served_with_its_pictures(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    agent = make_agent(f"chat:{folder}@{url}?max_tokens=8")
    assert isinstance(agent, ChatAgent)  # one that refuses servers which drop pictures
    env = ZoomEnv("synthetic:flash", source="scene", max_pixels=1024, num_overview=4, max_turns=2)
    ids = [env.tasks[index].id for index in range(2)]
    records = list(run_episodes([env], agent, agent_name="chat", task_ids=ids, seed=0))
    assert [len(record.turns) for record in records] == [2, 2]
    for record in records:
        assert record.usage["input_tokens"] > record.usage["output_tokens"] > 0
        assert record.frames_used == 4
