"""Lists the videos of a folder, in an order that is the same on every machine.

Headers are read, no frame is decoded. Links that lead out of the folder are not followed.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zoomgym.errors import TaskError, VideoError
from zoomgym.io import (
    LINKS_VARIABLE,
    encodable,
    is_inside,
    no_folder,
    number_of,
    open_named,
    plain,
    reason,
)
from zoomgym.tasks.datasets import CheckedRow, check_videos
from zoomgym.video import Limits, VideoFile, claimed_duration_s

ENDINGS = (
    *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg"),
    *(".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
)
"""Endings of names, in lower case, of what is taken for a video."""
MOST_VIDEOS = 10_000
MOST_NAMES = 1_000_000
"""Most names in a folder and its subfolders that are looked at."""
MIN_FOOTAGE_S = 1.0
"""Least length of a file: a shorter one is a picture rather than a video."""
MOST_WARNED = 10
"""Files that are passed over with a warning each; the rest are counted."""
SHORT_NAME = 32
"""Characters of a file's name in ids."""
HASHED_BYTES = 32 * 1024
"""Bytes at the start and at the end of a file that enter its fingerprint."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Footage:
    """A video file of a folder, and what its headers claim."""

    path: Path
    name: str
    """Path from the folder, with `/`."""
    duration_s: float
    state: tuple[int, int]
    """Bytes and time of the last change, of the file that was measured."""

    @cached_property
    def number(self) -> int:
        """A number that no other file of the folder has, from its name alone."""
        return int.from_bytes(hashlib.sha256(os.fsencode(self.name)).digest()[:8])

    @cached_property
    def key(self) -> str:
        """A text that no other file of the folder has, with nothing but letters and digits."""
        stem = re.sub("[^0-9A-Za-z]+", "_", Path(self.name).stem)[:SHORT_NAME].strip("_")
        return f"{stem}_{self.number:016x}".strip("_")

    @cached_property
    def fingerprint(self) -> list[str | int | float]:
        """What changes with the content of the file, but for bytes in its middle.

        Raises TaskError if the file cannot be read.
        """
        try:
            with open_named(self.path) as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                head = file.read(HASHED_BYTES)
                file.seek(max(0, size - HASHED_BYTES))
                ends = head + file.read(HASHED_BYTES)
        except OSError as error:
            raise TaskError(
                f"{plain(str(self.path))}: needed the file that was listed, got {reason(error)}: "
                "open the folder again"
            ) from error
        named = encodable(self.name)
        return [named, self.number, size, self.duration_s, hashlib.sha256(ends).hexdigest()]

    def open(self, on_damage: str, limits: Limits) -> VideoFile:
        """Returns the file, ready to be asked. Raises VideoError if it has changed since."""
        try:
            now = _state(self.path)
        except OSError as error:
            raise VideoError(
                f"{plain(str(self.path))}: needed the file that was listed, got {reason(error)}: "
                "open the folder again"
            ) from error
        if now != self.state:
            raise VideoError(
                f"{plain(str(self.path))}: needed the file that was listed, got one that has "
                "changed since: open the folder again"
            )
        return VideoFile(self.path, on_damage=on_damage, limits=limits)


def list_footage(folder: Path, limits: Limits) -> tuple[Footage, ...]:
    """Returns the videos of a folder and its subfolders, by name.

    Files that cannot be shown are passed over with a warning. Raises TaskError if none is left.
    """
    found: list[Footage] = []
    problems: list[str] = []
    for path in _find(folder):
        try:
            found.append(_measure(folder, path, limits))
        except VideoError as error:
            problems.append(plain(str(error)))
    for problem in problems[:MOST_WARNED]:
        logger.warning("passed over %s", problem)
    if (more := len(problems) - MOST_WARNED) > 0:
        logger.warning("%s: passed over %s more", plain(str(folder)), number_of(more, "file"))
    if not found:
        got = f"{number_of(len(problems), 'file')} that cannot be shown" if problems else "none"
        first = f" ({problems[0]})" if problems else ""
        raise TaskError(
            f"{plain(str(folder))}: needed a folder with videos ({', '.join(ENDINGS)}), "
            f"got {got}{first}: put videos there, or name another folder"
        )
    return tuple(found)


def check_footage(folder: Path, limits: Limits = Limits()) -> Iterator[CheckedRow]:
    """Yields every video of a folder with its problems. Raises TaskError if there is none."""
    paths = _find(folder)
    if not paths:
        list_footage(folder, limits)
    return check_videos(paths, lambda path: _measure(folder, path, limits).path, limits)


def _find(folder: Path) -> list[Path]:
    """Returns the paths of what is named like a video, in the order of their names' bytes."""
    if not folder.is_dir():
        remedy = ": name the folder that holds it" if folder.exists() else ""
        raise TaskError(plain(no_folder(folder, "a folder of videos")) + remedy)
    paths: list[Path] = []
    num_names = 0
    for place, folders, files in os.walk(folder, onerror=_tell):
        folders[:] = [name for name in folders if not name.startswith(".")]
        num_names += len(folders) + len(files)
        paths += [
            Path(place, name)
            for name in files
            if not name.startswith(".") and Path(name).suffix.lower() in ENDINGS
        ]
        if len(paths) > MOST_VIDEOS or num_names > MOST_NAMES:
            raise TaskError(
                f"{plain(str(folder))}: needed at most {MOST_VIDEOS} videos and {MOST_NAMES} "
                "names, got more: name a folder with fewer"
            )
    return sorted(paths, key=lambda path: os.fsencode(_name(folder, path)))


def _tell(error: OSError) -> None:
    """Warns that a subfolder cannot be listed."""
    logger.warning("passed over %s: %s", plain(str(error.filename)), reason(error))


def _measure(folder: Path, path: Path, limits: Limits) -> Footage:
    """Returns a file with what its headers claim. Raises VideoError if it cannot be shown."""
    try:
        is_here, state = is_inside(path, folder), _state(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise VideoError(f"{path}: needed a video file, got {reason(error)}: remove it") from error
    if not is_here:
        raise VideoError(
            f"{path}: needed a file in {folder}, got a link out of it: copy the file, or name the "
            f"folder that it leads to in {LINKS_VARIABLE}"
        )
    duration_s = claimed_duration_s(path, limits)
    if not duration_s:  # a stream without an index, whose end has to be looked for
        with VideoFile(path, limits=limits) as video:
            duration_s = video.duration_s
    if duration_s < MIN_FOOTAGE_S:
        raise VideoError(
            f"{path}: needed at least {MIN_FOOTAGE_S:g} s of video, got {duration_s:g} s: "
            "choose a longer one"
        )
    return Footage(path, _name(folder, path), duration_s, state)


def _name(folder: Path, path: Path) -> str:
    """Returns the path of a file from its folder."""
    return path.relative_to(folder).as_posix()


def _state(path: Path) -> tuple[int, int]:
    """Returns what changes when a file is written to. Raises OSError."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns
