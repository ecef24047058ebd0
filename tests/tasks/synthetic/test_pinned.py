"""What tasks are and how they look is pinned, so that it does not change in silence."""

import hashlib

import numpy as np
import pytest

from tests.tasks.synthetic.test_task_set import tasks_of
from zoomgym.tasks.synthetic import FAMILIES

NUM_TASKS = 4
NUM_FRAMES = 16
REMEDY = (
    "Results before and after this change are not of the same tasks: if it is meant, raise VERSION "
    "in zoomgym/tasks/synthetic/task_set.py, and pin what is found now."
)

TASKS = {
    "flash": "6763eebae3ac",
    "count": "8c9e9b69a306",
    "order": "fac0bd6029be",
    "motion": "2af418b74510",
    "relay": "acabda0afd9b",
    "overview": "0ec64eb36215",
    "sparse": "83f48c51ff21",
}
"""Hashes of whole sets: of their settings, questions, answers and scenes."""
PICTURES = {
    "flash": "3b905f37649e",
    "count": "cb7c39dfa4ef",
    "order": "8259da634a7b",
    "motion": "95222bd8cc31",
    "relay": "eb5ee9b893cc",
    "overview": "c92e66046566",
    "sparse": "6042480efbf9",
}
"""Hashes of pictures: of the whole video, and of what the evidence shows."""


def pictures(family: str) -> str:
    """Returns a hash of frames as agents get them, with decoys, and of one as it is encoded."""
    tasks, digest = tasks_of(family, difficulty="hard"), hashlib.sha256()
    for index in range(NUM_TASKS):
        video = tasks.open_video(tasks[index])
        stretches = [(0.0, video.last_frame_s), *tasks[index].evidence]
        for start_s, end_s in stretches:
            times_s = np.linspace(start_s, end_s, NUM_FRAMES).tolist()
            digest.update(video.frames_at(times_s, (56, 56)).tobytes())
        digest.update(video.frames_at(times_s[:1], (256, 256)).tobytes())
    return digest.hexdigest()[:12]


@pytest.mark.parametrize("family", FAMILIES)
def test_tasks_change_only_with_the_version(family: str) -> None:
    assert tasks_of(family).content_hash == TASKS[family], REMEDY


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_change_only_with_the_version(family: str) -> None:
    assert pictures(family) == PICTURES[family], REMEDY
