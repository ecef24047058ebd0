"""Agents by their names."""

import inspect
from collections.abc import Callable
from typing import Any

from agents.extras import how_to_install
from agents.synthetic.baselines import (
    BlindAgent,
    GlanceAgent,
    OracleAgent,
    RandomAgent,
    UniformAgent,
)
from agents.synthetic.heuristics import ChangeAgent, CoarseToFineAgent, KeyframeAgent
from agents.synthetic.probes import HalfAgent, OnceAgent, SlowAgent
from agents.synthetic.tools import CropperAgent, ListenerAgent, ToolboxAgent
from agents.synthetic.tutor import TutorAgent
from zoomgym.agent import Agent, is_privileged
from zoomgym.io import import_named, nearest

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
    "listener": ListenerAgent,
    "cropper": CropperAgent,
    "toolbox": ToolboxAgent,
    "tutor": TutorAgent,
}

FAMILIES = {
    "chat": "agents.chat.agent:make_chat",
    "ppo": "agents.sb3.policy:PpoAgent",
    "qwen": "agents.qwen.model.policy:QwenAgent",
}
"""Agents made from an argument. They need extras, so they are imported on demand."""
FORMS = {"chat": "chat:MODEL@URL", "ppo": "ppo:PATH", "qwen": "qwen:PATH"}
ABOUT = {
    "chat": "A model that is served at an OpenAI-compatible endpoint.",
    "ppo": "A policy that PPO trained on the menu of zooms.",
    "qwen": "A Qwen2.5-VL, run by this package.",
}
"""One line about each family; other agents have it in their docstrings."""


def about(name: str) -> str:
    """Returns what an agent is, in one line; empty for one of the user's own.

    Nothing is imported for this: names come from strangers' records.
    """
    if name in AGENTS:
        return (AGENTS[name].__doc__ or "").partition("\n")[0]
    return ABOUT.get(name.partition(":")[0], "")


def is_told_evidence(name: str) -> bool:
    """Returns whether a registered agent is told where the evidence is."""
    return name in AGENTS and is_privileged(AGENTS[name]())


def make_agent(name: str) -> Agent:
    """Returns a new agent, not yet reset.

    Args:
        name: a registered name; `chat:MODEL@URL`, a served model; `ppo:PATH`, the folder of a
            trained policy; `qwen:PATH`, a model's folder or hub id; or `module:Class` of your own,
            which takes no arguments.

    Raises:
        ValueError: no agent has that name, or that argument.
        OSError: there is no model at PATH.
    """
    if name in AGENTS:
        return AGENTS[name]()
    family, colon, argument = name.partition(":")
    if not colon:
        forms = {**{known: known for known in AGENTS}, **FORMS}
        near = nearest(name, forms)
        raise ValueError(
            f"agent needs one of {', '.join(forms.values())} or module:Class, got {name!r}"
            + (f": did you mean {forms[near]}?" if near else "")
        )
    if family in FAMILIES:
        agent: Agent = _import(name, FAMILIES[family])(argument)
        return agent
    return _own(name, _import(name, name))


def _import(name: str, target: str) -> Callable[..., Any]:
    """Returns what target, a `module:Class`, names. Raises ValueError, which shows name."""
    kind: Callable[..., Any] = import_named("agent", name, target, "MyAgent", how_to_install)
    return kind


def _own(name: str, kind: Callable[..., Any]) -> Agent:
    """Returns a new agent of the user's own class. Raises ValueError if it is no agent."""
    try:
        inspect.signature(kind).bind()
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"agent {name!r} needs a class that takes no arguments, got: {error}"
        ) from error
    agent: Agent = kind()
    if not (hasattr(agent, "reset") and hasattr(agent, "act")):
        raise ValueError(
            f"agent {name!r} needs the methods reset(seed) and act(observation), "
            f"got {type(agent).__name__}"
        )
    return agent
