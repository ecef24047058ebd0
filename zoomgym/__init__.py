"""zoomgym: the reference environment for agents that zoom into long video.

Importing it registers `ZoomEnv-v0`, `ZoomEnvDiscrete-v0` and `ZoomVectorEnv-v0` with Gymnasium.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from zoomgym.agent import Agent, Observation
from zoomgym.envs import ZoomEnv
from zoomgym.errors import (
    AgentError,
    CallError,
    FinderError,
    GradingError,
    OverviewError,
    RecordError,
    ReplyError,
    TaskError,
    VideoError,
    ZoomGymError,
)
from zoomgym.rules import Rules
from zoomgym.tasks import TaskSet, VideoQuestion, open_task_set
from zoomgym.video import Limits, VideoFile

if TYPE_CHECKING:
    from zoomgym.envs.discrete import ZoomEnvDiscrete
    from zoomgym.envs.vector import ZoomVectorEnv, ZoomVectorEnvDiscrete
    from zoomgym.records import Record, read_records, replay, write_records
    from zoomgym.rollout import run_episodes
    from zoomgym.testing import check_agent

__all__ = [
    "Agent",
    "AgentError",
    "CallError",
    "FinderError",
    "GradingError",
    "Limits",
    "Observation",
    "OverviewError",
    "Record",
    "RecordError",
    "ReplyError",
    "Rules",
    "TaskError",
    "TaskSet",
    "VideoError",
    "VideoFile",
    "VideoQuestion",
    "ZoomEnv",
    "ZoomEnvDiscrete",
    "ZoomGymError",
    "ZoomVectorEnv",
    "ZoomVectorEnvDiscrete",
    "__version__",
    "check_agent",
    "open_task_set",
    "read_records",
    "replay",
    "run_episodes",
    "write_records",
]

__version__ = version("zoomgym")

_LATER = {
    "Record": "zoomgym.records",
    "ZoomEnvDiscrete": "zoomgym.envs.discrete",
    "ZoomVectorEnv": "zoomgym.envs.vector",
    "ZoomVectorEnvDiscrete": "zoomgym.envs.vector",
    "check_agent": "zoomgym.testing",
    "read_records": "zoomgym.records",
    "replay": "zoomgym.records",
    "run_episodes": "zoomgym.rollout",
    "write_records": "zoomgym.records",
}
"""Names that are imported when they are first used, so that `import zoomgym` stays quick."""


def __getattr__(name: str) -> Any:
    """Returns what a name in `_LATER` means. Raises AttributeError for any other."""
    if name not in _LATER:
        raise AttributeError(f"module 'zoomgym' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


gym.register(id="ZoomEnv-v0", entry_point="zoomgym.envs.env:ZoomEnv")
gym.register(
    id="ZoomEnvDiscrete-v0",
    entry_point="zoomgym.envs.discrete:ZoomEnvDiscrete",
    vector_entry_point="zoomgym.envs.vector:ZoomVectorEnvDiscrete",
)
gym.register(
    id="ZoomVectorEnv-v0",
    entry_point="zoomgym.envs.vector:refuse_single",
    vector_entry_point="zoomgym.envs.vector:ZoomVectorEnv",
)
