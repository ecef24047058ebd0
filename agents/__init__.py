"""Agents that play zoomgym: baselines that span floor to ceiling, by name in `registry`."""
