"""Episodes behind the interface of VAGEN's environments, `GymImageEnv`, without importing VAGEN.

Source: mll-lab-nu/VAGEN, commit 2936322: `vagen/envs/gym_image_env.py` and what its agent loop
asserts in `vagen/agent_loop/gym_agent_loop.py`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from zoomgym.conversation import Message, to_pil
from zoomgym.integrations.session import session_with

__all__ = ["ZoomImageEnv"]

IMAGE = "<image>"
PLACES = (IMAGE, "<video>")
"""Texts that stand for a picture or a video, of which VAGEN wants as many as there are."""
OVER = "The episode is over."


class ZoomImageEnv:
    """An episode: a system text, observations with pictures, and replies as raw text.

    Args:
        env_config: arguments of `ZoomEnv`.
    """

    def __init__(self, env_config: Mapping[str, Any]) -> None:
        self._session = session_with(dict(env_config))
        self._system: dict[str, Any] = {}

    async def reset(self, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Starts an episode on the task that the seed draws; returns its overview and its id."""
        system, *opening = await asyncio.to_thread(self._session.open, None, seed)
        self._system = _observation([system])
        return _observation(opening), {"task_id": self._session.env.episode.task.id}

    async def system_prompt(self) -> dict[str, Any]:
        """Returns the rules of the episode that `reset` has started."""
        return self._system

    async def step(self, action_str: str) -> tuple[dict[str, Any], float, bool, dict[str, Any]]:
        """Plays a turn; returns what came back, the reward, whether it is over, and terms."""
        session = self._session
        response = await asyncio.to_thread(session.reply, action_str)
        info = {"success": session.terms["accuracy"] == 1, **session.terms}
        shown = _observation(response) if response else {"obs_str": OVER}
        return shown, session.reward, session.is_over, info

    async def close(self) -> None:
        """Closes the video."""
        self._session.env.close()


def _observation(messages: Sequence[Message]) -> dict[str, Any]:
    """Returns messages as one text with a place for each picture, and the pictures."""
    parts = [part for message in to_pil(messages) for part in message["content"]]
    texts = [IMAGE if part["type"] == "image" else _without_places(part["text"]) for part in parts]
    pictures = [part["image"] for part in parts if part["type"] == "image"]
    shown = {"multi_modal_input": {IMAGE: pictures}} if pictures else {}
    return {"obs_str": "".join(texts), **shown}


def _without_places(text: str) -> str:
    """Returns text, such as a question, without what VAGEN would take for a place."""
    for place in PLACES:
        text = text.replace(place, place.replace("<", "< "))
    return text
