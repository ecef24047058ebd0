"""What an episode looks like to a learner that takes numbers: choices, and one picture.

`Form` is made out of an `Observation`, so that a policy plays wherever an agent does.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from zoomgym.agent import Frames, Observation
from zoomgym.grading import letter, read_choice
from zoomgym.io import brief, is_whole_number
from zoomgym.rules import MAX_OPTIONS, Answer, Rules, ZoomCall, write_reply
from zoomgym.video import letterbox

COLUMNS = 8
"""Columns of the montage."""
EMPTY = -1.0
"""The time of a cell without a frame."""
MAX_BINS, MAX_CELL_PX = 1024, 256
LETTERS = tuple(map(letter, range(MAX_OPTIONS)))
"""The answers where there is no vocabulary."""


@dataclass(frozen=True, slots=True)
class GridZoom:
    """A zoom into bins of a time grid."""

    first_bin: int
    end_bin: int
    frames_per_bin: int

    @property
    def num_bins(self) -> int:
        """How many bins it covers."""
        return self.end_bin - self.first_bin

    @property
    def num_frames(self) -> int:
        """How many frames it shows."""
        return self.frames_per_bin * self.num_bins


@dataclass(frozen=True)
class Form:
    """What an episode looks like to a learner that takes numbers.

    Raises:
        ValueError: a number leaves no zoom or no picture, or the answers are not distinct.
    """

    rules: Rules
    answers: tuple[str, ...]
    """What can be answered: options' own texts, or letters."""
    num_bins: int = 16
    """Parts of the video, equally long, that zooms begin and end with."""
    rates: tuple[int, ...] = (4, 8, 16)
    """Frames a bin."""
    cell_px: int = 12
    """Side of a frame in the montage."""

    def __post_init__(self) -> None:
        """Refuses what no learner could use."""
        check_count("num_bins", self.num_bins, MAX_BINS)
        check_count("cell_px", self.cell_px, MAX_CELL_PX)
        most = self.rules.frames_per_zoom
        if not all(is_whole_number(rate, 1, most) for rate in self.rates):
            raise ValueError(
                f"rates need whole numbers of frames a bin, from 1 to {most}, "
                f"got {brief(self.rates)}"
            )
        if not all(isinstance(name, str) and name.strip() for name in self.answers):
            raise ValueError(f"answers need texts, got {brief(self.answers)}")
        for name in ("rates", "answers"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name} need to be one or more that differ, got {brief(values)}")

    # Choices -------------------------------------------------------------------------------------

    @cached_property
    def zooms(self) -> tuple[GridZoom, ...]:
        """Every zoom on the grid that shows no more frames than the rules allow, in order."""
        most = self.rules.frames_per_zoom
        return tuple(
            GridZoom(first, first + length, rate)
            for rate in self.rates
            for length in range(1, min(most // rate, self.num_bins) + 1)
            for first in range(self.num_bins - length + 1)
        )

    @cached_property
    def kinds(self) -> tuple[tuple[int, int], ...]:
        """Every (frames a bin, length in bins) of the zooms: each kind has all its starts."""
        return tuple(dict.fromkeys((zoom.frames_per_bin, zoom.num_bins) for zoom in self.zooms))

    @property
    def num_choices(self) -> int:
        """All zooms, and then all answers."""
        return len(self.zooms) + len(self.answers)

    def masks(self, observation: Observation) -> NDArray[np.bool_]:
        """Returns, for every choice, whether the rules would execute it: (num_choices,) bool."""
        may_zoom = observation.turns_left > 1
        affordable = self._num_frames <= (observation.frames_left if may_zoom else 0)
        return np.concatenate([affordable, self.offered(observation)])

    def offered(self, observation: Observation) -> NDArray[np.bool_]:
        """Returns which answers are options: (answers,) bool, read-only. All, if none is one."""
        return _offered(self.answers, observation.options)

    def reply(self, choice: int, observation: Observation) -> str:
        """Returns the reply that says a choice; an answer that is no option is said as it is.

        Raises:
            ValueError: there is no such choice.
        """
        if not 0 <= choice < self.num_choices:
            raise ValueError(f"choice needs to be 0 to {self.num_choices - 1}, got {choice}")
        grammar = observation.rules.grammar
        if choice >= len(self.zooms):
            index = choice - len(self.zooms)
            place = places_of(self.answers, observation.options)[index]
            said = self.answers[index] if place is None else letter(place)
            return write_reply(Answer(said), grammar)
        zoom, bin_s = self.zooms[choice], observation.duration_s / self.num_bins
        segment_s = (zoom.first_bin * bin_s, zoom.end_bin * bin_s)
        return write_reply(ZoomCall(*segment_s, zoom.frames_per_bin / bin_s), grammar)

    @cached_property
    def _num_frames(self) -> NDArray[np.int64]:
        """How many frames each zoom shows."""
        return np.array([zoom.num_frames for zoom in self.zooms], np.int64)

    # What is seen --------------------------------------------------------------------------------

    @property
    def num_rows(self) -> tuple[int, int]:
        """Rows of the montage: of the overview, and below of the clips."""
        counts = max(1, self.rules.overview_sizes[-1]), self.rules.max_clip_frames
        return -(-counts[0] // COLUMNS), -(-counts[1] // COLUMNS)

    @property
    def space(self) -> spaces.Dict:
        """The space of what is seen."""
        num_rows, num_answers = sum(self.num_rows), len(self.answers)
        height, width = num_rows * self.cell_px, COLUMNS * self.cell_px
        return spaces.Dict(
            {
                "image": spaces.Box(0, 255, (height, width, 3), np.uint8),
                "times": spaces.Box(EMPTY, 1, (num_rows * COLUMNS,), np.float32),
                "offered": spaces.Box(0, 1, (num_answers,), np.float32),
                "asked": spaces.Box(0, 1, (num_answers,), np.float32),
                "left": spaces.Box(0, 1, (2,), np.float32),
            }
        )

    def see(self, observation: Observation) -> dict[str, NDArray[Any]]:
        """Returns what a learner sees of an observation, in `space`."""
        cell = (self.cell_px, self.cell_px)
        overview = letterbox(observation.overview.images, cell)
        clips = [letterbox(clip.images, cell) for clip in observation.clips]
        return self.fill(observation, overview, np.concatenate([overview[:0], *clips]))

    def fill(
        self, observation: Observation, overview: NDArray[np.uint8], clip: NDArray[np.uint8]
    ) -> dict[str, NDArray[Any]]:
        """Returns what a learner sees, of frames that are small already.

        Args:
            observation: where everything else is taken from.
            overview: (N, cell_px, cell_px, 3) uint8 RGB, the frames of the overview.
            clip: (K, cell_px, cell_px, 3) uint8 RGB, all clip frames so far.
        """
        seen = self.fill_all([observation], [(overview, clip)])
        return {name: values[0] for name, values in self.with_image(seen).items()}

    def fill_all(
        self,
        observations: Sequence[Observation],
        frames: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]],
    ) -> dict[str, NDArray[Any]]:
        """Returns what `fill` returns for each of B observations, as one batch.

        The picture is still in its parts, `cells`: (B, N, cell_px, cell_px, 3) uint8.
        """
        num_overview, num_clip = (COLUMNS * rows for rows in self.num_rows)
        shape = len(observations), num_overview + num_clip
        cells = np.zeros((*shape, self.cell_px, self.cell_px, 3), np.uint8)
        times = np.full(shape, EMPTY, np.float32)
        for row, (observation, (overview, clip)) in enumerate(
            zip(observations, frames, strict=True)
        ):
            for first, images, shown in (
                (0, overview, (observation.overview,)),
                (num_overview, clip, observation.clips),
            ):
                cells[row, first : first + len(images)] = images
                shares = _times_s(shown) / observation.duration_s
                times[row, first : first + len(images)] = shares
        most = self.rules.frame_budget, self.rules.max_turns
        left = [(seen.frames_left, seen.turns_left) for seen in observations]
        asked = [_asked(self.answers, seen.question) for seen in observations]
        return {
            "cells": cells,
            "times": times,
            "offered": np.array([self.offered(seen) for seen in observations], np.float32),
            "asked": np.array(asked, np.float32),
            "left": (np.array(left) / most).astype(np.float32),
        }

    def with_image(self, seen: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Returns a batch of `fill_all` in `space`: with `image` in the place of `cells`."""
        others = {name: values for name, values in seen.items() if name != "cells"}
        return {"image": _montage(seen["cells"]), **others}


def check_count(name: str, value: object, most: int) -> None:
    """Refuses what is no whole number from 1 to most."""
    if not is_whole_number(value, 1, most):
        raise ValueError(f"{name} needs a whole number from 1 to {most}, got {brief(value)}")


@lru_cache(maxsize=1024)
def places_of(answers: tuple[str, ...], options: tuple[str, ...]) -> tuple[int | None, ...]:
    """Returns which option each answer names, None if it names none."""
    return tuple(read_choice(name, options) for name in answers)


@lru_cache(maxsize=1024)
def _offered(answers: tuple[str, ...], options: tuple[str, ...]) -> NDArray[np.bool_]:
    """Returns which answers name an option, or that all may be given if none does."""
    are_options = np.array([place is not None for place in places_of(answers, options)])
    offered = are_options if are_options.any() else np.ones(len(answers), np.bool_)
    offered.flags.writeable = False
    return offered


@lru_cache(maxsize=1024)
def _asked(answers: tuple[str, ...], question: str) -> tuple[bool, ...]:
    """Returns which answers occur in a question, as a word."""
    return tuple(
        re.search(rf"(?<!\w){re.escape(name)}(?!\w)", question) is not None for name in answers
    )


def _times_s(shown: Sequence[Frames]) -> NDArray[np.float64]:
    """Returns the times of all frames, one after the other."""
    return np.array([time_s for frames in shown for time_s in frames.times_s], np.float64)


def _montage(cells: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns cells (B, N, side, side, 3) as B pictures, row by row: (B, H, W, 3) uint8."""
    batch, _, side, _, _ = cells.shape
    grid = cells.reshape(batch, -1, COLUMNS, side, side, 3).swapaxes(2, 3)
    return np.ascontiguousarray(grid).reshape(batch, -1, COLUMNS * side, 3)
