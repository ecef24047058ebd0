"""Video: a length, and the frames on screen at given times. Only this package decodes files."""

from zoomgym.video.file import ON_DAMAGE, VideoFile
from zoomgym.video.limits import Limits
from zoomgym.video.pool import POOL
from zoomgym.video.protocol import Video
from zoomgym.video.scale import letterbox, native_size
from zoomgym.video.store import STORE

__all__ = [
    "ON_DAMAGE",
    "Limits",
    "Video",
    "VideoFile",
    "close_files",
    "forget_frames",
    "letterbox",
    "native_size",
    "set_frame_memory",
]

close_files = POOL.close_idle
forget_frames = STORE.clear
set_frame_memory = STORE.resize
