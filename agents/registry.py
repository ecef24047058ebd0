"""From a name to its agent."""

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

    Raises:
        ValueError: no agent has that name.
    """
    if name not in AGENTS:
        raise ValueError(f"agent needs one of {', '.join(AGENTS)}, got {name!r}")
    return AGENTS[name]()
