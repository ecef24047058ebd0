"""PPO on `ZoomEnvDiscrete` with Stable-Baselines3: training, tests, and the agent `ppo:PATH`."""

from agents.threads import wait_asleep

wait_asleep()
