"""Gymnasium environments: `ZoomEnv`, `ZoomEnvDiscrete` and `ZoomVectorEnv`."""
