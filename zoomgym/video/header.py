"""Reads how long a file claims to be, from its headers alone: no frame is decoded for it."""

from pathlib import Path

from zoomgym.video.container import naming
from zoomgym.video.identity import FileKey, identify
from zoomgym.video.limits import Limits
from zoomgym.video.memo import Memo, after_fork
from zoomgym.video.pool import POOL

CLAIMS: Memo[tuple[FileKey, Limits], float] = Memo(20_000, lambda claimed_s: 1)
"""What the files that this process has opened claim."""
after_fork(CLAIMS.reset_in_child)


def claimed_duration_s(path: Path, limits: Limits = Limits()) -> float:
    """Returns the seconds that the headers of a video file claim; 0 if they say nothing.

    The file may end earlier. Raises VideoError if it is no video, or over the limits.
    """
    key = identify(path)
    return CLAIMS.get((key, limits), lambda: _claimed_s(key, limits))


def _claimed_s(key: FileKey, limits: Limits) -> float:
    """Opens a file and returns the seconds that it claims. Raises VideoError."""
    with POOL.lent(key, limits) as session, naming(key.path, "open it"):
        return float(max(0, session.opened.claimed_ticks) * session.opened.time_base)
