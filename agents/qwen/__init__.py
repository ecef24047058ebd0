"""Qwen2.5-VL as an agent that zooms. It alone needs the extra `qwen`."""

from agents.threads import wait_asleep

wait_asleep()
