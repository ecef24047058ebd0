"""Video-MME-v2: 800 videos with four questions each, eight options, scored as groups of four.

Source: MME-Benchmarks/Video-MME-v2 on GitHub and on the hub: `test.parquet`, with options as lines
`A. ..` of one text, `{video_id}.mp4`, and words with their times in `{video_id}.jsonl`; and
lmms-eval's `videomme_v2`, which has videos in `data/`. Level and heads are told of the last
question of a group only, and count for all of it.
"""

import json

from zoomgym.errors import TaskError
from zoomgym.io import brief
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.grouped import STRUCTURE, STRUCTURES, TYPE, TYPES
from zoomgym.tasks.datasets.options import letter_options, read_answer, split_options
from zoomgym.tasks.datasets.rows import Row
from zoomgym.tasks.datasets.subtitles import SubtitleFile

TOLD = ("level", "second_head", "third_head")


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row. Raises TaskError."""
    video, options = row.name("video_id"), _options(row)
    labels = []
    if kind := _known(row, TYPE, TYPES):
        labels.append((TYPE, kind))
    if kind == "logic":
        labels.append((STRUCTURE, _structure(row)))
    for key in TOLD:
        if row.has(key) and (text := row.name(key).strip()) not in ("", "None"):
            labels.append((key, text))
    return VideoQuestion(
        id=row.name("question_id"),
        video=f"{video}.mp4",
        question=row.text("question"),
        answer=read_answer(row.text("answer"), options),
        options=options,
        category=kind,
        labels=tuple(labels),
    )


def _options(row: Row) -> tuple[str, ...]:
    """Returns the options: lines of one text, or a list of texts. Raises TaskError."""
    if isinstance(row.value("options"), list):
        return letter_options(row.texts("options"))
    _, options = split_options(row.text("options"))
    if not options:
        raise TaskError(f"options need lines like 'A. red', got {brief(row.text('options'))}")
    return options


def _known(row: Row, key: str, known: tuple[str, ...]) -> str:
    """Returns the text under key, or an empty one. Raises TaskError if it is not a known one."""
    text = row.text_or_none(key)
    if text not in ("", *known):
        raise TaskError(f"{key} needs to be one of {list(known)}, got {brief(text)}")
    return text


def _structure(row: Row) -> str:
    """Returns which question of a chain builds on which. Raises TaskError if it is unknown."""
    text = row.text(STRUCTURE)
    try:
        structure = json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        structure = ""
    if structure not in STRUCTURES:
        raise TaskError(f"{STRUCTURE} needs to be one of {list(STRUCTURES)}, got {brief(text)}")
    return structure


def to_subtitles(row: Row) -> SubtitleFile:
    """Returns where the subtitles of a row would be. Raises TaskError."""
    return SubtitleFile(path=f"subtitle/{row.name('video_id')}.jsonl", is_needed=False)


VIDEOMME_V2 = Layout(
    name="videomme_v2",
    files={"test": ("test.parquet", "test-*.parquet", "data/test-*.parquet")},
    to_task=to_task,
    columns=(
        "video_id, question_id, question, options, answer, group_type, group_structure, level, "
        "second_head, third_head"
    ),
    video_folders=("data", "videos", "video", ".", "videos/*"),
    to_subtitles=to_subtitles,
)
