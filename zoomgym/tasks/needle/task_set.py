"""Needle tasks of a folder: a fixed number for each video and family, drawn by index."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoomgym.errors import TaskError
from zoomgym.io import brief, plain
from zoomgym.rules import VideoQuestion
from zoomgym.tasks.needle.footage import Footage, list_footage
from zoomgym.tasks.needle.video import NeedleVideo
from zoomgym.tasks.synthetic import FAMILIES, SPLITS, Difficulty, named_difficulty
from zoomgym.tasks.synthetic.layout import FPS
from zoomgym.tasks.synthetic.plan import Puzzle
from zoomgym.tasks.synthetic.task_set import (
    MAX_DURATION_S,
    as_question,
    check_choice,
    check_duration,
    draw_puzzle,
)
from zoomgym.video import Limits, Video

NEEDLE = "needle"
VERSION = "0"
"""Changes with everything that can change a task or its marks."""
NEEDLE_FAMILIES = tuple(family for family in FAMILIES if family != "overview")
"""All but `overview`, whose signs would hide the video from its start to its end."""
TASKS_PER_VIDEO = 20
"""Tasks of each family, video and split: a multiple of the number of options."""


@dataclass(frozen=True)
class NeedleTasks:
    """The tasks of a folder's videos: 20 a video, family and split.

    They go through the families by turns, then through the videos. Nothing is written.

    Raises:
        TaskError: an argument names nothing that exists, or the folder has no video.
    """

    folder: Path
    split: str
    min_duration_s: float
    """Length of the video of a task whose file is shorter; the file is repeated."""
    difficulty: str | Mapping[str, Any]
    on_damage: str = "nearest"
    limits: Limits = Limits()
    families: tuple[str, ...] = NEEDLE_FAMILIES

    def __post_init__(self) -> None:
        """Refuses what does not exist, and lists the folder."""
        check_choice("split", self.split, SPLITS)
        check_duration(self.min_duration_s)
        self._named_difficulty  # noqa: B018 - read once, before anybody changes the mapping
        self._footage  # noqa: B018 - its errors belong here

    @property
    def name(self) -> str:
        """What the set is called: `needle:` and the folder's own name."""
        return f"{NEEDLE}:{re.sub('[^0-9A-Za-z._-]+', '_', self.folder.resolve().name)}"

    @property
    def version(self) -> str:
        """Changes with everything that can change a result, but for the folder's files."""
        return VERSION

    @cached_property
    def content_hash(self) -> str:
        """Twelve hex digits of the settings and the files: the same on every machine.

        Raises TaskError if a file cannot be read.
        """
        difficulty = asdict(self._named_difficulty[1])
        settings = [VERSION, self.families, self.split, float(self.min_duration_s), difficulty]
        files = [footage.fingerprint for footage in self._footage]
        return hashlib.sha256(json.dumps([settings, files]).encode()).hexdigest()[:12]

    def __len__(self) -> int:
        """Number of tasks."""
        return TASKS_PER_VIDEO * len(self._footage) * len(self.families)

    def __getitem__(self, index: int) -> VideoQuestion:
        """Returns the task at index. Raises IndexError past the end."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has tasks 0 to {len(self) - 1}, got {index}")
        rest, family = divmod(index, len(self.families))
        number, video = divmod(rest, len(self._footage))
        return self._task(self.families[family], self._footage[video], number)

    def by_id(self, task_id: str) -> VideoQuestion:
        """Returns the task called task_id. Raises TaskError if there is none."""
        return self._task(*self._locate(task_id))

    def open_video(self, task: VideoQuestion) -> Video:
        """Returns the video of a task. Raises VideoError if its file is not what was listed."""
        family, footage, number = self._locate(task.id)
        scene = self._puzzle(family, footage, number).scene
        file = footage.open(self.on_damage, self.limits)
        return NeedleVideo(file, footage.duration_s, scene)

    @cached_property
    def _footage(self) -> tuple[Footage, ...]:
        """The videos of the folder."""
        return list_footage(self.folder, self.limits)

    @cached_property
    def _by_key(self) -> dict[str, Footage]:
        """The videos of the folder, as ids name them."""
        return {footage.key: footage for footage in self._footage}

    @cached_property
    def _named_difficulty(self) -> tuple[str, Difficulty]:
        """What makes the tasks hard, after its name in ids."""
        return named_difficulty(self.difficulty)

    def _id(self, family: str, footage: Footage, number: int) -> str:
        """Returns the id of a task."""
        length = f"{self._named_difficulty[0]}-{self.min_duration_s:g}s-{self.split}"
        return f"{NEEDLE}-{family}-{length}-{footage.key}-{number:02d}"

    def _locate(self, task_id: str) -> tuple[str, Footage, int]:
        """Returns family, file and number of a task of this set. Raises TaskError."""
        parts = task_id.split("-")
        family, key, digits = (parts[1], *parts[-2:]) if len(parts) > 3 else ("", "", "")
        if family in self.families and key in self._by_key and digits.isascii():
            footage, number = self._by_key[key], int(digits) if digits.isdecimal() else -1
            if 0 <= number < TASKS_PER_VIDEO and task_id == self._id(family, footage, number):
                return family, footage, number
        like = self._id(self.families[0], self._footage[0], 7)
        raise TaskError(
            f"task_id needs to be one of {self.name}, like {like}, got {brief(task_id)}"
        )

    def _seed(self, footage: Footage, number: int) -> int:
        """Returns the seed of a task: no two files or splits share one."""
        block = footage.number * len(SPLITS) + SPLITS.index(self.split)
        return block * TASKS_PER_VIDEO + number

    def _puzzle(self, family: str, footage: Footage, number: int) -> Puzzle:
        """Returns the marks and question of a task."""
        duration_s = min(max(footage.duration_s, self.min_duration_s), MAX_DURATION_S)
        seed, num_frames = self._seed(footage, number), int(duration_s * FPS)
        return draw_puzzle(family, seed, num_frames, self._named_difficulty[1])

    def _task(self, family: str, footage: Footage, number: int) -> VideoQuestion:
        """Returns a task with its options in order."""
        puzzle, seed = self._puzzle(family, footage, number), self._seed(footage, number)
        labels = (("video", plain(footage.name)),)
        return as_question(puzzle, self._id(family, footage, number), family, seed, labels)
