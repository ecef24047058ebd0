"""CG-Bench: questions about long videos, and the intervals with the clues to their answers.

Source: CG-Bench/CG-Bench on the hub, `cgbench.json` and `cgbench_mini.json`, as the authors' code
reads them (github.com/CG-Bench/CG-Bench, `run/`, and `cgbench.py` in VLMEvalKit): lists of rows
with qid, video_uid, question, choices, right_answer (a letter), clue_intervals in seconds,
duration, domain and sub_category; `cg_videos_720p/{video_uid}.mp4`, and for some videos
`cg_subtitles/{video_uid}.srt`. The intervals become the evidence; empty ones are left out.
"""

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import letter_options, read_answer
from zoomgym.tasks.datasets.rows import Row
from zoomgym.tasks.datasets.segments import segments
from zoomgym.tasks.datasets.subtitles import SubtitleFile

MOST_MINUTES = (10, 20, 30, 40, 50, 60)


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    options = letter_options(row.texts("choices"))
    return VideoQuestion(
        id=row.name("qid"),
        video=f"{row.name('video_uid')}.mp4",
        question=row.text("question"),
        answer=read_answer(row.text("right_answer"), options),
        options=options,
        evidence=segments("clue_intervals", row.value("clue_intervals")),
        category=row.text("sub_category"),
        labels=(("duration", _span(row.number("duration"))), ("domain", row.text("domain"))),
    )


def _span(duration_s: float) -> str:
    """Returns the name of the benchmark's span of durations, in minutes."""
    for most in MOST_MINUTES:
        if duration_s <= most * 60:
            return f"{most - 10} ~ {most}"
    return f"{MOST_MINUTES[-1]}+"


def to_subtitles(row: Row) -> SubtitleFile:
    """Returns where the subtitles of a row would be. Raises TaskError."""
    return SubtitleFile(path=f"cg_subtitles/{row.name('video_uid')}.srt", is_needed=False)


CGBENCH, CGBENCH_MINI = (
    Layout(
        name=name,
        files={"test": (f"{name}.json",)},
        to_task=to_task,
        video_folders=("cg_videos_720p", "videos", "video", "."),
        to_subtitles=to_subtitles,
    )
    for name in ("cgbench", "cgbench_mini")
)
