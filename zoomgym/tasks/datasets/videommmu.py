"""Video-MMMU: lectures in six disciplines, with questions on three tracks of learning.

Source: lmms-eval/VideoMMMU on the hub: `Perception/`, `Comprehension/` and `Adaptation/`, parquet
files each; videos as `{discipline}/{id}.mp4`, where the id holds the subject. Videos of Adaptation
end with the question's image, others with a quiz to ignore. Questions say so, as the authors' do.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from zoomgym.errors import TaskError
from zoomgym.io import brief
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import letter_options, read_answer
from zoomgym.tasks.datasets.rows import Row, find_files, read_file

TRACKS = {
    "Perception": "(A quiz in the last frames of the video is not meant.)",
    "Comprehension": "(A quiz in the last frames of the video is not meant.)",
    "Adaptation": "(The image of this question is shown at the end of the video.)",
}
"""Each track, and what its questions say of the video's end."""

SUBJECTS = {
    "Art": "Art, Art_Theory, Design, Music",
    "Business": "Accounting, Economics, Finance, Manage, Marketing",
    "Engineering": (
        "Agriculture, Architecture_and_Engineering, Computer_Science, Electronics, "
        "Energy_and_Power, Materials, Mechanical_Engineering"
    ),
    "Humanities": "History, Literature, Psychology, Sociology",
    "Medicine": (
        "Basic_Medical_Science, Clinical_Medicine, Diagnostics_and_Laboratory_Medicine, Pharmacy, "
        "Public_Health"
    ),
    "Science": "Biology, Chemistry, Geography, Math, Physics",
}
"""Subjects of each discipline. Videos lie in folders by discipline."""


def read(folder: Path, patterns: Sequence[str], columns: Sequence[str]) -> Iterator[Row]:
    """Yields the rows of all tracks, each with its track. Raises TaskError."""
    for track in TRACKS:
        for path in find_files(folder, [pattern.format(track=track) for pattern in patterns]):
            for row in read_file(path, columns):
                yield Row(row.where, {**row.fields, "track": track}, row.problem)


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row; without options it is open-ended. Raises TaskError."""
    track, name = row.text("track"), row.text("id")
    subject = "_".join(name.split("_")[1:-1])
    discipline = next((d for d, names in SUBJECTS.items() if subject in names.split(", ")), None)
    if discipline is None:
        raise TaskError(f"id needs to hold a subject, as in 'validation_Art_1', got {brief(name)}")
    options = letter_options(row.texts("options")) if row.has("options") else ()
    answer = row.name("answer")
    return VideoQuestion(
        id=f"{track.lower()}-{name}",
        video=f"{discipline}/{name}.mp4",
        question=f"{row.text('question')}\n{TRACKS[track]}",
        answer=read_answer(answer, options) if options else answer,
        options=options,
        category=discipline,
        labels=(("track", track), ("subject", subject)),
    )


VIDEOMMMU = Layout(
    name="videommmu",
    files={"test": ("{track}/*.parquet", "data/{track}/*.parquet")},
    to_task=to_task,
    columns="id, question, options, answer",
    video_folders=(".", "videos", "video"),
    read=read,
)
