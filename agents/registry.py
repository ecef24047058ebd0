"""From a name to its agent."""

import importlib
from collections.abc import Callable

from agents.baselines import BlindAgent, GlanceAgent, OracleAgent, RandomAgent, UniformAgent
from agents.heuristics import ChangeAgent, CoarseToFineAgent, KeyframeAgent
from agents.probes import HalfAgent, OnceAgent, SlowAgent
from agents.tutor import TutorAgent
from zoomgym.agent import Agent

__all__ = ["AGENTS", "FAMILIES", "make_agent"]

AGENTS: dict[str, Callable[[], Agent]] = {
    "blind": BlindAgent,
    "glance": GlanceAgent,
    "random": RandomAgent,
    "uniform": UniformAgent,
    "change": ChangeAgent,
    "keyframe": KeyframeAgent,
    "coarse_to_fine": CoarseToFineAgent,
    "slow": SlowAgent,
    "half": HalfAgent,
    "once": OnceAgent,
    "oracle": OracleAgent,
    "tutor": TutorAgent,
}

FAMILIES = {
    "chat": "agents.chat:make_chat",
    "ppo": "agents.sb3.policy:PpoAgent",
    "qwen": "agents.qwen.policy:QwenAgent",
}
"""Agents that are made from an argument: imported only then, as they need extras."""


def make_agent(name: str) -> Agent:
    """Returns a new agent, not yet reset.

    Args:
        name: of a registered agent; `chat:MODEL@URL`, a served model; `ppo:PATH`, the folder of a
            trained policy; `qwen:PATH`, a model's folder or hub id; or `module:Class` of your own,
            which takes no arguments.

    Raises:
        ValueError: no agent has that name, or that argument.
        OSError: no model stands at PATH.
    """
    if name in AGENTS:
        return AGENTS[name]()
    family, colon, argument = name.partition(":")
    if not colon:
        known = ", ".join(AGENTS)
        raise ValueError(
            f"agent needs one of {known}, chat:MODEL@URL, ppo:PATH, qwen:PATH or module:Class, "
            f"got {name!r}"
        )
    if family in FAMILIES:
        agent: Agent = _import(name, FAMILIES[family])(argument)
    else:
        agent = _import(name, name)()
    return agent


def _import(name: str, target: str) -> Callable[..., Agent]:
    """Returns what `module:Class` names, for the agent of a name. Raises ValueError."""
    module, _, attribute = target.partition(":")
    try:
        kind: Callable[..., Agent] = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"agent {name!r} needs to be importable, got: {error}") from error
    return kind
