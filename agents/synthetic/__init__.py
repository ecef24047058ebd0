"""Agents for synthetic video, which read its symbols by pixels alone."""
