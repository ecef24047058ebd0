"""Shows an episode to a person: as text, as a picture, on a screen."""

from zoomgym.render.canvas import Canvas, Rect, line_height, wrap
from zoomgym.render.picture import PICTURE_SIZE, paint
from zoomgym.render.screen import Screen, describe
from zoomgym.render.style import EVIDENCE, PALE_EVIDENCE, ZOOM_COLORS, clock
from zoomgym.render.terminal import inline_picture, save_frames
from zoomgym.render.video_panels import AXIS_STEPS_S

__all__ = [
    "AXIS_STEPS_S",
    "EVIDENCE",
    "PALE_EVIDENCE",
    "PICTURE_SIZE",
    "ZOOM_COLORS",
    "Canvas",
    "Rect",
    "Screen",
    "clock",
    "describe",
    "inline_picture",
    "line_height",
    "paint",
    "save_frames",
    "wrap",
]
