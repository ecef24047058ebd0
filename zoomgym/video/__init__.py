"""Video: a length, and the frames on screen at given times. Only this package decodes files."""

from zoomgym.video.clock import tick_at
from zoomgym.video.container import ANY_METADATA, exact
from zoomgym.video.cost import charge, cost_s
from zoomgym.video.file import FACTS, ON_DAMAGE, VideoFile
from zoomgym.video.header import claimed_duration_s
from zoomgym.video.letterbox import fitted_size, letterbox, resized
from zoomgym.video.limits import Limits
from zoomgym.video.memo import Memo, after_fork
from zoomgym.video.pool import POOL
from zoomgym.video.protocol import Video
from zoomgym.video.scale import Orientation, Scaler, cropped, native_size, orientation_of
from zoomgym.video.store import STORE

__all__ = [
    "ANY_METADATA",
    "FACTS",
    "ON_DAMAGE",
    "Limits",
    "Memo",
    "Orientation",
    "Scaler",
    "Video",
    "VideoFile",
    "after_fork",
    "charge",
    "claimed_duration_s",
    "close_files",
    "cost_s",
    "cropped",
    "exact",
    "fitted_size",
    "forget_frames",
    "letterbox",
    "native_size",
    "orientation_of",
    "resized",
    "set_frame_memory",
    "tick_at",
]

close_files = POOL.close_idle
forget_frames = STORE.clear
set_frame_memory = STORE.resize
