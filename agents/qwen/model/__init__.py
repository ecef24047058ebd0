"""Qwen models: how they load, read and reply, and the agent that plays with them."""
