"""Sets of synthetic tasks: drawn by index, never stored, encoded on first use."""

import hashlib
import json
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from zoomgym.errors import TaskError
from zoomgym.grading import letter
from zoomgym.io import brief, cache_folder, cached_file, is_number_within, written_file
from zoomgym.rules import TRANSCRIPT, Cue, VideoQuestion
from zoomgym.tasks.synthetic import layout, marks, symbols
from zoomgym.tasks.synthetic import scene as scene_code
from zoomgym.tasks.synthetic.difficulty import Difficulty, named_difficulty
from zoomgym.tasks.synthetic.drawn import DrawnVideo
from zoomgym.tasks.synthetic.families import EVERY_FAMILY
from zoomgym.tasks.synthetic.layout import FPS, SCENE_SIZE
from zoomgym.tasks.synthetic.plan import Plan, Puzzle
from zoomgym.tasks.synthetic.scene import Scene
from zoomgym.tasks.synthetic.seal import is_sealed, seal
from zoomgym.tasks.synthetic.write import ENCODER, ENCODING, write_video
from zoomgym.video import Video, VideoFile

VERSION = "0"
"""Changes with everything that can change a task or its pictures."""
TASKS_PER_SPLIT = 10_000
SPLITS = ("train", "test")
SOURCES = ("file", "scene")
MIN_DURATION_S = 30
MAX_DURATION_S = 36_000
HASHED_TASKS = 8
"""Tasks of each family that enter a set's hash, for all of its tasks."""

PUZZLES_KEPT = 64
"""Puzzles that are kept: a task and its video are drawn together."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SyntheticTasks:
    """The tasks of one or more families: 10,000 a family and split, families by turns.

    Raises:
        TaskError: an argument names nothing that exists.
    """

    families: tuple[str, ...]
    split: str
    duration_s: float
    difficulty: str | Mapping[str, Any]
    """A preset, or fields of `Difficulty` that are merged over one, see `named_difficulty`."""
    source: str
    cache_dir: Path | None = None
    """Where files are written; None is the user's cache folder."""

    def __post_init__(self) -> None:
        """Refuses what does not exist."""
        if not self.families:
            raise TaskError(f"synthetic families need at least one of {', '.join(EVERY_FAMILY)}")
        for family in self.families:
            check_choice("synthetic family", family, EVERY_FAMILY)
        if len(set(self.families)) < len(self.families):
            raise TaskError(f"synthetic families need to differ, got {list(self.families)}")
        check_choice("split", self.split, SPLITS)
        self._named_difficulty  # noqa: B018 - read once, before anybody changes the mapping
        check_choice("source", self.source, SOURCES)
        drawn = [family for family in self.families if EVERY_FAMILY[family].is_only_drawn]
        if drawn and self.source != "scene":
            raise TaskError(
                f"synthetic:{drawn[0]} needs source 'scene', got {self.source!r}: a codec would "
                "lose what is tiny"
            )
        check_duration(self.duration_s)

    @property
    def name(self) -> str:
        """What the set is called: `synthetic:` and its families."""
        return f"synthetic:{','.join(self.families)}"

    @property
    def version(self) -> str:
        """Changes with everything that can change a result."""
        return VERSION

    @cached_property
    def content_hash(self) -> str:
        """Twelve hex digits that change with whatever changes a task: the same on every machine.

        Of the settings and the first tasks of each family, drawn; how they are shown (encoded or
        not, and by which code) is what `version` says.
        """
        difficulty = asdict(self._named_difficulty[1])
        drawn = [
            [
                asdict(self._task(family, index)),
                repr(self._puzzle(family, index).scene),
                *self._puzzle(family, index).cues,
            ]
            for family in self.families
            for index in range(HASHED_TASKS)
        ]
        settings = [self.version, self.families, self.split, float(self.duration_s), difficulty]
        return hashlib.sha256(json.dumps([settings, drawn]).encode()).hexdigest()[:12]

    def __len__(self) -> int:
        """Number of tasks."""
        return TASKS_PER_SPLIT * len(self.families)

    def __getitem__(self, index: int) -> VideoQuestion:
        """Returns the task at index. Raises IndexError past the end."""
        if not 0 <= index < len(self):
            raise IndexError(f"{self.name} has tasks 0 to {len(self) - 1}, got {index}")
        return self._task(self.families[index % len(self.families)], index // len(self.families))

    def by_id(self, task_id: str) -> VideoQuestion:
        """Returns the task called task_id. Raises TaskError if there is none."""
        return self._task(*self._locate(task_id))

    def open_video(self, task: VideoQuestion) -> Video:
        """Returns the video of a task: drawn, or from a file that is written on first use."""
        scene = self._puzzle(*self._locate(task.video)).scene
        if self.source == "scene":
            return DrawnVideo(scene)
        path = self._folder / _file_name(task, scene)
        make = partial(_write, scene, path)
        return VideoFile(cached_file(path, make, is_right=is_sealed))

    @property
    def tools(self) -> tuple[str, ...]:
        """Tools without which some tasks cannot be answered."""
        return tuple(
            dict.fromkeys(tool for name in self.families for tool in EVERY_FAMILY[name].tools)
        )

    @property
    def has_transcripts(self) -> bool:
        """Whether its videos have a transcript, which may be empty."""
        families = [EVERY_FAMILY[name] for name in self.families]
        return any(family.tools or family.is_voiced for family in families)

    def cues(self, task: VideoQuestion) -> tuple[Cue, ...]:
        """Returns the transcript of a task's video. Raises TaskError if no video has one."""
        if not self.has_transcripts:
            raise TaskError(f"{self.name} has no subtitles: leave the tool {TRANSCRIPT} out")
        return self._puzzle(*self._locate(task.video)).cues

    def is_written(self, task: VideoQuestion) -> bool:
        """Returns whether the file of a task's video is in the cache."""
        return is_sealed(
            self._folder / _file_name(task, self._puzzle(*self._locate(task.video)).scene)
        )

    def write_video(self, task: VideoQuestion, folder: Path) -> Path:
        """Returns the file of a task's video in folder, which is written if it is not there."""
        scene = self._puzzle(*self._locate(task.video)).scene
        return written_file(folder / _file_name(task, scene), lambda part: write_video(scene, part))

    def video_name(self, task: VideoQuestion) -> str:
        """Returns what `write_video` calls the file of a task's video."""
        return _file_name(task, self._puzzle(*self._locate(task.video)).scene)

    @property
    def _num_frames(self) -> int:
        """Length of every video of the set."""
        return round(self.duration_s * FPS)

    @cached_property
    def _folder(self) -> Path:
        """Where files are kept."""
        return cache_folder("synthetic", self.cache_dir)

    @cached_property
    def _named_difficulty(self) -> tuple[str, Difficulty]:
        """What makes the tasks hard, after its name in ids."""
        return named_difficulty(self.difficulty)

    def _stem(self, family: str) -> str:
        """Returns what the ids of a family's tasks begin with."""
        difficulty, _ = self._named_difficulty
        return f"{family}-{difficulty}-{self.duration_s:g}s-{self.split}-"

    def _locate(self, task_id: str) -> tuple[str, int]:
        """Returns (family, index within it) of a task of this set. Raises TaskError."""
        for family in self.families:
            digits = task_id.removeprefix(self._stem(family))
            if digits != task_id and len(digits) == 5 and digits.isascii() and digits.isdecimal():
                return family, int(digits)
        raise TaskError(
            f"task_id needs to be one of {self.name}, like {self._stem(self.families[0])}00042, "
            f"got {task_id!r}"
        )

    def _seed(self, index: int) -> int:
        """Returns the seed of a task: no two splits share one."""
        return SPLITS.index(self.split) * TASKS_PER_SPLIT + index

    def _puzzle(self, family: str, index: int) -> Puzzle:
        """Returns the scene and question of a task."""
        return draw_puzzle(family, self._seed(index), self._num_frames, self._named_difficulty[1])

    def _task(self, family: str, index: int) -> VideoQuestion:
        """Returns a task with its options in order."""
        task_id = f"{self._stem(family)}{index:05d}"
        return as_question(self._puzzle(family, index), task_id, family, self._seed(index))


@lru_cache(maxsize=PUZZLES_KEPT)
def draw_puzzle(family: str, seed: int, num_frames: int, difficulty: Difficulty) -> Puzzle:
    """Returns the scene and question of a family that a seed draws."""
    rng = np.random.default_rng([seed, *family.encode()])
    return EVERY_FAMILY[family].draw(Plan(rng, seed, num_frames, difficulty))


def as_question(
    puzzle: Puzzle,
    task_id: str,
    family: str,
    seed: int,
    labels: tuple[tuple[str, str], ...] = (),
) -> VideoQuestion:
    """Returns the task that a puzzle makes, with its options in the order that a seed draws."""
    place = _place(seed, family, 1 + len(puzzle.wrong))
    return VideoQuestion(
        id=task_id,
        video=task_id,
        question=puzzle.question,
        answer=letter(place),
        options=(*puzzle.wrong[:place], puzzle.right, *puzzle.wrong[place:]),
        evidence=puzzle.evidence,
        category=family,
        labels=labels,
    )


def _file_name(task: VideoQuestion, scene: Scene) -> str:
    """Returns a name that no other pixels have."""
    key = f"{_encoding_fingerprint()} {scene!r}"
    return f"{task.video}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.mp4"


@cache
def _encoding_fingerprint() -> str:
    """Returns what besides a scene determines the pixels of its file: the code and the encoder."""
    modules = (layout, marks, scene_code, symbols)
    code = [Path(module.__file__ or "").read_bytes() for module in modules]
    digest = hashlib.sha256(b"".join(code)).hexdigest()
    libavcodec = av.library_versions["libavcodec"]
    return json.dumps([digest, SCENE_SIZE, FPS, ENCODER, ENCODING, av.__version__, libavcodec])


def _place(seed: int, family: str, num_options: int) -> int:
    """Returns the place of the right option: every block of seeds has each place once."""
    block, within = divmod(seed, num_options)
    order = np.random.default_rng([block, *family.encode(), 1]).permutation(num_options)
    return int(order[within])


def _write(scene: Scene, path: Path, part: Path) -> None:
    """Writes a scene to part, which will be path, and logs how long that took."""
    started_s = time.monotonic()
    write_video(scene, part)
    seal(part, path.name)
    logger.info("wrote %s in %.1f s", path, time.monotonic() - started_s)


def check_choice(what: str, name: str, known: Collection[str]) -> None:
    """Raises TaskError unless name is known."""
    if not isinstance(name, str) or name not in known:
        raise TaskError(f"{what} needs one of {', '.join(known)}, got {brief(name)}")


def check_duration(duration_s: object) -> None:
    """Raises TaskError unless a video may last so long."""
    if not is_number_within(duration_s, MIN_DURATION_S, MAX_DURATION_S):
        raise TaskError(
            f"duration_s needs {MIN_DURATION_S} to {MAX_DURATION_S} seconds, "
            f"got {brief(duration_s)}"
        )
