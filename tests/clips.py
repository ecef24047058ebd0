"""Real videos for tests that need any: each is encoded once a run, for all tests and workers."""

import shutil
from pathlib import Path

from zoomgym.tasks.synthetic import SyntheticTasks
from zoomgym.video import VideoFile


def first_video(tasks: SyntheticTasks, folder: Path) -> Path:
    """Returns a copy in folder of the video of the first task of a set."""
    video = tasks.open_video(tasks[0])
    assert isinstance(video, VideoFile)
    video.close()
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(video.path, folder))
