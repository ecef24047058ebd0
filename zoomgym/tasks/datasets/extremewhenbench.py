"""ExtremeWhenBench: 194 videos of about an hour, up to nine; when does it happen?

Source: naver-ai/ExtremeWhenbench on GitHub, whose annotations are min1321/extreme-when-bench on the
hub: rows with qid, video_id, source_corpus, question, correct_interval in seconds, and category;
videos from Video-MME, LVBench and MLVU as `videos/{video_id}.mp4`. A file of one's own is a JSON
list of such rows.
"""

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.rows import Row
from zoomgym.tasks.datasets.segments import segment_answer, when_question


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    return VideoQuestion(
        id=row.name("qid"),
        video=f"{row.text('video_id')}.mp4",
        question=when_question(row.text("question")),
        answer=segment_answer(row, "correct_interval"),
        category=row.text_or_none("category"),
        labels=(("source_corpus", row.text("source_corpus")),),
    )


EXTREMEWHENBENCH = Layout(
    name="extremewhenbench",
    files={"test": ("data/test-*.parquet", "test-*.parquet", "*.parquet", "*.jsonl", "*.json")},
    to_task=to_task,
    columns="qid, video_id, source_corpus, question, correct_interval, category",
    video_folders=("videos", "video", "."),
)
