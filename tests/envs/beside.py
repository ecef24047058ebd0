"""Plays the same replies in a vector of environments and in single ones, side by side."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv

from zoomgym import ZoomEnv, ZoomVectorEnv

KINDS = ("sync", "fork", pytest.param("spawn", marks=pytest.mark.long), "threads")
"""Kinds of vectors."""


def played(
    kind: str, env_of: Callable[..., ZoomEnv], replies: Sequence[Sequence[str]], **given: Any
) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """Yields what a step of a vector returns, and what steps of single environments return.

    Args:
        kind: of the vector.
        env_of: makes a single environment on `synthetic:flash`.
        replies: for each environment.
        given: settings of all environments.
    """
    make, number = partial(env_of, **given), len(replies)
    vector: Any
    if kind == "threads":
        vector = ZoomVectorEnv(number, tasks="synthetic:flash", **given)
    elif kind == "sync":
        vector = SyncVectorEnv([make] * number)
    else:
        vector = AsyncVectorEnv([make] * number, context=kind)
    singles = [make() for _ in replies]
    try:
        vector.reset(seed=5)
        for index, env in enumerate(singles):
            env.reset(seed=5 + index)
        for actions in zip(*replies, strict=True):
            alone = [env.step(action) for env, action in zip(singles, actions, strict=True)]
            yield vector.step(list(actions)), alone
    finally:
        vector.close()
        for env in singles:
            env.close()
