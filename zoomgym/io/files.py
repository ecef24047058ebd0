"""Files in folders that others can write to: plain ones are opened, replaced ones appear whole."""

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
    """Opens a file that the user names, to be read.

    Raises:
        OSError: there is none; or it is a pipe or a device, which may never end.
    """
    return _open(path, "rb", NO_WAIT)


def read_named(path: Path, max_bytes: int) -> bytes:
    """Returns what a file holds that the user names.

    Raises:
        OSError: there is none; it is a pipe or a device; or it holds more than max_bytes.
        ValueError: no file can be called so.
    """
    with open_named(path) as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise OSError(errno.EFBIG, f"more than {max_bytes} bytes", str(path))
    return data


def open_own(path: Path, mode: str) -> BinaryIO:
    """Opens a file of ours, to be read or written, in a folder that may come from a stranger.

    Args:
        path: of the file.
        mode: as for `open`, binary.

    Raises:
        OSError: it cannot be opened; or it is a symbolic link, which may lead to another's file;
            or a pipe or a device.
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
    """Returns whether a file is in folder, wherever links lead.

    Links may also lead to the blobs beside a snapshot in the cache of huggingface_hub, where its
    files are kept, and to the folders named by ZOOMGYM_LINKS.

    Raises:
        OSError: links lead in a circle.
        ValueError: no file can be called so.
    """
    end, home = path.resolve(), folder.resolve()
    named = filter(None, os.environ.get(LINKS_VARIABLE, "").split(os.pathsep))
    homes = [home, *_blobs(home), *(Path(name).expanduser().resolve() for name in named)]
    return any(end.is_relative_to(one) for one in homes)


def _blobs(folder: Path) -> list[Path]:
    """Returns the folder of blobs of the snapshot in a hub's cache that folder is in, if any."""
    for place in (folder, *folder.parents):
        if place.parent.name == "snapshots":
            return [place.parent.parent / "blobs"]
    return []


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yields where to write what then takes the place of path, as a whole or not at all.

    Several processes may do so at once: each writes a file of its own, and the last one stays.

    Raises:
        OSError: path cannot be replaced.
    """
    part = path.with_name(f"{PART}{os.getpid()}-{uuid.uuid4().hex}{path.suffix}")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def replaced(path: Path) -> Iterator[BinaryIO]:
    """Yields a file to write what takes the place of path, as a whole or not at all.

    Raises:
        OSError: it cannot be written; or path is a device, such as /dev/null, which root could
            replace for everybody.
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
