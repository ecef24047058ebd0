"""Video: a length, and the frames on screen at given times. Only this package decodes files."""

from zoomgym.video.file import VideoFile
from zoomgym.video.protocol import Video
from zoomgym.video.scale import letterbox, native_size

__all__ = ["Video", "VideoFile", "letterbox", "native_size"]
