"""From a name to its agent."""

import importlib
from collections.abc import Callable

from agents.baselines import BlindAgent, GlanceAgent, OracleAgent, RandomAgent, UniformAgent
from zoomgym.agent import Agent

__all__ = ["AGENTS", "make_agent"]

AGENTS: dict[str, Callable[[], Agent]] = {
    "blind": BlindAgent,
    "glance": GlanceAgent,
    "random": RandomAgent,
    "uniform": UniformAgent,
    "oracle": OracleAgent,
}


def make_agent(name: str) -> Agent:
    """Returns a new agent, not yet reset.

    Args:
        name: of a registered agent, or `module:Class` of your own, which takes no arguments.

    Raises:
        ValueError: no agent has that name.
    """
    if name in AGENTS:
        return AGENTS[name]()
    module, colon, attribute = name.partition(":")
    try:
        if colon:
            agent: Agent = getattr(importlib.import_module(module), attribute)()
            return agent
    except (ImportError, AttributeError) as error:
        raise ValueError(f"agent {name!r} needs to be importable, got: {error}") from error
    raise ValueError(f"agent needs one of {', '.join(AGENTS)}, or module:Class, got {name!r}")
