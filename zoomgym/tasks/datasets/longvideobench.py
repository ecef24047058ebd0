"""LongVideoBench, its validation set: questions that refer to a moment, with subtitles.

Source: longvideobench/LongVideoBench on the hub, `lvb_val.json`, `videos/`, `subtitles/`, and its
loader (github.com/longvideobench/LongVideoBench). The test set has no public answers.
"""

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import answer_at, tell_apart
from zoomgym.tasks.datasets.rows import Row
from zoomgym.tasks.datasets.subtitles import SubtitleFile


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    options = tell_apart(_candidates(row))
    return VideoQuestion(
        id=row.text("id"),
        video=row.text("video_path"),
        question=row.text("question"),
        answer=answer_at(row.whole("correct_choice"), options),
        options=options,
        category=row.text("question_category"),
        labels=(
            ("duration", row.name("duration_group")),
            *((kind, row.text(key)) for kind, key in LABELS if row.has(key)),
        ),
    )


LABELS = (("level", "level"), ("topic", "topic_category"))


def _candidates(row: Row) -> tuple[str, ...]:
    """Returns the options: a list, or in parquet the columns `option0` .. until the first `N/A`."""
    if row.has("candidates"):
        return row.texts("candidates")
    keys = (f"option{i}" for i in range(5))
    options = (row.text(key) for key in keys if row.has(key))
    return tuple(option for option in options if option != "N/A")


def to_subtitles(row: Row) -> SubtitleFile:
    """Returns where the subtitles of a row are. Raises TaskError."""
    return SubtitleFile(
        path=f"subtitles/{row.text('subtitle_path')}",
        offset_s=row.number("starting_timestamp_for_subtitles"),
        end_s=row.number("duration"),
    )


LONGVIDEOBENCH = Layout(
    name="longvideobench",
    files={"test": ("lvb_val.json", "validation-*.parquet", "data/validation-*.parquet")},
    to_task=to_task,
    columns=(
        "id, video_path, question, candidates, option0, option1, option2, option3, option4, "
        "correct_choice, question_category, duration_group, level, topic_category, subtitle_path, "
        "starting_timestamp_for_subtitles, duration"
    ),
    video_folders=("videos", "."),
    to_subtitles=to_subtitles,
)
