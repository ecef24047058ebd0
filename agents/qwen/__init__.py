"""Qwen2.5-VL as an agent that zooms. Needs the extra `qwen`; nothing else in agents/ does."""

from agents.threads import wait_asleep

wait_asleep()
