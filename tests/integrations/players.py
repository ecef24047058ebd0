"""What plays scripted episodes: our own clients here, those of others in `players_NAME`."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from tests.grading.judges import chats, judging
from zoomgym import ZoomEnv
from zoomgym.integrations.session import Session

Play = Callable[[str, list[str], dict[str, Any]], float]
"""Plays an episode on a task, with these replies and arguments of ZoomEnv; returns its reward."""
PACKAGES = {
    "verl": "verl",
    "verifiers": "verifiers",
    "openenv": "openenv",
    "inspect_ai": "inspect_ai",
}
"""Loops of others that play by our rules, and the package that each needs."""


def play_in_session(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    session = Session(ZoomEnv(**arguments))
    session.open(task_id)
    for reply in replies:
        session.reply(reply)
    assert session.is_over
    return session.reward


def play_over_chat(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    """Plays with the agent `chat:` and an endpoint that says the replies."""
    from agents.registry import make_agent
    from zoomgym.rollout import run_episodes

    with judging(*map(chats, replies)) as server:
        agent = make_agent(f"chat:m@{server.url}?check_pictures=false")
        env = ZoomEnv(**arguments)
        [record] = run_episodes(env, agent, agent_name="m", task_ids=[task_id], seed=0)
        assert len(server.requests) == len(replies)
    return record.reward


@cache
def tiny_processor() -> Any:
    from agents.qwen.model.tiny import make_processor

    return make_processor()


def play_in_grpo(task_id: str, replies: list[str], arguments: dict[str, Any]) -> float:
    """Plays with the player of `train_grpo`, and a speaker that says the replies."""
    from agents.qwen.training.rollouts import Player
    from tests.integrations.speaker import ScriptedSpeaker

    processor = tiny_processor()
    player = Player(processor, lambda: ZoomEnv(**arguments), group_size=1)
    [group] = player.play(ScriptedSpeaker(processor.tokenizer, replies), [task_id], 0)
    [reward] = group.rewards
    return reward


OURS: dict[str, Play] = {
    "session": play_in_session,
    "chat": play_over_chat,
    "train_grpo": play_in_grpo,
}


def player(name: str) -> Play:
    """Returns what plays in a loop of ours or of others; skips where its package is missing."""
    if name in OURS:
        return OURS[name]
    if find_spec(PACKAGES[name]) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed: python -m tests.integrations {name}")
    play: Play = import_module(f"tests.integrations.players_{name}").play
    return play
