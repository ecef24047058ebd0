"""The texts of observations, in every way to run several environments: exactly the single one's."""

from typing import Any

import gymnasium as gym
import pytest
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers import FrameStackObservation

from zoomgym.envs.env import ZoomEnv
from zoomgym.envs.vector import ZoomVectorEnv

SETTINGS: dict[str, Any] = {
    "tasks": "synthetic:flash,count",
    "source": "scene",
    "max_pixels": 256,
    "frame_size": (0, 0),
}
SEED = 11
ZOOM = '{"segment": [4, 6], "fps": 8}'
REPLIES = [
    ("<no> call & no answer", ZOOM),
    ('{"segment": [6, 4], "fps": 8}', '{"answer": "A"}'),
    ('{"segment": [0, 60], "fps": 8}', "passed over: the second episode is over"),
    ('{"answer": "B"}', ZOOM),
]
"""Of two environments: what they are sent in each step."""


def shared(context: str, **others: Any) -> dict[str, Any]:
    return {"vectorization_mode": "async", "vector_kwargs": {"context": context, **others}}


MODES: dict[str, dict[str, Any]] = {
    "sync": {"vectorization_mode": "sync"},
    "sync-uncopied": {"vectorization_mode": "sync", "vector_kwargs": {"copy": False}},
    "async": {"vectorization_mode": "async"},
    "fork-shared": shared("fork", shared_memory=True),
    "fork-shared-uncopied": shared("fork", shared_memory=True, copy=False),
    "fork-unshared": shared("fork", shared_memory=False),
    "fork-unshared-uncopied": shared("fork", shared_memory=False, copy=False),
}
SLOW_MODES = {
    f"{context}-{word}": shared(context, shared_memory=word == "shared")
    for context in ("forkserver", "spawn")
    for word in ("shared", "unshared")
}
PARAMETERS = [
    *(pytest.param(mode, id=name) for name, mode in MODES.items()),
    *(pytest.param(mode, id=name, marks=pytest.mark.slow) for name, mode in SLOW_MODES.items()),
]


def texts(observation: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns (question, feedback) of each of two environments, as plain texts."""
    return [
        (str(observation["question"][index]), str(observation["feedback"][index]))
        for index in range(2)
    ]


def expected() -> list[list[tuple[str, str]]]:
    """Returns what two single environments show: at reset, and after each of REPLIES."""
    shown = []
    for index in range(2):
        env = ZoomEnv(**SETTINGS)
        observation, _ = env.reset(seed=SEED + index)
        own, is_over = [(observation["question"], observation["feedback"])], False
        for replies in REPLIES:
            if is_over:
                observation, _ = env.reset()
                is_over = False
            else:
                observation, _, terminated, truncated, _ = env.step(replies[index])
                is_over = terminated or truncated
            own.append((observation["question"], observation["feedback"]))
        shown.append(own)
        env.close()
    return [list(pair) for pair in zip(*shown, strict=True)]


def played(envs: VectorEnv[Any, Any, Any]) -> list[list[tuple[str, str]]]:
    """Returns what a vector shows: at reset, and after each of REPLIES."""
    observation, _ = envs.reset(seed=SEED)
    shown = [texts(observation)]
    for replies in REPLIES:
        observation, *_ = envs.step(replies)
        shown.append(texts(observation))
    envs.close()
    return shown


def test_what_is_expected_tells_the_environments_and_the_turns_apart() -> None:
    shown = expected()
    assert len({question for pair in shown for question, _ in pair}) == 3  # one was begun anew
    assert shown[0][0][1] == shown[0][1][1] == ""
    assert len({pair[0][1] for pair in shown}) == 4  # after an answer there is none


@pytest.mark.long
@pytest.mark.parametrize("mode", PARAMETERS)
def test_every_vector_mode_shows_the_texts_of_single_environments(mode: dict[str, Any]) -> None:
    assert played(gym.make_vec("zoomgym:ZoomEnv-v0", num_envs=2, **mode, **SETTINGS)) == expected()


def test_our_vector_shows_the_texts_of_single_environments() -> None:
    assert played(ZoomVectorEnv(2, **SETTINGS)) == expected()
    made = gym.make_vec(
        "zoomgym:ZoomVectorEnv-v0",
        num_envs=2,
        vectorization_mode="vector_entry_point",
        **SETTINGS,
    )
    assert played(made) == expected()


@pytest.mark.long
@pytest.mark.parametrize("mode", [{"vectorization_mode": "sync"}, *MODES.values()])
def test_what_was_shown_is_in_the_space_and_stays_as_it_was(mode: dict[str, Any]) -> None:
    envs = gym.make_vec("zoomgym:ZoomEnv-v0", num_envs=2, **mode, **SETTINGS)
    first, _ = envs.reset(seed=SEED)
    is_copied = mode.get("vector_kwargs", {}).get("copy", True)
    assert envs.observation_space.contains(first)
    if is_copied:
        assert {type(first[name]) for name in ("question", "feedback")} == {tuple}
        assert {type(text) for text in first["question"]} == {str}
        kept = dict(first)
        envs.step(REPLIES[0])
        assert first == kept or texts(first) == texts(kept)
        assert texts(first) == expected()[0]
    envs.close()


def test_a_new_episode_in_the_same_step_shows_its_own_texts() -> None:
    envs = gym.make_vec(
        "zoomgym:ZoomEnv-v0",
        num_envs=2,
        vectorization_mode="async",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
        **SETTINGS,
    )
    envs.reset(seed=SEED)
    envs.step(REPLIES[0])
    observation, _, terminated, _, infos = envs.step(REPLIES[1])
    assert terminated.tolist() == [False, True]
    wanted = expected()
    assert texts(observation) == [wanted[2][0], wanted[3][1]]
    final = infos["final_obs"][1]
    assert (final["question"], final["feedback"]) == wanted[2][1]
    envs.close()


def test_stacked_observations_show_their_own_texts() -> None:
    envs = gym.make_vec(
        "zoomgym:ZoomEnv-v0",
        num_envs=2,
        vectorization_mode="async",
        wrappers=[lambda env: FrameStackObservation(env, 2)],
        **SETTINGS,
    )
    envs.reset(seed=SEED)
    observation, *_ = envs.step(REPLIES[0])
    stacked = observation["feedback"]
    wanted = expected()
    assert [tuple(map(str, stack)) for stack in zip(*stacked, strict=True)] == [
        (wanted[0][index][1], wanted[1][index][1]) for index in range(2)
    ]
    envs.close()
