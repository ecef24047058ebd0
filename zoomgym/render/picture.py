"""An episode as a picture: question, overview, time line, clips, and what became of each turn.

One function draws one panel into one box. What the agent must not know, it does not show: the truth
and the evidence stand in no picture before the episode is over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from zoomgym.agent.observation import Frames
from zoomgym.grading import UNGRADED, letter, read_choice
from zoomgym.io.text import number_of
from zoomgym.render.canvas import Box, Canvas, Colour, Grid, line_height, text_width, wrap
from zoomgym.rules.actions import ZoomCall
from zoomgym.rules.episode import Episode, Turn, score
from zoomgym.rules.timeline import Segment

__all__ = ["PICTURE_SIZE", "clock", "paint", "verdict"]

PICTURE_SIZE = (880, 1280)
"""(H, W), the same for every episode; even, as video encoders want it."""

MARGIN = 12
QUESTION_HEIGHT = 148
OVERVIEW_HEIGHT = 220
TIMELINE_HEIGHT = 150
SIDEBAR_WIDTH = 316
STATE_HEIGHT = 124
HEADING_HEIGHT = 25
LABEL_HEIGHT = 52
REWARD_HEIGHT = 236

HEADLINE, TITLE, TEXT, SMALL, TINY = 20, 16, 14, 12, 11
"""Sizes of text, in pixels."""

PAGE, CARD, LINE, TRACK = (240, 243, 247), (255, 255, 255), (214, 221, 231), (226, 231, 239)
INK, SOFT, PALE = (22, 30, 46), (88, 99, 118), (246, 248, 251)
RIGHT, WRONG, PALE_RIGHT, PALE_WRONG = (
    (21, 122, 58),
    (196, 28, 44),
    (231, 246, 236),
    (253, 235, 236),
)
EVIDENCE, PALE_EVIDENCE = (46, 184, 104), (216, 244, 226)
ZOOM_COLOURS = (
    (37, 99, 235),
    (211, 72, 8),
    (147, 51, 234),
    (13, 120, 130),
    (205, 30, 110),
    (120, 80, 30),
)
"""Zoom n has colour n - 1, from the start again after the last."""

MOST_CELLS = 256
"""Of more overview or clip frames, so many are shown."""
MOST_LABELLED = 48
"""Frames of a longer clip are too small to write times under them."""
MOST_ZOOMS = 5
"""The latest so many zooms are shown with their frames; earlier ones only on the time line."""
MIN_MARK_PX = 4
"""Narrowest mark on the time line: 1 s of 10 h would be a fortieth of a pixel."""
MOST_AXIS_LABELS = 12
AXIS_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


def paint(
    episode: Episode,
    overview: Frames,
    clips: Sequence[Frames],
    reward_weights: Mapping[str, float],
) -> NDArray[np.uint8]:
    """Returns the episode as a picture of PICTURE_SIZE: (H, W, 3) uint8 RGB.

    Args:
        episode: what happened so far.
        overview: the frames shown at reset.
        clips: the frames of every zoom that was executed, in order.
        reward_weights: one weight for every reward term.
    """
    canvas = Canvas(PICTURE_SIZE, PAGE)
    page = Box(0, 0, PICTURE_SIZE[1], PICTURE_SIZE[0]).cut(MARGIN, MARGIN, MARGIN, MARGIN)
    main = page.cut(right=SIDEBAR_WIDTH + MARGIN)
    question, main = _split(main, QUESTION_HEIGHT)
    strip, main = _split(main, OVERVIEW_HEIGHT)
    line, main = _split(main, TIMELINE_HEIGHT)
    _draw_question(canvas, _card(canvas, question), episode)
    _draw_overview(canvas, _card(canvas, strip), episode, overview)
    _draw_timeline(canvas, _card(canvas, line), episode)
    _draw_clips(canvas, _card(canvas, main), episode, clips)
    state, side = _split(page.cut(left=page.width - SIDEBAR_WIDTH), STATE_HEIGHT)
    _draw_state(canvas, _card(canvas, state), episode)
    if episode.is_over:
        side, reward = _split(side, side.height - REWARD_HEIGHT - MARGIN)
        _draw_reward(canvas, _card(canvas, reward), episode, reward_weights)
    _draw_turns(canvas, _card(canvas, side), episode)
    return canvas.to_array()


def clock(time_s: float) -> str:
    """Returns a time as people read it: 12.3 s, from two minutes on 2:05 or 1:02:33."""
    if round(time_s, 1) < 120:
        return f"{time_s:.1f} s"
    minutes, seconds = divmod(int(round(time_s, 1)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def verdict(episode: Episode) -> str:
    """Returns how an episode that is over ended: right, wrong, no answer, or ungraded."""
    if episode.answer is None:
        return "no answer"
    if episode.graded_by == UNGRADED.name:
        return UNGRADED.name
    return "right" if score(episode).accuracy else "wrong"


def _split(box: Box, height: int) -> tuple[Box, Box]:
    """Returns the top of box, and what is left of it below a margin."""
    return box.row(0, height), box.cut(top=height + MARGIN)


def _card(canvas: Canvas, box: Box) -> Box:
    """Draws an empty panel and returns the room inside."""
    canvas.fill(box, CARD, radius=8, outline=LINE)
    return box.cut(MARGIN, 10, MARGIN, 10)


def _heading(canvas: Canvas, box: Box, title: str, remark: str = "") -> Box:
    """Writes the heading of a panel and returns the room under it."""
    head, body = box.row(0, 18), box.cut(top=HEADING_HEIGHT)
    width = canvas.line(head, title, TEXT, INK)
    canvas.line(head.cut(left=width + 10), remark, SMALL, SOFT)
    return body


def _zoom_colour(zoom_index: int) -> Colour:
    """Returns the colour of the zoom at zoom_index, from 0."""
    return ZOOM_COLOURS[zoom_index % len(ZOOM_COLOURS)]


def _badge(canvas: Canvas, box: Box, text: str, colour: Colour) -> None:
    """Draws a short text in a filled square."""
    canvas.fill(box, colour, radius=4)
    canvas.line(box, text, SMALL, CARD, "center")


def _stretch(segment: Segment) -> str:
    """Returns a segment as people read it."""
    return f"{clock(segment.start_s)} - {clock(segment.end_s)}"


def _evidence(episode: Episode) -> tuple[Segment, ...]:
    """Returns the evidence segments, none before the end."""
    return episode.task.evidence if episode.is_over else ()


# The question ------------------------------------------------------------------------------------


def _draw_question(canvas: Canvas, box: Box, episode: Episode) -> None:
    """Draws the question and its options; after the end, which was given and which is true."""
    bottom = canvas.lines(box, episode.task.question, HEADLINE, INK, 2)
    box = box.cut(top=bottom - box.top + 10)
    options = episode.task.options
    if not options:
        _draw_open_ended(canvas, box, episode)
        return
    columns = 2 if len(options) <= 4 else -(-len(options) // (box.height // 20))
    rows = -(-len(options) // columns)
    width, height = box.width // columns, min(40, box.height // rows)
    for index, option in enumerate(options):
        row = box.row(index // columns, height)
        cell = row._replace(left=row.left + index % columns * width).cut(bottom=3)
        cell = cell._replace(right=cell.left + width - 6)
        _draw_option(canvas, cell, episode, index, option)


def _draw_option(canvas: Canvas, box: Box, episode: Episode, index: int, option: str) -> None:
    """Draws a lettered option with its mark."""
    mark, symbol, colour, pale = _option_mark(episode, index)
    canvas.fill(box, pale, radius=5, outline=colour if mark else LINE)
    side = box.height
    _badge(canvas, box._replace(right=box.left + side), letter(index), colour)
    inner = box.cut(left=side + 8, right=8)
    if mark:
        width = canvas.line(inner, mark, SMALL, colour, "right") + 18
        canvas.symbol(symbol, inner.right - width, box.middle, 13, colour)
        inner = inner.cut(right=width + 6)
    canvas.line(inner, option, TEXT, INK)


def _option_mark(episode: Episode, index: int) -> tuple[str, str, Colour, Colour]:
    """Returns word, symbol, colour and pale colour of an option; no word while there is no mark."""
    if episode.is_over:
        options = episode.task.options
        is_true = index == read_choice(episode.task.answer, options)
        is_given = episode.answer is not None and index == read_choice(episode.answer, options)
        if is_true:
            return "given, right" if is_given else "true answer", "check", RIGHT, PALE_RIGHT
        if is_given:
            return "given, wrong", "cross", WRONG, PALE_WRONG
    return "", "", SOFT, PALE


def _draw_open_ended(canvas: Canvas, box: Box, episode: Episode) -> None:
    """Draws, for a question without options, the given answer and the true one."""
    if not episode.is_over:
        canvas.line(box.row(0, 26), "Open-ended: the answer is a text.", TEXT, SOFT)
        return
    is_right = verdict(episode) == "right"
    given = "No answer was given." if episode.answer is None else f"Given: {episode.answer}"
    rows = (
        (given, is_right, f"given, {verdict(episode)}" if episode.answer is not None else ""),
        (f"True: {episode.task.truth}", True, "true answer"),
    )
    for index, (text, is_good, mark) in enumerate(rows):
        row = box.row(index, min(40, box.height // 2)).cut(right=6, bottom=4)
        colour = RIGHT if is_good else WRONG
        canvas.fill(row, PALE_RIGHT if is_good else PALE_WRONG, radius=5, outline=colour)
        canvas.symbol("check" if is_good else "cross", row.left + 9, row.middle, 13, colour)
        width = canvas.line(row.cut(right=8), mark, SMALL, colour, "right")
        canvas.line(row.cut(left=30, right=width + 16), text, TEXT, INK)


# Frames ------------------------------------------------------------------------------------------


def _draw_overview(canvas: Canvas, box: Box, episode: Episode, overview: Frames) -> None:
    """Draws all frames of the overview as a contact strip, in the order of time."""
    count = len(overview.times_s)
    stretch = f"{clock(overview.times_s[0])} to {clock(overview.times_s[-1])}"
    remark = f"{number_of(count, 'frame')}, {stretch}"
    if count > MOST_CELLS:
        overview = _thinned(overview)
        remark += f" ({MOST_CELLS} of them shown)"
    body = _heading(canvas, box, "Overview", remark)
    grid = _draw_frames(canvas, body.cut(left=58), overview, _evidence(episode))
    labels = body._replace(right=body.left + 52)
    free_y = labels.top
    for row, time_s in enumerate(overview.times_s[:: grid.columns]):
        label = Box(labels.left, labels.top + row * grid.height, labels.right, 0)
        label = label._replace(bottom=label.top + grid.height)
        if label.middle - 6 >= free_y - 1:
            canvas.line(label, clock(time_s), TINY, SOFT, "right")
            free_y = label.middle + 6


def _thinned(frames: Frames) -> Frames:
    """Returns at most MOST_CELLS frames, evenly picked, the first and the last among them."""
    count = len(frames.times_s)
    picks = np.linspace(0, count - 1, min(count, MOST_CELLS)).round().astype(int)
    return Frames(tuple(frames.times_s[pick] for pick in picks), frames.images[picks])


def _draw_frames(
    canvas: Canvas, box: Box, frames: Frames, evidence: Sequence[Segment], foot: int = 0
) -> Grid:
    """Draws frames in a grid that fills box; those within the evidence are underlined.

    With a foot, each frame has its time under it, where there is room and the time is another.

    Returns:
        The grid, with its cells as far apart as they stand.
    """
    gap = 2 if len(frames.times_s) > 16 else 3
    aspect = frames.images.shape[2] / frames.images.shape[1]
    grid = Grid.within(box, len(frames.times_s), aspect, gap, foot)
    pitch_x, pitch_y = grid.width + gap, grid.height + gap + foot
    shown, free_x = "", 0
    for index, (time_s, image) in enumerate(zip(frames.times_s, frames.images, strict=True)):
        row, column = divmod(index, grid.columns)
        left, top = box.left + column * pitch_x, box.top + row * pitch_y
        cell = Box(left, top, left + grid.width, top + grid.height)
        canvas.picture(cell, image)
        if any(segment.holds(time_s) for segment in evidence):
            canvas.fill(cell._replace(top=cell.bottom - 3), EVIDENCE)
        free_x = free_x if column else 0
        label = f"{time_s:.2f} s" if time_s < 120 else clock(time_s)
        if foot and label != shown and left >= free_x:
            room = Box(left, cell.bottom, box.right, cell.bottom + foot)
            if text_width(label, TINY) <= room.width:
                free_x = left + canvas.line(room, label, TINY, SOFT) + 4
                shown = label
    return Grid(grid.columns, pitch_x, pitch_y)


def _draw_clips(canvas: Canvas, box: Box, episode: Episode, clips: Sequence[Frames]) -> None:
    """Draws the frames of the latest zooms, one zoom under the other."""
    rows = list(enumerate(zip(episode.zooms, clips, strict=False)))
    hidden = max(0, len(rows) - MOST_ZOOMS)
    remark = f"{number_of(len(rows), 'zoom')}, {number_of(len(episode.clip_s), 'frame')}"
    if hidden:
        remark += f" ({hidden} earlier not shown)"
    body = _heading(canvas, box, "Clips", remark if rows else "")
    if not rows:
        canvas.line(body, "No zoom yet: its frames will stand here.", TEXT, SOFT, "center")
        return
    height = min(220, body.height // (len(rows) - hidden))
    for zoom_index, (zoom, clip) in rows[hidden:]:
        row = body.row(0, height).cut(bottom=4)
        foot = 14 if len(clip.times_s) <= MOST_LABELLED else 0
        grid = _draw_frames(canvas, row.cut(left=122), _thinned(clip), _evidence(episode), foot)
        used = max(LABEL_HEIGHT, -(-len(clip.times_s) // grid.columns) * grid.height)
        row = row.row(0, min(row.height, used))
        canvas.fill(row._replace(right=row.left + 4), _zoom_colour(zoom_index))
        _draw_zoom_label(canvas, row.cut(left=10)._replace(right=row.left + 116), zoom_index, zoom)
        body = body.cut(top=row.height + 4)


def _draw_zoom_label(canvas: Canvas, box: Box, zoom_index: int, zoom: ZoomCall) -> None:
    """Draws a zoom's number, segment and rate."""
    length_s = zoom.end_s - zoom.start_s
    length = f"{length_s:.3g} s" if length_s < 120 else clock(length_s)
    badge = box.row(0, 18)
    _badge(
        canvas, badge._replace(right=badge.left + 22), str(zoom_index + 1), _zoom_colour(zoom_index)
    )
    canvas.line(badge.cut(left=28), f"{zoom.fps:.4g} fps", SMALL, INK)
    canvas.line(box.cut(top=20).row(0, 15), _stretch(zoom.segment), SMALL, INK)
    canvas.line(
        box.cut(top=34).row(0, 15), f"{number_of(zoom.num_frames, 'frame')}, {length}", SMALL, SOFT
    )


# The time line -----------------------------------------------------------------------------------


def _draw_timeline(canvas: Canvas, box: Box, episode: Episode) -> None:
    """Draws the whole video as a line: overview times, zooms in lanes, evidence after the end."""
    body = _heading(canvas, box, "Time line", f"the whole video, {clock(episode.duration_s)}")
    evidence = _evidence(episode)
    if evidence:
        legend = box.row(0, 18)
        width = canvas.line(legend, "evidence", SMALL, SOFT, "right")
        swatch = legend.right - width - 20
        canvas.fill(Box(swatch, legend.middle - 5, swatch + 14, legend.middle + 5), EVIDENCE)
    track = Box(body.left, body.bottom - 26, body.right, body.bottom - 14)
    canvas.fill(track, TRACK, radius=3)
    for segment in evidence:
        mark = _mark(track, segment, episode.duration_s)
        canvas.fill(mark._replace(top=body.top), PALE_EVIDENCE)
        canvas.fill(mark, EVIDENCE)
    for time_s in episode.overview_s:
        left = _place_x(track, time_s, episode.duration_s)
        canvas.fill(Box(left, track.top + 3, left + 1, track.bottom - 3), SOFT)
    _draw_axis(canvas, track._replace(top=track.bottom, bottom=body.bottom), episode.duration_s)
    _draw_lanes(canvas, body._replace(bottom=track.top - 3), episode)


def _place_x(track: Box, time_s: float, duration_s: float) -> int:
    """Returns the x of a time on the track, a column of it."""
    share = min(1.0, max(0.0, time_s / duration_s)) if duration_s else 0.0
    return track.left + min(track.width - 1, int(share * track.width))


def _mark(track: Box, segment: Segment, duration_s: float) -> Box:
    """Returns where a segment stands on the track, never narrower than MIN_MARK_PX."""
    left = min(_place_x(track, segment.start_s, duration_s), track.right - MIN_MARK_PX)
    right = _place_x(track, segment.end_s, duration_s) + (segment.end_s >= duration_s)
    return track._replace(left=left, right=max(left + MIN_MARK_PX, right))


def _draw_axis(canvas: Canvas, box: Box, duration_s: float) -> None:
    """Writes times under the track, at round steps."""
    least_s = duration_s / MOST_AXIS_LABELS
    step_s = (
        next((step for step in AXIS_STEPS_S if step >= least_s), 0) or -(-least_s // 86400) * 86400
    )
    free_x = box.left
    for index in range(int(duration_s / step_s) + 1):
        label = clock(index * step_s)
        width = text_width(label, TINY)
        centred = _place_x(box, index * step_s, duration_s) - width // 2
        left = min(max(box.left, centred), box.right - width)
        if left >= free_x:
            free_x = left + canvas.line(box.cut(left=left - box.left), label, TINY, SOFT) + 8


def _draw_lanes(canvas: Canvas, box: Box, episode: Episode) -> None:
    """Draws each of the latest zooms in a lane of its own, all earlier ones in the top lane."""
    zooms = list(enumerate(episode.zooms))
    earlier, latest = zooms[:-MOST_ZOOMS], zooms[-MOST_ZOOMS:]
    height = min(18, box.height // max(1, len(latest) + bool(earlier)))
    for zoom_index, zoom in earlier:
        lane = box.row(0, height).cut(top=4, bottom=4)
        canvas.fill(_mark(lane, zoom.segment, episode.duration_s), _zoom_colour(zoom_index))
    for place, (zoom_index, zoom) in enumerate(latest, start=bool(earlier)):
        lane = box.row(place, height)
        mark = _mark(lane.cut(top=1, bottom=1), zoom.segment, episode.duration_s)
        canvas.fill(mark, _zoom_colour(zoom_index))
        label = f"{zoom_index + 1}: {_stretch(zoom.segment)}, {zoom.fps:.4g} fps"
        _draw_beside(canvas, lane, mark, label, _zoom_colour(zoom_index))


def _draw_beside(canvas: Canvas, lane: Box, mark: Box, label: str, colour: Colour) -> None:
    """Writes a label right of its mark, else left of it, else on it."""
    needed = text_width(label, TINY) + 6
    if lane.right - mark.right >= needed:
        canvas.line(lane._replace(left=mark.right + 6), label, TINY, colour)
    elif mark.left - lane.left >= needed:
        canvas.line(lane._replace(right=mark.left - 6), label, TINY, colour, "right")
    else:
        canvas.line(mark, label, TINY, CARD, "center")


# The sidebar -------------------------------------------------------------------------------------


def _draw_state(canvas: Canvas, box: Box, episode: Episode) -> None:
    """Draws where the episode stands: which turn, how many frames are left."""
    canvas.line(box.row(0, 16), episode.task.id, SMALL, SOFT)
    most, used = episode.rules.max_turns, len(episode.turns)
    turn = f"Ended in turn {used} of {most}" if episode.is_over else f"Turn {used + 1} of {most}"
    _draw_gauge(canvas, box.cut(top=22).row(0, 38), turn, "", used / most)
    left, budget = episode.budget.left, episode.rules.frame_budget
    gauge = box.cut(top=66).row(0, 38)
    _draw_gauge(canvas, gauge, "Frames left", f"{left} of {budget}", left / budget)


def _draw_gauge(canvas: Canvas, box: Box, name: str, value: str, share: float) -> None:
    """Draws a name, a value, and a bar filled to a share in [0, 1]."""
    head = box.row(0, 22)
    width = canvas.line(head, value, TEXT, INK, "right")
    canvas.line(head.cut(right=width + 6), name, TITLE, INK)
    bar = box.cut(top=26).row(0, 8)
    canvas.fill(bar, TRACK, radius=4)
    if share > 0:
        canvas.fill(bar._replace(right=bar.left + max(8, int(share * bar.width))), SOFT, radius=4)


def _draw_turns(canvas: Canvas, box: Box, episode: Episode) -> None:
    """Draws the latest turns: what was replied and what came back; the last one at most length."""
    if not episode.turns:
        body = _heading(canvas, box, "Turns")
        canvas.lines(body, episode.feedback or "No reply yet.", TEXT, SOFT, 4)
        return
    blocks: list[tuple[int, list[str], list[str], int]] = []
    room = box.height - HEADING_HEIGHT
    for index, turn in reversed(list(enumerate(episode.turns))):
        is_last = index == len(episode.turns) - 1
        reply = wrap(turn.reply, SMALL, box.width - 14, 5 if is_last else 1)
        feedback = wrap(turn.feedback, SMALL, box.width, 7 if is_last else 2)
        height = 22 + (len(reply) + len(feedback)) * line_height(SMALL) + 6 * bool(reply) + 8
        room -= height
        if room < 0:
            break
        blocks.append((index, reply, feedback, height))
    hidden = len(episode.turns) - len(blocks)
    body = _heading(canvas, box, "Turns", f"{hidden} earlier not shown" if hidden else "")
    for index, reply, feedback, height in reversed(blocks):
        _draw_turn(canvas, body.row(0, height), episode, index, reply, feedback)
        body = body.cut(top=height)


def _draw_turn(
    canvas: Canvas, box: Box, episode: Episode, index: int, reply: list[str], feedback: list[str]
) -> None:
    """Draws one turn, whose reply and feedback are wrapped already."""
    turn = episode.turns[index]
    zoom_index = sum(1 for earlier in episode.turns[:index] if earlier.zoom)
    name, colour = _turn_name(turn, zoom_index)
    head = box.row(0, 20)
    canvas.fill(head._replace(right=head.left + 4).cut(top=2, bottom=2), colour)
    width = canvas.line(head.cut(left=10), f"Turn {index + 1}", TEXT, INK)
    head = head.cut(left=10 + width + 8)
    if turn.error:
        canvas.symbol("cross", head.left, head.middle, 11, colour)
        head = head.cut(left=15)
    canvas.line(head, name, TEXT, colour)
    body = box.cut(top=22)
    pitch = line_height(SMALL)
    if reply:
        canvas.fill(body.row(0, len(reply) * pitch + 4), PALE, radius=4)
        for row, line in enumerate(reply):
            canvas.line(body.cut(left=7, top=2, right=7).row(row, pitch), line, SMALL, INK)
        body = body.cut(top=len(reply) * pitch + 6)
    for row, line in enumerate(feedback):
        canvas.line(body.row(row, pitch), line, SMALL, WRONG if turn.error else SOFT)


def _turn_name(turn: Turn, zoom_index: int) -> tuple[str, Colour]:
    """Returns what a turn was, and its colour."""
    if turn.error:
        return "refused", WRONG
    flaw = "" if turn.is_well_formed else ", not well-formed"
    if turn.zoom:
        return f"zoom {zoom_index + 1}{flaw}", _zoom_colour(zoom_index)
    return f"answer{flaw}", INK


def _draw_reward(
    canvas: Canvas, box: Box, episode: Episode, reward_weights: Mapping[str, float]
) -> None:
    """Draws the verdict, the reward terms with their weights, and their sum."""
    ending, parts = verdict(episode), score(episode)
    colour, pale = (RIGHT, PALE_RIGHT) if ending == "right" else (WRONG, PALE_WRONG)
    banner = box.row(0, 56)
    canvas.fill(banner, pale, radius=6)
    canvas.symbol(
        "check" if ending == "right" else "cross", banner.left + 12, banner.middle, 28, colour
    )
    words = banner.cut(left=52, right=8, top=6)
    canvas.line(words.row(0, 24), ending.capitalize(), 20, colour)
    given = "none" if episode.answer is None else episode.answer
    canvas.line(
        words.cut(top=25).row(0, 18),
        f"true: {episode.task.truth[:20]}, given: {given}",
        SMALL,
        INK,
    )
    rows = [("reward term", "value", "weight", "")]
    for name, value in asdict(parts).items():
        weight = reward_weights[name]
        rows.append((name, f"{value:.4g}", f"x {weight:.4g}", f"{value * weight:.4g}"))
    table = box.cut(top=64)
    for index, row in enumerate(rows):
        _draw_reward_row(canvas, table.row(index, 20), row, SOFT if index == 0 else INK)
    total = table.cut(top=len(rows) * 20 + 4).row(0, 26)
    canvas.fill(total._replace(bottom=total.top + 1), LINE)
    canvas.line(total, "Reward", TITLE, INK)
    canvas.line(total, f"{parts.total(reward_weights):.4g}", TITLE, colour, "right")


def _draw_reward_row(
    canvas: Canvas, box: Box, row: tuple[str, str, str, str], colour: Colour
) -> None:
    """Draws a name and three numbers in columns."""
    name, *numbers = row
    canvas.line(box._replace(right=box.left + 100), name, TEXT, colour)
    for column, number in enumerate(numbers):
        right = box.right - (len(numbers) - 1 - column) * 64
        canvas.line(box._replace(left=right - 60, right=right), number, TEXT, colour, "right")
