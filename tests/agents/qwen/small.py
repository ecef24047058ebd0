"""What tests of Qwen share: one tiny model, and episodes whose pictures are noise."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.qwen.model.families import FAMILIES
from agents.qwen.model.loading import load_model, load_processor
from agents.qwen.model.tiny import save_tiny
from tests.conftest import new_episode
from zoomgym.agent.observation import Frames, Observation, observe
from zoomgym.rules.episode import Episode


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)  # sums in another order round differently


ROUNDING = 1e-6
"""How far apart the log-probs of a token may be when a float64 model gets them in two ways.

The norms and rotary embeddings of Qwen2.5-VL are float32 in any model, and TRL keeps log-probs in
float32, which rounds those of tiny models (about 7) by up to 2.4e-7. A mistake is much larger:
`test_a_mistake_is_much_larger_than_rounding`.
"""


EVERY_FAMILY = pytest.mark.parametrize("family", FAMILIES, indirect=True)
"""Runs a test on a tiny model of each family, not only of Qwen2.5-VL."""


@pytest.fixture(scope="session")
def family(request: pytest.FixtureRequest) -> str:
    chosen: str = getattr(request, "param", "qwen2_5_vl")
    return chosen


@pytest.fixture(scope="session")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose pictures take up to four tokens.

    It is float64, so that what it says does not depend on the processor: PyTorch draws other
    float32 weights with AVX2 than without, and adds up float32 products in other orders.
    """
    path = tmp_path_factory.mktemp("tiny")
    save_tiny(path, tokens_per_frame=4, dtype=torch.float64, family=family)
    return path


@dataclass(frozen=True)
class Loaded:
    model: Any
    processor: Any


@pytest.fixture(scope="session")
def tiny(folder: Path) -> Loaded:
    return Loaded(load_model(str(folder)), load_processor(str(folder)))


class Broken:
    """A method that breaks off after some calls."""

    def __init__(self, whole: Callable[..., Any], num_calls: int) -> None:
        self._whole, self._left = whole, num_calls

    def __get__(self, owner: Any, _: type) -> Any:
        def method(*args: Any, **given: Any) -> Any:
            self._left -= 1
            if self._left < 0:
                raise InterruptedError
            return self._whole(owner, *args, **given)

        return method


def frames(times_s: tuple[float, ...], size: tuple[int, int], seed: int) -> Frames:
    """Returns noise at times: a picture of its own for every time."""
    rng = np.random.default_rng([seed, *(round(1000 * time_s) for time_s in times_s)])
    return Frames(times_s, rng.integers(0, 256, (len(times_s), *size, 3), dtype=np.uint8))


def seen(
    episode: Episode, size: tuple[int, int] = (28, 28), clip_size: tuple[int, int] = (28, 28)
) -> Observation:
    """Returns what an agent sees of an episode: noise, at the sizes (H, W)."""
    seed = sum(episode.key.encode())
    clips = [frames(zoom.times_s, clip_size, seed) for zoom in episode.zooms]
    return observe(episode, frames(episode.overview_s, size, seed), clips)


def short_episode(grammar: str = "video_zoom") -> Episode:
    """Returns an episode with an overview of three frames."""
    return new_episode(num_overview=3, frame_budget=64, grammar=grammar)
