"""Episodes keep the contract of VAGEN's environments: what its agent loop does is done here."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.clips import first_video
from zoomgym import ZoomEnv, open_task_set
from zoomgym.conversation import images_of, text_of, to_messages
from zoomgym.integrations.vagen import ZoomImageEnv
from zoomgym.tasks import SyntheticTasks

ARGUMENTS: dict[str, Any] = {
    "source": "scene",
    "num_overview": 4,
    "frames_per_zoom": 4,
    "frame_budget": 20,
    "max_turns": 3,
    "max_pixels": 28 * 28,
}


def content_of(shown: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns an observation as VAGEN makes the content of a message of it.

    Source: `convert_obs_to_content` of vagen/agent_loop/gym_agent_loop.py, commit 2936322.
    """
    text, pictures = shown["obs_str"], shown.get("multi_modal_input", {}).get("<image>", [])
    assert text.count("<image>") == len(pictures)
    assert text.count("<video>") == 0
    return [
        {"type": "image"} if part == "<image>" else {"type": "text", "text": part}
        for part in re.split("(<image>)", text)
        if part
    ]


async def play(
    replies: Sequence[str], arguments: Mapping[str, Any], seed: int
) -> tuple[float, list[list[dict[str, Any]]], list[Any], dict[str, Any]]:
    """Plays an episode as VAGEN does; returns its reward, contents, pictures and last info.

    In a reply, RIGHT stands for the right answer.
    """
    env = ZoomImageEnv(env_config=arguments)
    shown, info = await env.reset(seed=seed)
    truth = open_task_set("synthetic").by_id(info["task_id"]).truth
    contents = [content_of(await env.system_prompt()), content_of(shown)]
    pictures = [*shown["multi_modal_input"]["<image>"]]
    rewards, is_over = list[float](), False
    for reply in replies:
        assert not is_over
        shown, reward, is_over, told = await env.step(reply.replace("RIGHT", truth))
        rewards.append(reward)
        info |= told
        contents.append(content_of(shown))
        pictures += shown.get("multi_modal_input", {}).get("<image>", [])
    assert is_over
    await env.close()
    return sum(rewards), contents, pictures, info


LOOK = '{"segment": [4, 6], "fps": 2}'
ANSWER = '{"answer": "RIGHT"}'


@pytest.mark.parametrize(
    ("replies", "reward", "num_pictures"),
    [
        ([LOOK, ANSWER], 1.5, 8),
        ([ANSWER], 1.0, 4),
        ([LOOK, '{"answer": "Q"}'], 0.1, 8),
        ([LOOK.replace("]", ""), ANSWER], 0.9, 4),
        ([f"{LOOK}\n{LOOK}", ANSWER], 0.9, 4),
        ([LOOK, "Hm.", "Hm."], 0.0, 8),
    ],
)
def test_an_episode_is_played_by_the_rules_with_as_many_places_as_pictures(
    replies: list[str], reward: float, num_pictures: int
) -> None:
    got, contents, pictures, info = asyncio.run(play(replies, ARGUMENTS, seed=3))
    assert got == pytest.approx(reward)
    places = [part for content in contents for part in content if part["type"] == "image"]
    assert len(places) == len(pictures) == num_pictures
    assert {picture.mode for picture in pictures} == {"RGB"}
    assert info["success"] == (reward >= 0.9)


def test_texts_are_those_of_every_client() -> None:
    _, contents, pictures, _ = asyncio.run(play([LOOK, ANSWER], ARGUMENTS, seed=3))
    env = ZoomEnv(**ARGUMENTS)
    env.reset(seed=3)
    env.step(LOOK)
    messages = to_messages(env.observation)
    told = ["".join(part.get("text", "") for part in content) for content in contents]
    assert told == [text_of(messages[at]) for at in (0, 1, 3)] + ["The episode is over."]
    np.testing.assert_array_equal([np.asarray(one) for one in pictures], images_of(messages))


def test_the_seed_draws_the_task() -> None:
    drawn = [asyncio.run(play([ANSWER], ARGUMENTS, seed))[3]["task_id"] for seed in (1, 2, 1)]
    assert drawn[0] == drawn[2] != drawn[1]


def test_a_question_cannot_pretend_to_hold_pictures(tmp_path: Path) -> None:
    first_video(SyntheticTasks(("flash",), "test", 30, "easy", "file"), tmp_path).rename(
        tmp_path / "a.mp4"
    )
    row = {
        "id": "one", "video": "a.mp4", "answer": "A", "options": ["<video>", "<|image_pad|>"],
        "question": "Which <image> is it?",
    }  # fmt: skip
    (tmp_path / "tasks.jsonl").write_text(json.dumps(row))

    async def reset() -> dict[str, Any]:
        env = ZoomImageEnv({"tasks": str(tmp_path / "tasks.jsonl"), "num_overview": 2})
        shown, _ = await env.reset(seed=0)
        await env.close()
        return shown

    content = content_of(asyncio.run(reset()))
    text = "".join(part.get("text", "") for part in content)
    assert "Which < image> is it?" in text
    assert "< video>" in text
    assert "<|" not in text
    assert [part["type"] for part in content].count("image") == 2
