"""MMVU, its validation set: expert questions in 27 subjects, multiple-choice and open-ended.

Source: yale-nlp/MMVU on the hub and on GitHub: `validation.json`, `videos/{subject}/{n}.mp4`; a row
names its video by the address to fetch it from; open-ended rows have blank choices.
"""

from zoomgym.errors import TaskError
from zoomgym.grading import letter
from zoomgym.io import brief
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.datasets.benchmark import Layout
from zoomgym.tasks.datasets.options import read_answer, tell_apart
from zoomgym.tasks.datasets.rows import Row

CHOICE, OPEN = "multiple-choice", "open-ended"
DISCIPLINES = {
    "Science": (
        "Astronomy, Biology, Chemistry, Electromagnetism, Geography, Materials Science, Mechanics, "
        "Modern Physics, Neurobiology, Thermodynamics"
    ),
    "Healthcare": "Basic Medicine, Clinical Medicine, Dentistry, Pharmacy, Preventive Medicine",
    "Humanities & Social Sciences": "Art, Economics, History, Law, Literature, Management",
    "Engineering": (
        "Biomedical Engineering, Civil Engineering, Computer Science, Electrical Engineering, "
        "Electronics and Communication, Mechanical Engineering"
    ),
}


def to_task(row: Row) -> VideoQuestion:
    """Returns the task in a row; one without choices is open-ended. Raises TaskError."""
    kind = row.text("question_type")
    if kind not in (CHOICE, OPEN):
        raise TaskError(f"question_type needs {CHOICE!r} or {OPEN!r}, got {brief(kind)}")
    options = _choices(row.part("choices")) if kind == CHOICE else ()
    subject = row.part("metadata").text("subject").replace("_", " ")
    discipline = next((d for d, names in DISCIPLINES.items() if subject in names.split(", ")), None)
    if discipline is None:
        raise TaskError(f"subject needs one of the 27 of MMVU, got {brief(subject)}")
    answer = row.text("answer")
    return VideoQuestion(
        id=row.name("id"),
        video=row.text("video", "video_path").rpartition("videos/")[2],
        question=row.text("question"),
        answer=answer if kind == OPEN else read_answer(answer, options),
        options=options,
        category=discipline,
        labels=(("subject", subject), ("question_type", kind)),
    )


def _choices(choices: Row) -> tuple[str, ...]:
    """Returns the choices A to E, without missing ones, and without blank ones at the end."""
    texts = [choices.text(letter(i)) for i in range(5) if choices.has(letter(i))]
    while texts and not texts[-1].strip():
        texts.pop()
    return tell_apart(texts)


MMVU = Layout(
    name="mmvu",
    files={
        "test": tuple(
            f"{folder}validation{end}"
            for end in (".json", "-*.parquet")
            for folder in ("", "data/")
        )
    },
    to_task=to_task,
    columns="id, video, video_path, question_type, question, choices, answer, metadata",
    video_folders=("videos", "."),
)
