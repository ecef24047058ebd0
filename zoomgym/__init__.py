"""zoomgym: the reference environment for agents that zoom into long video.

Importing it registers `ZoomEnv-v0`, `ZoomEnvDiscrete-v0` and `ZoomVectorEnv-v0` with Gymnasium.
"""

from importlib.metadata import version

import gymnasium as gym

from zoomgym.envs.env import ZoomEnv
from zoomgym.errors import RecordError, ReplyError, TaskError, VideoError, ZoomGymError

__all__ = [
    "RecordError",
    "ReplyError",
    "TaskError",
    "VideoError",
    "ZoomEnv",
    "ZoomGymError",
    "__version__",
]

__version__ = version("zoomgym")

gym.register(id="ZoomEnv-v0", entry_point="zoomgym.envs.env:ZoomEnv")
gym.register(id="ZoomEnvDiscrete-v0", entry_point="zoomgym.envs.discrete:ZoomEnvDiscrete")
gym.register(
    id="ZoomVectorEnv-v0",
    entry_point="zoomgym.envs.vector:refuse_single",
    vector_entry_point="zoomgym.envs.vector:ZoomVectorEnv",
)
