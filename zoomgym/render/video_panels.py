"""Draws the panels of the video: the overview, the clips, and the time line."""

from collections.abc import Sequence

import numpy as np

from zoomgym.agent import Frames
from zoomgym.io import number_of
from zoomgym.render import style
from zoomgym.render.canvas import Canvas, Color, Grid, Rect, text_width
from zoomgym.render.style import badge, clock, heading, zoom_color
from zoomgym.rules import Episode, FrameCall, Segment, ZoomCall, ZoomCalls

LABEL_HEIGHT = 52
MOST_CELLS = 256
"""Most overview or clip frames that are shown; from more, these are picked evenly."""
MOST_LABELLED = 48
"""Most frames of a clip with times under them: those of a longer one are too small."""
MOST_ZOOMS = 5
"""Most zooms that are shown with frames, the latest; earlier ones are on the time line only."""
MIN_MARK_PX = 4
"""Narrowest mark on the time line: 1 s of 10 h would be a fortieth of a pixel."""
MOST_AXIS_LABELS = 12
AXIS_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


def _stretch(segment: Segment) -> str:
    """Returns a segment as people read it."""
    return f"{clock(segment.start_s)} - {clock(segment.end_s)}"


def _place(call: FrameCall) -> str:
    """Returns what a call shows, as the time line says it."""
    if isinstance(call, ZoomCall):
        return f"{_stretch(call.segment)}, {call.fps:.4g} fps"
    if isinstance(call, ZoomCalls):
        return f"{len(call.calls)} zooms in {_stretch(call.segment)}"
    return f"crop at {clock(call.at_s)}"


def _known_evidence(episode: Episode) -> tuple[Segment, ...]:
    """Returns the evidence segments, none before the end."""
    return episode.task.evidence if episode.is_over else ()


def draw_overview(canvas: Canvas, box: Rect, episode: Episode, overview: Frames) -> None:
    """Draws all frames of the overview as a contact strip, in the order of time."""
    count = len(overview.times_s)
    if not count:
        heading(canvas, box, "Overview", "no frames")
        return
    stretch = f"{clock(overview.times_s[0])} to {clock(overview.times_s[-1])}"
    remark = f"{number_of(count, 'frame')}, {stretch}"
    if count > MOST_CELLS:
        overview = _thinned(overview)
        remark += f" ({MOST_CELLS} of them shown)"
    body = heading(canvas, box, "Overview", remark)
    grid = _draw_frames(canvas, body.cut(left=58), overview, _known_evidence(episode))
    labels = body._replace(right=body.left + 52)
    free_y = labels.top
    for row, time_s in enumerate(overview.times_s[:: grid.columns]):
        label = Rect(labels.left, labels.top + row * grid.height, labels.right, 0)
        label = label._replace(bottom=label.top + grid.height)
        if label.middle - 6 >= free_y - 1:
            canvas.line(label, clock(time_s), style.TINY, style.SOFT, "right")
            free_y = label.middle + 6


def _thinned(frames: Frames) -> Frames:
    """Returns at most MOST_CELLS frames, evenly picked, the first and the last among them."""
    count = len(frames.times_s)
    picks = np.linspace(0, count - 1, min(count, MOST_CELLS)).round().astype(int)
    return Frames(tuple(frames.times_s[pick] for pick in picks), frames.images[picks])


def _draw_frames(
    canvas: Canvas, box: Rect, frames: Frames, evidence: Sequence[Segment], foot: int = 0
) -> Grid:
    """Draws frames in a grid that fills box, and underlines those within the evidence.

    A foot has the times of frames, where there is room. Returns the grid, with gaps in its cells.
    """
    gap = 2 if len(frames.times_s) > 16 else 3
    aspect = frames.images.shape[2] / frames.images.shape[1]
    grid = Grid.within(box, len(frames.times_s), aspect, gap, foot)
    pitch_x, pitch_y = grid.width + gap, grid.height + gap + foot
    shown, free_x = "", 0
    for index, (time_s, image) in enumerate(zip(frames.times_s, frames.images, strict=True)):
        row, column = divmod(index, grid.columns)
        left, top = box.left + column * pitch_x, box.top + row * pitch_y
        cell = Rect(left, top, left + grid.width, top + grid.height)
        canvas.picture(cell, image)
        if any(segment.holds(time_s) for segment in evidence):
            canvas.fill(cell._replace(top=cell.bottom - 3), style.EVIDENCE)
        free_x = free_x if column else 0
        label = f"{time_s:.2f} s" if time_s < 120 else clock(time_s)
        if foot and label != shown and left >= free_x:
            room = Rect(left, cell.bottom, box.right, cell.bottom + foot)
            if text_width(label, style.TINY) <= room.width:
                free_x = left + canvas.line(room, label, style.TINY, style.SOFT) + 4
                shown = label
    return Grid(grid.columns, pitch_x, pitch_y)


def draw_clips(canvas: Canvas, box: Rect, episode: Episode, clips: Sequence[Frames]) -> None:
    """Draws the frames of the latest zooms and crops, one clip under the other."""
    rows = list(enumerate(zip(episode.shown, clips, strict=False)))
    hidden = max(0, len(rows) - MOST_ZOOMS)
    kind = "zoom" if len(episode.zooms) == len(episode.shown) else "clip"
    remark = f"{number_of(len(rows), kind)}, {number_of(len(episode.clip_s), 'frame')}"
    if hidden:
        remark += f" ({hidden} earlier not shown)"
    body = heading(canvas, box, "Clips", remark if rows else "")
    if not rows:
        canvas.line(body, "No zoom yet: its frames will be here.", style.TEXT, style.SOFT, "center")
        return
    height = min(220, body.height // (len(rows) - hidden))
    for clip_index, (call, clip) in rows[hidden:]:
        row = body.row(0, height).cut(bottom=4)
        foot = 14 if len(clip.times_s) <= MOST_LABELLED else 0
        grid = _draw_frames(
            canvas, row.cut(left=122), _thinned(clip), _known_evidence(episode), foot
        )
        used = max(LABEL_HEIGHT, -(-len(clip.times_s) // grid.columns) * grid.height)
        row = row.row(0, min(row.height, used))
        canvas.fill(row._replace(right=row.left + 4), zoom_color(clip_index))
        _draw_clip_label(canvas, row.cut(left=10)._replace(right=row.left + 116), clip_index, call)
        body = body.cut(top=row.height + 4)


def _draw_clip_label(canvas: Canvas, box: Rect, clip_index: int, call: FrameCall) -> None:
    head = box.row(0, 18)
    badge(canvas, head._replace(right=head.left + 22), str(clip_index + 1), zoom_color(clip_index))
    title, place, size = _label_lines(call)
    canvas.line(head.cut(left=28), title, style.SMALL, style.INK)
    canvas.line(box.cut(top=20).row(0, 15), place, style.SMALL, style.INK)
    canvas.line(box.cut(top=34).row(0, 15), size, style.SMALL, style.SOFT)


def _label_lines(call: FrameCall) -> tuple[str, str, str]:
    """Returns what is written beside the frames of a call."""
    num_frames = number_of(call.num_frames, "frame")
    if isinstance(call, ZoomCalls):
        return f"{len(call.calls)} zooms", _stretch(call.segment), num_frames
    if not isinstance(call, ZoomCall):
        left, top, right, bottom = (round(100 * edge) for edge in call.box)
        return "crop", f"at {clock(call.at_s)}", f"x {left}-{right}%, y {top}-{bottom}%"
    length_s = call.end_s - call.start_s
    length = f"{length_s:.3g} s" if length_s < 120 else clock(length_s)
    return f"{call.fps:.4g} fps", _stretch(call.segment), f"{num_frames}, {length}"


def draw_timeline(canvas: Canvas, box: Rect, episode: Episode) -> None:
    """Draws the whole video as a line: overview times, zooms in lanes, evidence after the end."""
    body = heading(canvas, box, "Time line", f"the whole video, {clock(episode.duration_s)}")
    evidence = _known_evidence(episode)
    if evidence:
        legend = box.row(0, 18)
        width = canvas.line(legend, "evidence", style.SMALL, style.SOFT, "right")
        swatch = legend.right - width - 20
        canvas.fill(Rect(swatch, legend.middle - 5, swatch + 14, legend.middle + 5), style.EVIDENCE)
    track = Rect(body.left, body.bottom - 26, body.right, body.bottom - 14)
    canvas.fill(track, style.TRACK, radius=3)
    for segment in evidence:
        mark = _mark(track, segment, episode.duration_s)
        canvas.fill(mark._replace(top=body.top), style.PALE_EVIDENCE)
        canvas.fill(mark, style.EVIDENCE)
    for time_s in episode.overview_s:
        left = _place_x(track, time_s, episode.duration_s)
        canvas.fill(Rect(left, track.top + 3, left + 1, track.bottom - 3), style.SOFT)
    _draw_axis(canvas, track._replace(top=track.bottom, bottom=body.bottom), episode.duration_s)
    _draw_lanes(canvas, body._replace(bottom=track.top - 3), episode)


def _place_x(track: Rect, time_s: float, duration_s: float) -> int:
    """Returns the x of a time on the track, a column of it."""
    share = min(1.0, max(0.0, time_s / duration_s)) if duration_s else 0.0
    return track.left + min(track.width - 1, int(share * track.width))


def _mark(track: Rect, segment: Segment, duration_s: float) -> Rect:
    """Returns where a segment is on the track, never narrower than MIN_MARK_PX."""
    left = min(_place_x(track, segment.start_s, duration_s), track.right - MIN_MARK_PX)
    right = _place_x(track, segment.end_s, duration_s) + (segment.end_s >= duration_s)
    return track._replace(left=left, right=max(left + MIN_MARK_PX, right))


def _draw_axis(canvas: Canvas, box: Rect, duration_s: float) -> None:
    """Writes times under the track, at round steps."""
    least_s = duration_s / MOST_AXIS_LABELS
    step_s = (
        next((step for step in AXIS_STEPS_S if step >= least_s), 0) or -(-least_s // 86400) * 86400
    )
    free_x = box.left
    for index in range(int(duration_s / step_s) + 1):
        label = clock(index * step_s)
        width = text_width(label, style.TINY)
        centered = _place_x(box, index * step_s, duration_s) - width // 2
        left = min(max(box.left, centered), box.right - width)
        if left >= free_x:
            free_x = (
                left + canvas.line(box.cut(left=left - box.left), label, style.TINY, style.SOFT) + 8
            )


def _draw_lanes(canvas: Canvas, box: Rect, episode: Episode) -> None:
    """Draws each of the latest clips in a lane of its own, all earlier ones in the top lane."""
    calls = list(enumerate(episode.shown))
    earlier, latest = calls[:-MOST_ZOOMS], calls[-MOST_ZOOMS:]
    height = min(18, box.height // max(1, len(latest) + bool(earlier)))
    for clip_index, call in earlier:
        lane = box.row(0, height).cut(top=4, bottom=4)
        for segment in call.segments:
            canvas.fill(_mark(lane, segment, episode.duration_s), zoom_color(clip_index))
    for place, (clip_index, call) in enumerate(latest, start=bool(earlier)):
        lane = box.row(place, height)
        inner = lane.cut(top=1, bottom=1)
        for segment in call.segments:
            canvas.fill(_mark(inner, segment, episode.duration_s), zoom_color(clip_index))
        mark = _mark(inner, call.segment, episode.duration_s)
        label = f"{clip_index + 1}: {_place(call)}"
        _draw_beside(canvas, lane, mark, label, zoom_color(clip_index))


def _draw_beside(canvas: Canvas, lane: Rect, mark: Rect, label: str, color: Color) -> None:
    """Writes a label right of its mark, else left of it, else on it."""
    needed = text_width(label, style.TINY) + 6
    if lane.right - mark.right >= needed:
        canvas.line(lane._replace(left=mark.right + 6), label, style.TINY, color)
    elif mark.left - lane.left >= needed:
        canvas.line(lane._replace(right=mark.left - 6), label, style.TINY, color, "right")
    else:
        canvas.line(mark, label, style.TINY, style.CARD, "center")
