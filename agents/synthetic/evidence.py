"""Tells what evidence of a question has been seen."""

import math
from collections.abc import Sequence

from zoomgym.rules import Segment
from zoomgym.tasks import EVERY_FAMILY, FPS, family_of

EDGE = 1e-6
"""Frames that rounding may add."""
MOST_PICTURES = 1000
"""Most pictures that are told apart: all evidence of a synthetic task has some tens."""


def needs_every_frame(question: str) -> bool:
    """Returns whether a question needs every frame of its evidence."""
    family = family_of(question)
    return bool(family) and EVERY_FAMILY[family].needs_every_frame


def is_shown(question: str, segment: Segment, times_s: Sequence[float]) -> bool:
    """Returns whether frames at these times show a segment as closely as its question needs."""
    return not missing_parts(question, [segment], times_s)


def missing_parts(
    question: str, evidence: Sequence[Segment], times_s: Sequence[float]
) -> list[Segment]:
    """Returns the parts of the evidence that frames at these times do not show.

    A part is a single picture if the question needs them all (and there are at most MOST_PICTURES),
    or else a whole segment.
    """
    if not needs_every_frame(question) or sum(map(_num_pictures, evidence)) > MOST_PICTURES:
        return [segment for segment in evidence if not any(map(segment.holds, times_s))]
    return [
        Segment(segment.start_s + index / FPS, segment.start_s + (index + 1) / FPS)
        for segment in evidence
        for index in missing_frames(segment, times_s)
    ]


def missing_frames(segment: Segment, times_s: Sequence[float]) -> list[int]:
    """Returns which pictures of a synthetic segment frames at these times leave out."""
    seen = {math.floor((time_s - segment.start_s) * FPS + EDGE) for time_s in times_s}
    return [index for index in range(_num_pictures(segment)) if index not in seen]


def _num_pictures(segment: Segment) -> int:
    """Returns how many pictures a synthetic segment has."""
    return math.ceil((segment.end_s - segment.start_s) * FPS - EDGE)
