"""Video: a length, and the frames on screen at given times. Only this package decodes files."""

from zoomgym.video.file import ON_DAMAGE, VideoFile, set_decode_threads
from zoomgym.video.limits import Limits
from zoomgym.video.many import Request, frames_of
from zoomgym.video.pool import POOL
from zoomgym.video.protocol import Video
from zoomgym.video.scale import letterbox, native_size
from zoomgym.video.store import STORE

__all__ = [
    "ON_DAMAGE",
    "Limits",
    "Request",
    "Video",
    "VideoFile",
    "close_files",
    "forget_frames",
    "frames_of",
    "keep_frames_in",
    "letterbox",
    "native_size",
    "set_decode_threads",
    "set_frame_memory",
    "set_open_files",
]

close_files = POOL.close_idle
set_open_files = POOL.resize
forget_frames = STORE.clear
set_frame_memory = STORE.resize
keep_frames_in = STORE.use_folder
