"""Draws an episode as a picture: question, overview, time line, clips, and turns.

Each function draws a panel into a box. Truth and evidence appear only once the episode is over:
agents may see these pictures.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from zoomgym.agent import Frames
from zoomgym.grading import UNGRADED, letter, read_choice
from zoomgym.render import style
from zoomgym.render.canvas import Canvas, Color, Rect, line_height, wrap
from zoomgym.render.style import badge, heading, mark_of, zoom_color
from zoomgym.render.video_panels import draw_clips, draw_overview, draw_timeline
from zoomgym.rules import Episode, Turn, score

PICTURE_SIZE = (880, 1280)
"""(H, W), the same for every episode; even, as video encoders want it."""

QUESTION_HEIGHT = 148
OVERVIEW_HEIGHT = 220
TIMELINE_HEIGHT = 150
SIDEBAR_WIDTH = 316
STATE_HEIGHT = 124
REWARD_HEIGHT = 236


def paint(
    episode: Episode,
    overview: Frames,
    clips: Sequence[Frames],
    reward_weights: Mapping[str, float],
) -> NDArray[np.uint8]:
    """Returns the episode, with its frames, as a picture of PICTURE_SIZE: (H, W, 3) uint8 RGB."""
    canvas = Canvas(PICTURE_SIZE, style.PAGE)
    page = Rect(0, 0, PICTURE_SIZE[1], PICTURE_SIZE[0]).cut(
        style.MARGIN, style.MARGIN, style.MARGIN, style.MARGIN
    )
    main = page.cut(right=SIDEBAR_WIDTH + style.MARGIN)
    question, main = _split(main, QUESTION_HEIGHT)
    strip, main = _split(main, OVERVIEW_HEIGHT)
    line, main = _split(main, TIMELINE_HEIGHT)
    _draw_question(canvas, _card(canvas, question), episode)
    draw_overview(canvas, _card(canvas, strip), episode, overview)
    draw_timeline(canvas, _card(canvas, line), episode)
    draw_clips(canvas, _card(canvas, main), episode, clips)
    state, side = _split(page.cut(left=page.width - SIDEBAR_WIDTH), STATE_HEIGHT)
    _draw_state(canvas, _card(canvas, state), episode)
    if episode.is_over:
        side, reward = _split(side, side.height - REWARD_HEIGHT - style.MARGIN)
        _draw_reward(canvas, _card(canvas, reward), episode, reward_weights)
    _draw_turns(canvas, _card(canvas, side), episode)
    return canvas.to_array()


def verdict(episode: Episode) -> str:
    """Returns how a finished episode ended: right, wrong, no answer, or ungraded."""
    if episode.answer is None:
        return "no answer"
    if episode.graded_by == UNGRADED.name:
        return UNGRADED.name
    return "right" if score(episode).accuracy else "wrong"


def _split(box: Rect, height: int) -> tuple[Rect, Rect]:
    """Returns the top of box, and the rest below a margin."""
    return box.row(0, height), box.cut(top=height + style.MARGIN)


def _card(canvas: Canvas, box: Rect) -> Rect:
    """Draws an empty panel and returns the room inside."""
    canvas.fill(box, style.CARD, radius=8, outline=style.LINE)
    return box.cut(style.MARGIN, 10, style.MARGIN, 10)


# The question ------------------------------------------------------------------------------------


def _draw_question(canvas: Canvas, box: Rect, episode: Episode) -> None:
    """Draws the question and its options; after the end, which was given and which is true."""
    bottom = canvas.lines(box, episode.task.question, style.HEADLINE, style.INK, 2)
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


def _draw_option(canvas: Canvas, box: Rect, episode: Episode, index: int, option: str) -> None:
    mark, symbol, color, pale = _option_mark(episode, index)
    canvas.fill(box, pale, radius=5, outline=color if mark else style.LINE)
    side = box.height
    badge(canvas, box._replace(right=box.left + side), letter(index), color)
    inner = box.cut(left=side + 8, right=8)
    if mark:
        width = canvas.line(inner, mark, style.SMALL, color, "right") + 18
        canvas.symbol(symbol, inner.right - width, box.middle, 13, color)
        inner = inner.cut(right=width + 6)
    canvas.line(inner, option, style.TEXT, style.INK)


def _option_mark(episode: Episode, index: int) -> tuple[str, str, Color, Color]:
    """Returns word, symbol, color and pale color of an option's mark; no word without a mark."""
    if episode.is_over:
        options = episode.task.options
        is_true = index == read_choice(episode.task.answer, options)
        is_given = episode.answer is not None and index == read_choice(episode.answer, options)
        if is_true:
            return "given, right" if is_given else "true answer", *mark_of(True)
        if is_given:
            return "given, wrong", *mark_of(False)
    return "", "", style.SOFT, style.PALE


def _draw_open_ended(canvas: Canvas, box: Rect, episode: Episode) -> None:
    """Draws, for a question without options, the given answer and the true one."""
    if not episode.is_over:
        canvas.line(box.row(0, 26), "Open-ended: the answer is a text.", style.TEXT, style.SOFT)
        return
    is_right = verdict(episode) == "right"
    given = "No answer was given." if episode.answer is None else f"Given: {episode.answer}"
    rows = (
        (given, is_right, f"given, {verdict(episode)}" if episode.answer is not None else ""),
        (f"True: {episode.task.truth}", True, "true answer"),
    )
    for index, (text, is_good, mark) in enumerate(rows):
        row = box.row(index, min(40, box.height // 2)).cut(right=6, bottom=4)
        symbol, color, pale = mark_of(is_good)
        canvas.fill(row, pale, radius=5, outline=color)
        canvas.symbol(symbol, row.left + 9, row.middle, 13, color)
        width = canvas.line(row.cut(right=8), mark, style.SMALL, color, "right")
        canvas.line(row.cut(left=30, right=width + 16), text, style.TEXT, style.INK)


# The sidebar -------------------------------------------------------------------------------------


def _draw_state(canvas: Canvas, box: Rect, episode: Episode) -> None:
    """Draws the state of the episode: which turn, how many frames are left."""
    canvas.line(box.row(0, 16), episode.task.id, style.SMALL, style.SOFT)
    most, used = episode.rules.max_turns, len(episode.turns)
    turn = f"Ended in turn {used} of {most}" if episode.is_over else f"Turn {used + 1} of {most}"
    _draw_gauge(canvas, box.cut(top=22).row(0, 38), turn, "", used / most)
    left, budget = episode.budget.left, episode.rules.frame_budget
    gauge = box.cut(top=66).row(0, 38)
    _draw_gauge(canvas, gauge, "Frames left", f"{left} of {budget}", left / budget)


def _draw_gauge(canvas: Canvas, box: Rect, name: str, value: str, share: float) -> None:
    """Draws a name, a value, and a bar filled to a share in [0, 1]."""
    head = box.row(0, 22)
    width = canvas.line(head, value, style.TEXT, style.INK, "right")
    canvas.line(head.cut(right=width + 6), name, style.TITLE, style.INK)
    bar = box.cut(top=26).row(0, 8)
    canvas.fill(bar, style.TRACK, radius=4)
    if share > 0:
        filled = bar._replace(right=bar.left + max(8, int(share * bar.width)))
        canvas.fill(filled, style.SOFT, radius=4)


def _draw_turns(canvas: Canvas, box: Rect, episode: Episode) -> None:
    """Draws the latest turns, replies and feedback, with most room for the last one."""
    if not episode.turns:
        body = heading(canvas, box, "Turns")
        canvas.lines(body, episode.feedback or "No reply yet.", style.TEXT, style.SOFT, 4)
        return
    blocks: list[tuple[int, list[str], list[str], int]] = []
    room = box.height - style.HEADING_HEIGHT
    for index, turn in reversed(list(enumerate(episode.turns))):
        is_last = index == len(episode.turns) - 1
        reply = wrap(turn.reply, style.SMALL, box.width - 14, 5 if is_last else 1)
        feedback = wrap(turn.feedback, style.SMALL, box.width, 7 if is_last else 2)
        height = 22 + (len(reply) + len(feedback)) * line_height(style.SMALL) + 6 * bool(reply) + 8
        room -= height
        if room < 0:
            break
        blocks.append((index, reply, feedback, height))
    hidden = len(episode.turns) - len(blocks)
    body = heading(canvas, box, "Turns", f"{hidden} earlier not shown" if hidden else "")
    for index, reply, feedback, height in reversed(blocks):
        _draw_turn(canvas, body.row(0, height), episode, index, reply, feedback)
        body = body.cut(top=height)


def _draw_turn(
    canvas: Canvas, box: Rect, episode: Episode, index: int, reply: list[str], feedback: list[str]
) -> None:
    """Draws one turn, whose reply and feedback are wrapped already."""
    turn = episode.turns[index]
    clip_index = sum(1 for earlier in episode.turns[:index] if earlier.shown)
    name, color = _turn_name(turn, clip_index)
    head = box.row(0, 20)
    canvas.fill(head._replace(right=head.left + 4).cut(top=2, bottom=2), color)
    width = canvas.line(head.cut(left=10), f"Turn {index + 1}", style.TEXT, style.INK)
    head = head.cut(left=10 + width + 8)
    if turn.error:
        canvas.symbol("cross", head.left, head.middle, 11, color)
        head = head.cut(left=15)
    canvas.line(head, name, style.TEXT, color)
    body = box.cut(top=22)
    pitch = line_height(style.SMALL)
    if reply:
        canvas.fill(body.row(0, len(reply) * pitch + 4), style.PALE, radius=4)
        for row, line in enumerate(reply):
            canvas.line(
                body.cut(left=7, top=2, right=7).row(row, pitch), line, style.SMALL, style.INK
            )
        body = body.cut(top=len(reply) * pitch + 6)
    for row, line in enumerate(feedback):
        canvas.line(
            body.row(row, pitch), line, style.SMALL, style.WRONG if turn.error else style.SOFT
        )


def _turn_name(turn: Turn, clip_index: int) -> tuple[str, Color]:
    """Returns the name of a turn's outcome, and its color."""
    if turn.error:
        return "refused", style.WRONG
    flaw = "" if turn.is_well_formed else ", not well-formed"
    if turn.shown:
        return f"{turn.tool} {clip_index + 1}{flaw}", zoom_color(clip_index)
    return f"{turn.tool or 'answer'}{flaw}", style.INK


def _draw_reward(
    canvas: Canvas, box: Rect, episode: Episode, reward_weights: Mapping[str, float]
) -> None:
    """Draws the verdict, the reward terms with their weights, and their sum."""
    ending, parts = verdict(episode), score(episode, reward_weights)
    symbol, color, pale = mark_of(ending == "right")
    banner = box.row(0, 56)
    canvas.fill(banner, pale, radius=6)
    canvas.symbol(symbol, banner.left + 12, banner.middle, 28, color)
    words = banner.cut(left=52, right=8, top=6)
    canvas.line(words.row(0, 24), ending.capitalize(), 20, color)
    given = "none" if episode.answer is None else episode.answer
    answers = f"true: {episode.task.truth[:20]}, given: {given}"
    canvas.line(words.cut(top=25).row(0, 18), answers, style.SMALL, style.INK)
    rows = [("reward term", "value", "weight", "")]
    for name, value in parts.by_name().items():
        weight = reward_weights[name]
        rows.append((name, f"{value:.4g}", f"x {weight:.4g}", f"{value * weight:.4g}"))
    table = box.cut(top=64)
    for index, (name, *numbers) in enumerate(rows):
        line, ink = table.row(index, 20), style.SOFT if index == 0 else style.INK
        canvas.line(line._replace(right=line.left + 100), name, style.TEXT, ink)
        for right, number in zip((128, 64, 0), numbers, strict=True):
            place = line._replace(left=line.right - right - 60, right=line.right - right)
            canvas.line(place, number, style.TEXT, ink, "right")
    total = table.cut(top=len(rows) * 20 + 4).row(0, 26)
    canvas.fill(total._replace(bottom=total.top + 1), style.LINE)
    canvas.line(total, "Reward", style.TITLE, style.INK)
    canvas.line(total, f"{parts.total(reward_weights):.4g}", style.TITLE, color, "right")
