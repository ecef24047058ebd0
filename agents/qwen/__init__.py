"""Qwen2.5-VL, Qwen3-VL and Qwen3.5 as agents that zoom. It alone needs the extra `qwen`."""

from agents.threads import wait_asleep

wait_asleep()
