"""Gymnasium environments: `ZoomEnv`, `ZoomEnvDiscrete`, and vectors of both."""

from zoomgym.envs.env import ZoomEnv
from zoomgym.envs.finders import Finder, KnownFinder
from zoomgym.envs.form import COLUMNS, Form
from zoomgym.envs.pickers import PICKERS, Known, NamedPicker, Picker, ScannedVideo, Scorer
from zoomgym.envs.spaces import ReplySpace, observation_space, to_dict
from zoomgym.envs.viewing import MAX_DURATION_S

__all__ = [
    "COLUMNS",
    "MAX_DURATION_S",
    "PICKERS",
    "Finder",
    "Form",
    "Known",
    "KnownFinder",
    "NamedPicker",
    "Picker",
    "ReplySpace",
    "ScannedVideo",
    "Scorer",
    "ZoomEnv",
    "observation_space",
    "to_dict",
]
