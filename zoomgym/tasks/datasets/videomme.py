"""Video-MME: 900 videos from 11 seconds to an hour, three questions each, most with subtitles.

Source: lmms-eval/Video-MME on the hub: `videomme/test-*.parquet`, `data/{videoID}.mp4`,
`subtitle/{videoID}.srt`; a video without subtitles has no such file.
"""

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import letter_options, read_answer
from zoomgym.tasks.datasets.rows import Row
from zoomgym.tasks.datasets.subtitles import SubtitleFile


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    options = letter_options(row.texts("options"))
    return VideoQuestion(
        id=row.name("question_id"),
        video=f"{row.text('videoID')}.mp4",
        question=row.text("question"),
        answer=read_answer(row.text("answer"), options),
        options=options,
        category=row.text("task_type"),
        labels=tuple((kind, row.text(kind)) for kind in ("duration", "domain", "sub_category")),
    )


def to_subtitles(row: Row) -> SubtitleFile:
    """Returns where the subtitles of a row would be. Raises TaskError."""
    return SubtitleFile(path=f"subtitle/{row.text('videoID')}.srt", is_needed=False)


VIDEOMME = Layout(
    name="videomme",
    files={"test": ("videomme/test-*.parquet", "data/test-*.parquet", "test-*.parquet")},
    to_task=to_task,
    columns=(
        "question_id, videoID, question, options, answer, task_type, duration, domain, sub_category"
    ),
    video_folders=("data", "video", "videos", "."),
    to_subtitles=to_subtitles,
)
