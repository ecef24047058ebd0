"""Searches in the video of an episode for the tool `find`: how a scorer of the user is asked.

What a search looks at is counted, not charged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from zoomgym.envs.pickers import SCORED_PIXELS, ScannedVideo, Scorer, named_function, numbers_of
from zoomgym.errors import FinderError
from zoomgym.io import brief
from zoomgym.rules import MOST_FOUND, FindCall, Found, best_matches, search_times
from zoomgym.video import Video, native_size

Answers = Mapping[FindCall, Found]
"""What searches have found before: for replays, which search nothing."""


class Finder(Protocol):
    """Finds a text in a stretch of a video."""

    @property
    def name(self) -> str:
        """Name in records: with the same name, episodes count as played alike."""

    def __call__(self, video: ScannedVideo, call: FindCall, /) -> Sequence[float]:
        """Returns the times that match best, in seconds, the best first: at most MOST_FOUND.

        Raises:
            VideoError: frames do not decode.
        """


def search(finder: Finder, video: Video, call: FindCall) -> Found:
    """Returns what a finder finds.

    Raises:
        FinderError: what it returns are no such times.
        VideoError: frames do not decode.
    """
    scanned = ScannedVideo(video)
    try:
        found = finder(scanned, call)
    except Exception as error:
        error.add_note(f"raised while {finder.name} searched for {call.text!r}")
        raise
    what = f"at most {MOST_FOUND} times in seconds from {call.start_s:g} to {call.end_s:g}"
    times_s = numbers_of(found, finder.name, what, FinderError)
    if len(times_s) > MOST_FOUND:
        raise FinderError(f"{finder.name} needs to return {what}, got {len(times_s)}")
    for time_s in times_s.tolist():
        if not call.start_s <= time_s < call.end_s:
            raise FinderError(f"{finder.name} needs to return {what}, got {time_s:g} among them")
    return Found(tuple(times_s.tolist()), scanned.frames_scanned)


def find_finder(finder: str | Finder | None) -> tuple[str, Finder | None]:
    """Returns the name of a finder and the finder; none for None. Raises ValueError."""
    if finder is None:
        return "", None
    if isinstance(finder, str):
        return finder, Best(finder, named_function("finder", finder, finder, "score"))
    name = getattr(finder, "name", None)
    if not isinstance(name, str) or not callable(finder):
        raise ValueError(
            f"finder needs module:function or a finder with a name, got {brief(finder)}"
        )
    return name, finder


@dataclass(frozen=True, slots=True)
class Best:
    """Finds the frames that a scorer of the user finds best for the text, see `best_matches`."""

    name: str
    score: Scorer

    def __call__(self, video: ScannedVideo, call: FindCall) -> Sequence[float]:
        """Searches. Raises FinderError if the scores are none."""
        searched_s = search_times(call)
        images = video.frames_at(searched_s, native_size(video.size, SCORED_PIXELS))
        what = f"{len(images)} scores, finite or minus infinity, one for each frame"
        scores = numbers_of(self.score(images, call.text), self.name, what, FinderError)
        if len(scores) != len(images):
            raise FinderError(f"{self.name} needs to return {what}, got {len(scores)}")
        if (bad := scores[np.isnan(scores) | (scores == np.inf)]).size:
            raise FinderError(f"{self.name} needs to return {what}, got {bad[0]} among them")
        return best_matches(call, searched_s, scores)


@dataclass(frozen=True, slots=True)
class KnownFinder:
    """The finder of a record, whose answers are known: it searches and imports nothing."""

    name: str

    def __call__(self, video: ScannedVideo, call: FindCall) -> Sequence[float]:
        """Refuses. Raises FinderError."""
        raise FinderError(
            f"{self.name} is the finder of a record, and its code is not run: needed a search "
            "that the record holds, got another"
        )
