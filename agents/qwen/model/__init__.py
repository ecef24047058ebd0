"""Qwen2.5-VL: loading it, reading with it, letting it speak, and the agent that plays with it."""
