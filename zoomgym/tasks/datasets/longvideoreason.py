"""LongVideo-Reason: questions about plot, goal, time and space of long videos, with options.

Source: LongVideo-Reason/longvideo-reason on the hub, as github.com/NVlabs/Long-RL reads it:
`problem` ends in lines `A. ..` in any order, `answer` is a tagged letter, `videos` one path. The
archives of videos unpack into `longvideo_eval_subset0/` .., not where the rows say.
"""

from pathlib import PurePosixPath

from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import read_answer, split_options
from zoomgym.tasks.datasets.rows import Row


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    question, options = split_options(row.text("problem"))
    return VideoQuestion(
        id=row.name("problem_id"),
        video=PurePosixPath(row.text("videos")).name,
        question=question,
        answer=read_answer(row.text("answer"), options),
        options=options,
        category=row.text_or_none("problem_type"),
    )


LONGVIDEOREASON = Layout(
    name="longvideoreason",
    files={
        split: (f"{split}.jsonl", f"{split}.json", f"{split}*.parquet", f"data/{split}*.parquet")
        for split in ("train", "test")
    },
    to_task=to_task,
    columns="problem_id, problem, videos, answer, problem_type",
    video_folders=("longvila_videos", "longvideo_eval_subset*", "videos", "."),
)
