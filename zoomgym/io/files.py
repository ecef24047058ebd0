"""Opens regular files only, and replaces files as a whole, in folders that others can write to."""

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

LINKS_VARIABLE = "ZOOMGYM_LINKS"
"""Names folders, separated as in PATH, that links out of another folder may lead to."""

PART = ".part-"
"""Begins the name of a file that is being written."""
NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has neither, nor named pipes in folders
NO_WAIT = getattr(os, "O_NONBLOCK", 0)


def open_named(path: Path) -> BinaryIO:
    """Opens a file that the user names, for reading. Raises OSError for a pipe or a device, too."""
    return _open(path, "rb", NO_WAIT)


def read_named(path: Path, max_bytes: int) -> bytes:
    """Returns the content of a file that the user names.

    Raises OSError if it cannot be read or holds more than max_bytes, ValueError for a bad name.
    """
    with open_named(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"more than {max_bytes} bytes", str(path))
    return data


def open_own(path: Path, mode: str) -> BinaryIO:
    """Opens a file of ours in a folder that may come from a stranger; mode is binary.

    Raises OSError also for a pipe, a device, and a symbolic link, which may lead to others' files.
    """
    try:
        return _open(path, mode, NO_WAIT | NO_FOLLOW)
    except OSError as error:
        if error.errno == errno.ELOOP:
            what = "a symbolic link: put the file itself there"
            raise OSError(errno.ELOOP, what, str(path)) from error
        raise


def _open(path: Path, mode: str, more_flags: int) -> BinaryIO:
    """Opens a file if it is a regular one. Raises OSError."""

    def regular(name: str, flags: int) -> int:
        handle = os.open(name, flags | more_flags, 0o666)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(errno.EINVAL, "no regular file: name one", name)
        return handle

    return cast(BinaryIO, open(path, mode, opener=regular))


def is_inside(path: Path, folder: Path) -> bool:
    """Returns whether a file is in folder, once links are followed.

    Links may also lead to the folders in ZOOMGYM_LINKS, and to the blobs beside a snapshot in the
    cache of huggingface_hub. Raises OSError for links in a circle, ValueError for a bad name.
    """
    end, home = path.resolve(), folder.resolve()
    named = filter(None, os.environ.get(LINKS_VARIABLE, "").split(os.pathsep))
    homes = [home, *_blobs(home), *(Path(name).expanduser().resolve() for name in named)]
    return any(end.is_relative_to(one) for one in homes)


def _blobs(folder: Path) -> list[Path]:
    """Returns the folder with the blobs of the hub's snapshot that folder is in, if any."""
    for place in (folder, *folder.parents):
        if place.parent.name == "snapshots":
            return [place.parent.parent / "blobs"]
    return []


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields the path of a new file that then replaces path, as a whole or not at all.

    Several processes may do so at once: each writes a file of its own, and the last one stays.
    """
    part = path.with_name(f"{PART}{os.getpid()}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Yields a file that then replaces path, as a whole or not at all.

    Raises OSError also for a device, such as /dev/null, which root could replace for everybody.
    """
    if _is_device(path):
        raise OSError(errno.EINVAL, "a device: name a file", str(path))
    with whole_file(path) as part, open_own(part, "xb") as file:
        yield file


def _is_device(path: Path) -> bool:
    """Returns whether there is a device at path, and no link to one."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
