"""Colors, sizes of text and headings that the panels of a picture share."""

from zoomgym.render.canvas import Canvas, Color, Rect

MARGIN = 12
HEADING_HEIGHT = 25
HEADLINE, TITLE, TEXT, SMALL, TINY = 20, 16, 14, 12, 11
"""Sizes of text, in pixels."""
PAGE, CARD, LINE, TRACK = (240, 243, 247), (255, 255, 255), (214, 221, 231), (226, 231, 239)
INK, SOFT, PALE = (22, 30, 46), (88, 99, 118), (246, 248, 251)
RIGHT, PALE_RIGHT = (21, 122, 58), (231, 246, 236)
WRONG, PALE_WRONG = (196, 28, 44), (253, 235, 236)
EVIDENCE, PALE_EVIDENCE = (46, 184, 104), (216, 244, 226)
ZOOM_COLORS = (
    *((37, 99, 235), (211, 72, 8), (147, 51, 234)),
    *((13, 120, 130), (205, 30, 110), (120, 80, 30)),
)
"""Colors of the zooms, in order, from the start again after the last."""


def clock(time_s: float) -> str:
    """Returns a time as people read it: 12.3 s, from two minutes on 2:05 or 1:02:33."""
    if round(time_s, 1) < 120:
        return f"{time_s:.1f} s"
    minutes, seconds = divmod(int(round(time_s, 1)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def heading(canvas: Canvas, box: Rect, title: str, remark: str = "") -> Rect:
    """Writes the heading of a panel and returns the room under it."""
    head, body = box.row(0, 18), box.cut(top=HEADING_HEIGHT)
    width = canvas.line(head, title, TEXT, INK)
    canvas.line(head.cut(left=width + 10), remark, SMALL, SOFT)
    return body


def mark_of(is_right: bool) -> tuple[str, Color, Color]:
    """Returns symbol, color and pale color of what is right, or wrong."""
    return ("check", RIGHT, PALE_RIGHT) if is_right else ("cross", WRONG, PALE_WRONG)


def zoom_color(zoom_index: int) -> Color:
    """Returns the color of the zoom at zoom_index, from 0."""
    return ZOOM_COLORS[zoom_index % len(ZOOM_COLORS)]


def badge(canvas: Canvas, box: Rect, text: str, color: Color) -> None:
    """Draws a short text in a filled square."""
    canvas.fill(box, color, radius=4)
    canvas.line(box, text, SMALL, CARD, "center")
