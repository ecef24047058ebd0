"""The model Qwen2.5-VL: how it is loaded, reads and replies, and the agent that plays with it."""
