"""PPO on `ZoomEnvDiscrete` with Stable-Baselines3: training, tests, and the agent `ppo:PATH`."""
