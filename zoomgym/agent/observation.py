"""Observations: the question of an episode, and the frames that its agent has paid for."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from zoomgym.rules import Box, Episode, Rules, Segment, Turn
from zoomgym.video import Video, cropped, native_size

KEY_DIGITS = 20
KEY_ROWS = 8
"""Rows of each overview frame that enter a key: all of them take 30 times as long."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Frames:
    """Frames that were shown together: an overview, a clip, or a part of one frame."""

    times_s: tuple[float, ...]
    images: NDArray[np.uint8]
    """(N, H, W, 3) uint8 RGB, read-only."""


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """Everything an agent may know, at the video's own aspect and resolution."""

    episode_key: str
    """Names the episode and tells nothing else (see `episode_key`)."""
    question: str
    options: tuple[str, ...]
    rules: Rules
    duration_s: float
    overview: Frames
    clips: tuple[Frames, ...]
    """Frames of every turn that showed some (see `Turn.shown`), in order."""
    turns: tuple[Turn, ...]
    feedback: str
    frames_left: int
    turns_left: int
    evidence: tuple[Segment, ...] = ()
    """Evidence of the task; empty unless the agent declares itself privileged."""


def look(video: Video, times_s: Sequence[float], max_pixels: int, box: Box | None = None) -> Frames:
    """Returns the frames of video at times_s, each shrunk to max_pixels. Raises VideoError.

    With a box, they are parts of them, cut from pictures at the size of the video.
    """
    if box is None:
        images = video.frames_at(times_s, native_size(video.size, max_pixels))
    else:
        whole = video.frames_at(times_s, video.size)
        images = np.stack([cropped(picture, box, max_pixels) for picture in whole])
    images.flags.writeable = False
    return Frames(tuple(times_s), images)


def episode_key(
    draw: int, question: str, options: Sequence[str], duration_s: float, overview: Frames
) -> str:
    """Returns a name for the episode, made of what the agent is shown and a random draw.

    Nothing else enters it: from an id, even a hashed one, an agent could look its task up.
    """
    images = overview.images
    step = max(1, images.shape[1] // KEY_ROWS)
    texts = json.dumps([draw, question, list(options), float(duration_s), images.shape])
    digest = hashlib.sha256(texts.encode())
    digest.update(images[:, step // 2 :: step].tobytes())
    return digest.hexdigest()[:KEY_DIGITS]


def keyed(episode: Episode, draw: int, overview: Frames) -> Episode:
    """Returns an episode with the name that `episode_key` makes of it."""
    task, duration_s = episode.task, episode.duration_s
    key = episode_key(draw, task.question, task.options, duration_s, overview)
    return replace(episode, key=key)


def observe(episode: Episode, overview: Frames, clips: Sequence[Frames]) -> Observation:
    """Returns what the agent sees of an episode, given the frames it has paid for."""
    return Observation(
        episode_key=episode.key,
        question=episode.task.question,
        options=episode.task.options,
        rules=episode.rules,
        duration_s=episode.duration_s,
        overview=overview,
        clips=tuple(clips),
        turns=episode.turns,
        feedback=episode.feedback,
        frames_left=episode.budget.left,
        turns_left=episode.turns_left,
    )
