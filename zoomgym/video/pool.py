"""Keeps some files open between calls, shared by the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

from zoomgym.video.container import OpenFile, naming
from zoomgym.video.decode import Decoder
from zoomgym.video.identity import FileKey
from zoomgym.video.limits import Limits, ProcessorTime
from zoomgym.video.memo import after_fork
from zoomgym.video.scale import Scaler

MAX_OPEN = 8  # an hour of mp4 holds about 14 MB


@dataclass(frozen=True, slots=True, eq=False)
class OpenVideo:
    """An open file with its decoder and scaler, for one thread at a time."""

    key: FileKey
    limits: Limits
    opened: OpenFile
    decoder: Decoder
    scaler: Scaler

    def close(self) -> None:
        """Closes the file."""
        self.opened.close()


class Pool:
    """Lends open files to one thread at a time and keeps at most max_open for the next.

    The file used longest ago is closed first.
    """

    def __init__(self, max_open: int = MAX_OPEN) -> None:
        self._max_open = max_open
        self._idle: list[OpenVideo] = []  # used longest ago first
        self._num_lent = 0
        self._lock = Lock()

    @property
    def num_open(self) -> int:
        """Files that are open now, lent or idle."""
        return len(self._idle) + self._num_lent

    @contextmanager
    def lent(
        self, key: FileKey, limits: Limits, call: ProcessorTime | None = None
    ) -> Iterator[OpenVideo]:
        """Lends a session of the file, as a part of call. One that met an error is closed after.

        Raises VideoError if the file cannot be opened.
        """
        is_sound = False
        call = call or ProcessorTime()
        session = self._take(key, limits)
        try:
            if session is None:
                with call.counting():
                    session = _open(key, limits)
            session.opened.deadline.restart(call)
            yield session
            is_sound = True
        finally:
            self._take_back(session, is_sound)

    def close_idle(self) -> None:
        """Closes every file that is not lent now."""
        with self._lock:
            surplus, self._idle = self._idle, []
        _close(surplus)

    def reset_in_child(self) -> None:
        """Gives up, in a forked child, the files of its parent: their positions are shared.

        Freeing idle ones closes the child's descriptors; threads with lent ones do not exist here.
        """
        self._lock = Lock()
        self._idle, self._num_lent = [], 0

    def _take(self, key: FileKey, limits: Limits) -> OpenVideo | None:
        """Returns an idle session of the file, or None and room for a new one."""
        with self._lock:
            self._num_lent += 1
            for index, session in enumerate(self._idle):
                if (session.key, session.limits) == (key, limits):
                    return self._idle.pop(index)
            replaced = [s for s in self._idle if s.key.path == key.path and s.key != key]
            self._idle = [session for session in self._idle if session not in replaced]
            surplus = replaced + self._over_bound()
        _close(surplus)
        return None

    def _take_back(self, session: OpenVideo | None, is_sound: bool) -> None:
        """Keeps a session for the next, or closes it."""
        with self._lock:
            self._num_lent -= 1
            if session is not None and is_sound and self.num_open < self._max_open:
                self._idle.append(session)
                return
        if session is not None:
            session.close()

    def _over_bound(self) -> list[OpenVideo]:
        """Takes out the idle sessions that have to go. Needs the lock."""
        num_over = max(0, min(len(self._idle), self.num_open - self._max_open))
        surplus, self._idle = self._idle[:num_over], self._idle[num_over:]
        return surplus


def _open(key: FileKey, limits: Limits) -> OpenVideo:
    """Opens a file."""
    opened = OpenFile(key.path, limits)
    try:
        with naming(key.path, "open it"):
            return OpenVideo(key, limits, opened, Decoder(opened), Scaler())
    except BaseException:
        opened.close()
        raise


def _close(sessions: list[OpenVideo]) -> None:
    """Closes sessions that the pool has given up."""
    for session in sessions:
        session.close()


POOL = Pool()
after_fork(POOL.reset_in_child)
