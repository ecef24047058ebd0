"""Words for errors about a missing file, folder or name: what is there, and what is near."""

import os
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

MOST_NAMES = 10_000
"""Most names that are compared: a folder may hold any number."""
LONGEST_NAME = 255
"""Most characters of a name that are compared."""
LEAST_RATIO = 0.7
"""Least share of equal characters of two near names: `blnd` and `blind` have 0.89."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the one of known that name most likely means, or None if none is near."""
    near = get_close_matches(name[:LONGEST_NAME], list(islice(known, MOST_NAMES)), 1, LEAST_RATIO)
    return near[0] if near else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns the advice about an unknown name: a question about the nearest known one, if any."""
    near = nearest(name, known)
    return ": check its name" if near is None else f": did you mean {near!r}?"


def unreadable(path: Path, needed: str, error: Exception, endings: Sequence[str] = ()) -> str:
    """Returns the message about a file that cannot be read.

    `needed` says what it should be; where path is a folder, a file with one of endings is named.
    """
    if is_folder(path):
        one = file_in(path, endings)
        remedy = f", like {one}" if one else ""
        return f"{path}: needed {needed}, got a folder: name a file in it{remedy}"
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return f"{path}: needed {needed}, but {_absence(path)}"
    return f"{path}: needed {needed}, got {reason(error)}"


def file_in(folder: Path, endings: Sequence[str]) -> Path | None:
    """Returns the first file in a folder whose name has one of endings, or None."""
    names = [name for name in _names_in(folder) if name.endswith(tuple(endings))]
    return folder / min(names) if names else None


def no_folder(path: Path, needed: str) -> str:
    """Returns the message about a path that is no folder; `needed` says which folder it is."""
    found = "got a file" if path.exists() else f"but {_absence(path, 'folder')}"
    return f"{path}: needed {needed}, {found}"


def in_words(error: Exception) -> str:
    """Returns a command's text for an error; the operating system's go without their number."""
    if not isinstance(error, OSError) or not isinstance(error.filename, str | bytes):
        return str(error)
    path = Path(os.fsdecode(error.filename))
    if isinstance(error, FileNotFoundError):
        return f"{path}: {_absence(path)}"
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{path}: needed a folder, got a file there: choose another name"
    return f"{path}: {reason(error)}"


def reason(error: Exception) -> str:
    """Returns why something failed, without the name of the file."""
    if isinstance(error, UnicodeDecodeError):
        return f"bytes that are no {error.encoding}, from byte {error.start} on: is it a text file?"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[0].lower() + error.strerror[1:]
    return str(error)


def _absence(path: Path, kind: str = "file") -> str:
    """Returns the text about a missing path, with the nearest name that exists."""
    folder, name = path.parent, path.name
    while not is_folder(folder) and folder != folder.parent:
        folder, name = folder.parent, folder.name
    if folder != path.parent:
        return f"there is no folder {folder / name}{did_you_mean(name, _names_in(folder))}"
    return f"there is no such {kind}{did_you_mean(name, _names_in(folder))}"


def _names_in(folder: Path) -> list[str]:
    """Returns the names in a folder; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in islice(entries, MOST_NAMES)]
    except OSError:
        return []


def is_folder(path: Path) -> bool:
    """Returns whether there is a folder at path; False for an impossible name."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
