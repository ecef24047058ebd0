"""Agents that play zoomgym: baselines that span floor to ceiling, by name in `registry`."""

from agents.extras import explain_missing_packages

explain_missing_packages()
