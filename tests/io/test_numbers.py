"""Whatever is passed as an argument: an environment, or a clear error that names the argument."""

import inspect
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from zoomgym import TaskError
from zoomgym.envs.discrete import ZoomEnvDiscrete
from zoomgym.envs.env import ZoomEnv
from zoomgym.envs.vector import ZoomVectorEnv
from zoomgym.errors import GradingError
from zoomgym.io.numbers import is_finite_number, is_whole_number
from zoomgym.io.text import brief
from zoomgym.tasks.synthetic import Difficulty
from zoomgym.video import VideoFile

HUGE = 10**400
"""No float holds it."""
UNPRINTABLE = 10**5000
"""Python does not write it."""
HOSTILE: tuple[Any, ...] = (
    HUGE, -HUGE, UNPRINTABLE, math.inf, -math.inf, math.nan, np.float64("nan"), 1e308, 2**63,
    True, False, 0, -1, 1.5, 1j, Decimal("1e500"), Decimal("nan"), Fraction(1, 3), np.int64(5),
    "x", "", "1", "\0", "\ud800", b"x", object(), object, None, range(2), np.array([1, 2]),
    [], [1, 2], (1, 2, 3), [HUGE, 1], [UNPRINTABLE, 1], [True, True], [math.nan, 1], ["a", "b"],
    [[1, 2]], {}, {"a": 1}, {1: 2}, set(),
)  # fmt: skip
SETTINGS: dict[str, Any] = {"tasks": "synthetic:flash", "source": "scene", "frame_size": (0, 0)}
DISCRETE_SETTINGS: dict[str, Any] = {"tasks": "synthetic:flash", "source": "scene"}
MAKERS = {ZoomEnv: SETTINGS, ZoomEnvDiscrete: DISCRETE_SETTINGS, ZoomVectorEnv: SETTINGS}
OTHER_NAMES = {
    "grader": "grader",
    "tasks": "tasks|task",
    "frames_per_zoom": "frames_per_zoom|rates",
    "num_overview": "num_overview|observation",
    "frame_size": "frame_size|observation",
    "difficulty": "difficulty|preset|" + "|".join(inspect.signature(Difficulty).parameters),
}
"""What an error may name instead of the argument."""


def parameters(maker: type) -> list[str]:
    names = {*inspect.signature(ZoomEnv).parameters, *inspect.signature(maker).parameters}
    return sorted(names - {"settings"})


@pytest.mark.parametrize(
    ("maker", "name"), [(maker, name) for maker in MAKERS for name in parameters(maker)]
)
def test_every_argument_is_taken_or_refused_by_its_name(maker: Any, name: str) -> None:
    for value in HOSTILE:
        error = refusal(maker, {**MAKERS[maker], name: value})
        if error is not None:
            assert type(error) in (ValueError, TaskError, GradingError), f"{brief(value)}: {error}"
            assert re.search(OTHER_NAMES.get(name, name), str(error)), f"{brief(value)}: {error}"
            assert len(str(error)) < 1000


def refusal(maker: Any, settings: dict[str, Any]) -> Exception | None:
    try:
        maker(**settings).close()
    except (ValueError, TaskError, GradingError) as error:
        return error
    return None


@pytest.mark.parametrize(
    "weight", [HUGE, -HUGE, UNPRINTABLE, math.inf, math.nan, True, "1", None], ids=brief
)
def test_a_weight_that_is_no_finite_number_is_refused(weight: Any) -> None:
    with pytest.raises(ValueError, match=r"reward_weights needs finite numbers, got tool="):
        gym.make("zoomgym:ZoomEnv-v0", reward_weights={"tool": weight}, **SETTINGS)


def test_the_largest_weights_add_up() -> None:
    weights = dict.fromkeys(("accuracy", "format", "tool", "zoom_cost"), 0.99e300)
    env = ZoomEnv(reward_weights=weights, **SETTINGS)
    env.reset(seed=0)
    env.step('{"segment": [4, 6], "fps": 8}')
    _, reward, *_ = env.step(f'{{"answer": "{env.episode.task.truth}"}}')
    assert reward == math.fsum([0.99e300] * 4)


@pytest.mark.parametrize("setting", ["contrast", "lit_steps", "num_decoys", "symbols", "event_s"])
def test_a_setting_of_difficulty_is_refused_by_its_name(setting: str) -> None:
    for value in (HUGE, -HUGE, UNPRINTABLE, math.inf, math.nan, True, -1, "x", None, [HUGE, 1]):
        with pytest.raises(TaskError, match=f"^{setting} needs "):
            ZoomEnv(difficulty={setting: value}, **SETTINGS)


def test_observations_that_no_memory_holds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"at most 4294967296 bytes of frames, got 503366811648:"):
        ZoomEnv(
            num_overview=10_000,
            frame_budget=10_001,
            frame_size=(4096, 4096),
            tasks="synthetic:flash",
        )


def test_the_most_pixels_show_the_video_as_it_is() -> None:
    shapes = []
    for max_pixels in (10**12, 10**6):
        env = ZoomEnv(max_pixels=max_pixels, num_overview=1, **SETTINGS)
        env.reset(seed=0)
        shapes.append(env.observation.overview.images.shape)
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(
    "num_threads", [HUGE, UNPRINTABLE, math.nan, True, 0, -1, 1.0, "2", [1]], ids=brief
)
def test_a_number_of_threads_that_is_none_is_refused(num_threads: Any) -> None:
    with pytest.raises(ValueError, match="num_threads needs at least 1, got "):
        VideoFile("a.mp4", num_threads=num_threads)


def test_a_home_of_nobody_is_refused() -> None:
    with pytest.raises(TaskError, match="mmvu needs a folder that is there, got '~nobody-here/x'"):
        ZoomEnv("mmvu:~nobody-here/x")


def test_numbers_are_told_from_what_looks_like_them() -> None:
    assert [is_whole_number(value, 1, 5) for value in (1, 5, 0, 6, True, 1.0, "1", HUGE)] == [
        True, True, False, False, False, False, False, False,
    ]  # fmt: skip
    assert [is_finite_number(value) for value in (1, -2.5, np.float64(3), 1e299)] == [True] * 4
    assert not any(map(is_finite_number, (True, "1", math.nan, -math.inf, 1e300, HUGE, None, [1])))
