"""Draw what each family of synthetic tasks shows: its overview, and the clips with the answer."""

import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from zoomgym.io.commands import Parser, ends_quietly
from zoomgym.render import Canvas, Rect, line_height, wrap
from zoomgym.rules import Segment, VideoQuestion, overview_times, zoom_times
from zoomgym.tasks import FAMILIES, FPS, open_task_set
from zoomgym.video import Video

WIDTH, MARGIN, GAP = 1000, 14, 2
COLUMNS, CELL = 16, 53
"""Frames side by side, and the pixels of each: symbols are legible from 28 on."""
LABELS = WIDTH - 2 * MARGIN - COLUMNS * (CELL + GAP)
"""Room for the words at the left."""
NUM_COLORS = 128
"""Colors of the picture that is written."""

PAGE, INK, SOFT = (255, 255, 255), (22, 30, 46), (88, 99, 118)
RIGHT, EVIDENCE = (21, 122, 58), (46, 184, 104)
TITLE, TEXT, TINY = 18, 13, 11

INDEX = {
    "flash": 3, "count": 1, "order": 4, "motion": 6, "relay": 2, "overview": 1, "sparse": 8,
}  # fmt: skip
"""Index of the test task that is shown."""
EVERY_FRAME = ("count", "motion")
"""Families whose evidence is shown frame by frame."""
AROUND_S = 0.5
"""Seconds shown before other evidence, and after it."""


def clips_of(family: str, task: VideoQuestion) -> list[tuple[Segment, float]]:
    """Returns the zooms that show the answer: segments, each with its rate."""
    if family == "overview":
        return []
    evidence = task.evidence
    if family == "order":
        evidence = (Segment(evidence[0].start_s, evidence[1].end_s),)
    if family in EVERY_FRAME:
        first = round((sum(evidence[0]) * FPS - COLUMNS) / 2) + 0.5  # the middle of a frame
        return [(Segment(first / FPS, (first + COLUMNS) / FPS), FPS)]
    wide = [Segment(max(0.0, start_s - AROUND_S), end_s + AROUND_S) for start_s, end_s in evidence]
    return [(segment, COLUMNS / (segment.end_s - segment.start_s)) for segment in wide]


def draw_frames(
    canvas: Canvas, box: Rect, video: Video, times_s: Sequence[float], evidence: Sequence[Segment]
) -> int:
    """Draws frames into rows of COLUMNS, those of the evidence underlined; returns the y below."""
    images = video.frames_at(times_s, (CELL, CELL))
    for index, (time_s, image) in enumerate(zip(times_s, images, strict=True)):
        row, column = divmod(index, COLUMNS)
        left, top = box.left + column * (CELL + GAP), box.top + row * (CELL + GAP)
        canvas.picture(Rect(left, top, left + CELL, top + CELL), image)
        if any(segment.holds(time_s) for segment in evidence):
            canvas.fill(Rect(left, top + CELL - 3, left + CELL, top + CELL), EVIDENCE)
    return box.top + -(-len(times_s) // COLUMNS) * (CELL + GAP)


def draw_family(family: str) -> Image.Image:
    """Returns the picture of a family."""
    tasks = open_task_set(f"synthetic:{family}", split="test", source="scene")
    task = tasks[INDEX[family]]
    video = tasks.open_video(task)
    clips = clips_of(family, task)
    question = wrap(task.question, TEXT, WIDTH - 2 * MARGIN, 3)
    top = MARGIN + line_height(TITLE) + (len(question) + 1) * line_height(TEXT) + 10
    height = top + 4 * (CELL + GAP) + len(clips) * (CELL + GAP + 22) + MARGIN
    canvas = Canvas((height, WIDTH), PAGE)
    page = Rect(MARGIN, MARGIN, WIDTH - MARGIN, height)
    canvas.line(page.row(0, line_height(TITLE)), family, TITLE, INK)
    text = page.cut(top=line_height(TITLE) + 2)
    bottom = canvas.lines(text, task.question, TEXT, INK, 3)
    answer = f"Answer: {task.options[ord(task.truth) - ord('A')]}"
    others = ", ".join(task.options)
    line = Rect(page.left, bottom, page.right, bottom + line_height(TEXT))
    width = canvas.line(line, answer, TEXT, RIGHT)
    canvas.line(line.cut(left=width + 10), f"(of {others})", TEXT, SOFT)

    cells = Rect(page.left + LABELS, top, page.right, height)
    labels = Rect(page.left, top, page.left + LABELS - 8, top + CELL)
    canvas.line(labels.row(0, 18), "Overview", TEXT, INK)
    canvas.line(labels.cut(top=18).row(0, 16), "64 frames", TINY, SOFT)
    canvas.line(labels.cut(top=33).row(0, 16), f"of {video.duration_s:g} s", TINY, SOFT)
    shown = task.evidence if family == "overview" else ()
    below = draw_frames(canvas, cells, video, overview_times(video.last_frame_s, 64), shown)
    for number, (segment, fps) in enumerate(clips, 1):
        below += 8
        name = f"Zoom {number}" if len(clips) > 1 else "Zoom"
        label = labels._replace(top=below, bottom=below + CELL)
        canvas.line(label.row(0, 18), name, TEXT, INK)
        canvas.line(label.cut(top=18).row(0, 16), f"at {segment.start_s:.1f} s", TINY, SOFT)
        canvas.line(label.cut(top=33).row(0, 16), f"{fps:.3g} fps", TINY, SOFT)
        times_s = zoom_times(segment, fps)
        below = draw_frames(canvas, cells._replace(top=below), video, times_s, task.evidence)
        below += 14
    picture = Image.fromarray(canvas.to_array())
    return picture.quantize(NUM_COLORS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)


@ends_quietly
def main() -> int:
    """Command line."""
    parser = Parser(prog="python -m examples.draw_families", description=__doc__)
    parser.add_argument(
        "folder", type=Path, nargs="?", default=Path("families"), help="default: families"
    )
    folder = parser.parse_args().folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.fail(error)
    for family in FAMILIES:
        path = folder / f"{family}.png"
        draw_family(family).save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
