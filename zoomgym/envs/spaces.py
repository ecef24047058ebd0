"""The Gymnasium spaces of the environment, how an observation fills them, and the info beside."""

import copy
import ctypes
import string
from functools import lru_cache
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import (
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)
from numpy.typing import NDArray

from zoomgym.envs.viewing import MAX_DURATION_S
from zoomgym.errors import VideoError
from zoomgym.grading import letter
from zoomgym.io import transliterated
from zoomgym.rules import (
    CROP,
    FIND,
    MAX_OPTIONS,
    MAX_REPLY_CHARS,
    ONLY_ZOOM,
    TRANSCRIPT,
    UNIFORM,
    ZOOM,
    Answer,
    CropCall,
    Episode,
    FindCall,
    RewardParts,
    Rules,
    TranscriptCall,
    ZoomCall,
    grammar_of,
    write_reply,
)

MAX_SHOWN_BYTES = 4 * 1024**3
"""Most bytes of frames in an observation; the bounds of their spaces take twice as much."""
MAX_QUESTION_CHARS = 4096
MAX_FEEDBACK_CHARS = 1024
MAX_TOLD_CHARS = 4096
"""Most characters of feedback where a tool tells what is said."""
CHARACTERS = string.ascii_letters + string.digits + string.punctuation + " \n\t"
"""Printable ASCII: a space of all of Unicode pickles to 2.2 MB."""
SIMILAR = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014\u2212\u00d7", "''\"\"---x")
"""Typographic signs that have a plain form."""
SAMPLED_TEXT = "a person"
"""Text that samples of a ReplySpace search for."""
ANSWER_SHARE = 0.3
"""Share of answers among the samples of a ReplySpace."""


class ReplySpace(spaces.Text):
    """Replies, as text. `sample` draws well-formed calls and answers; anything may be sent.

    Attributes:
        horizon_s: samples zoom within [0, horizon_s); follows the video at every reset.
        num_options: samples answer with one of so many letters; follows the task.
    """

    def __init__(self, rules: Rules, horizon_s: float, num_options: int = 4) -> None:
        super().__init__(max_length=MAX_REPLY_CHARS, min_length=0, charset=CHARACTERS)
        self.horizon_s = horizon_s
        self.num_options = num_options
        self._rules = rules

    def __deepcopy__(self, memo: Any) -> "ReplySpace":
        """Returns a space with its own random numbers; the tables of characters are shared."""
        twin = copy.copy(self)
        twin._np_random = copy.deepcopy(self._np_random, memo)
        return twin

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Returns a random reply; with a mask or a probability, random characters as in `Text`."""
        if mask is not None or probability is not None:
            return super().sample(mask=mask, probability=probability)
        rng = self.np_random
        if rng.random() < ANSWER_SHARE:
            choice = Answer(letter(int(rng.integers(max(2, min(self.num_options, MAX_OPTIONS))))))
            return write_reply(choice, self._rules.grammar)
        if samples := grammar_of(self._rules.grammar).samples:
            return str(rng.choice(samples))
        start_s, end_s = np.sort(rng.uniform(0, self.horizon_s, 2)).round(3).tolist()
        end_s = max(end_s, start_s + 0.001)
        tool = ZOOM if self._rules.tools == ONLY_ZOOM else rng.choice(self._rules.tools)
        if tool == TRANSCRIPT:
            return write_reply(TranscriptCall(start_s, end_s), self._rules.grammar)
        if tool == FIND:
            return write_reply(FindCall(SAMPLED_TEXT, start_s, end_s), self._rules.grammar)
        if tool == CROP:
            (left, right), (top, bottom) = np.sort(rng.uniform(0, 0.999, (2, 2))).round(3).tolist()
            crop = CropCall(left, top, max(right, left + 0.001), max(bottom, top + 0.001), start_s)
            return write_reply(crop, self._rules.grammar)
        num_frames = int(rng.integers(1, self._rules.frames_per_zoom + 1))
        call = ZoomCall(start_s, end_s, num_frames / (end_s - start_s))
        return write_reply(call, self._rules.grammar)


class ShownText(spaces.Text):
    """Texts in observations, which are right in every vector mode.

    Source: `AsyncVectorEnv` of Gymnasium 1.4 reads a `Text` in shared memory once, when it is made,
    and returns that reading from then on. Arrays stay views of the memory, so this text is one.
    """


class SharedTexts(np.ndarray[Any, Any]):
    """(N,) str, a view of the shared memory of N environments; a copy is a tuple of plain texts."""

    def __deepcopy__(self, memo: Any) -> Any:
        """Returns the texts as they are now, of the type that the other vector modes return."""
        return tuple(self.tolist())


@create_shared_memory.register
def _share_texts(space: ShownText, n: int = 1, ctx: Any = None) -> Any:
    """Returns shared memory for n texts, four bytes a character."""
    return ctx.Array(ctypes.c_uint32, n * space.max_length)


@read_from_shared_memory.register
def _read_texts(space: ShownText, shared_memory: Any, n: int = 1) -> SharedTexts:
    """Returns a view of the texts of n environments."""
    texts = np.frombuffer(shared_memory.get_obj(), f"U{space.max_length}", n)
    return texts.view(SharedTexts)


@write_to_shared_memory.register
def _write_text(space: ShownText, index: int, value: str, shared_memory: Any) -> None:
    """Writes the text of the environment at index; NumPy fills it up with zeros."""
    np.frombuffer(shared_memory.get_obj(), f"U{space.max_length}")[index] = value


def observation_space(rules: Rules, frame_size: tuple[int, int]) -> spaces.Dict:
    """Returns the space of the Dict observation; frames are frame_size (H, W).

    Raises:
        ValueError: the frames of an observation would not fit into memory.
    """
    num_overview, num_clip = max(1, rules.overview_sizes[-1]), max(1, rules.max_clip_frames)
    num_bytes = (num_overview + num_clip) * frame_size[0] * frame_size[1] * 3
    if num_bytes > MAX_SHOWN_BYTES:
        raise ValueError(
            f"an observation needs at most {MAX_SHOWN_BYTES} bytes of frames, got {num_bytes}: "
            "lower frame_size, num_overview or frame_budget"
        )

    def images(count: int) -> spaces.Box:
        return spaces.Box(0, 255, (count, *frame_size, 3), np.uint8)

    def times(low: float, count: int) -> spaces.Box:
        return spaces.Box(low, MAX_DURATION_S, (count,), np.float64)

    return spaces.Dict(
        {
            "overview": images(num_overview),
            "overview_t": times(0 if rules.overview_sizes[0] == num_overview else -1, num_overview),
            "clip": images(num_clip),
            "clip_t": times(-1, num_clip),
            "clip_call": spaces.Box(-1, rules.max_turns, (num_clip,), np.int8),
            "duration": times(0, 1),
            "question": ShownText(MAX_QUESTION_CHARS, min_length=0, charset=CHARACTERS),
            "feedback": ShownText(_most_feedback(rules), min_length=0, charset=CHARACTERS),
            "frames_left": spaces.Discrete(rules.frame_budget + 1),
            "turns_left": spaces.Discrete(rules.max_turns + 1),
        }
    )


def to_dict(
    episode: Episode, overview: NDArray[np.uint8], clip: NDArray[np.uint8]
) -> dict[str, Any]:
    """Returns the Dict observation, all of it fresh copies.

    Args:
        episode: that is played.
        overview: (N, H, W, 3) uint8, its frames at the size of the space.
        clip: (K, H, W, 3) uint8, all clip frames so far at the size of the space.
    """
    rules = episode.rules
    num_overview, num_clip = max(1, rules.overview_sizes[-1]), max(1, rules.max_clip_frames)
    calls = [number for number, call in enumerate(episode.shown) for _ in range(call.num_frames)]
    return {
        "overview": _pad(overview, num_overview, 0),
        "overview_t": _pad(np.array(episode.overview_s, np.float64), num_overview, -1),
        "clip": _pad(clip, num_clip, 0),
        "clip_t": _pad(np.array(episode.clip_s, np.float64), num_clip, -1),
        "clip_call": _pad(np.array(calls, np.int8), num_clip, -1),
        "duration": np.array([episode.duration_s], np.float64),
        "question": _question(episode.task.question, episode.task.options),
        "feedback": _shown(episode.feedback, _most_feedback(episode.rules)),
        "frames_left": np.int64(episode.budget.left),
        "turns_left": np.int64(episode.turns_left),
    }


def end_reason(episode: Episode, video_error: VideoError | None) -> str:
    """Returns why an episode is over; empty while it is not."""
    return "video_error" if video_error else episode.end_reason


def to_info(
    episode: Episode,
    parts: RewardParts,
    video_error: VideoError | None,
    videos_skipped: int,
    frames_damaged: int,
) -> dict[str, Any]:
    """Returns the info: only scalars and texts, always the same keys.

    Args:
        episode: that is played.
        parts: its reward terms.
        video_error: what ended it, if that was its video.
        videos_skipped: since the reset.
        frames_damaged: of its video, shown so far.
    """
    refusal = episode.turns[-1].error if episode.turns else ""
    over = end_reason(episode, video_error)
    return {
        "task_id": episode.task.id,
        "video_id": episode.task.video,
        "category": episode.task.category,
        "error": str(video_error) if video_error else refusal,
        "end_reason": over,
        "turns_used": len(episode.turns),
        "zooms": len(episode.zooms),
        "frames_used": episode.frames_used,
        **{f"reward_{name}": value for name, value in parts.by_name().items()},
        "is_success": bool(parts.accuracy),
        "videos_skipped": videos_skipped,
        "frames_damaged": frames_damaged,
        **({"frames_scanned": episode.all_scanned} if _scans(episode.rules) else {}),
        "answer": episode.answer or "",
        "truth": episode.task.truth if over else "",
    }


def _scans(rules: Rules) -> bool:
    """Returns whether frames may be looked at that are not shown."""
    return rules.overview != UNIFORM or FIND in rules.tools


def _most_feedback(rules: Rules) -> int:
    """Returns the most characters of feedback."""
    return MAX_TOLD_CHARS if TRANSCRIPT in rules.tools else MAX_FEEDBACK_CHARS


def _pad(values: NDArray[Any], count: int, empty: int) -> NDArray[Any]:
    """Returns a copy of values (K, ..) as (count, ..), filled up with empty."""
    if len(values) == count:
        return values.copy()
    shape = (count, *values.shape[1:])
    padded = np.full(shape, empty, values.dtype) if empty else np.zeros(shape, values.dtype)
    padded[: len(values)] = values
    return padded


@lru_cache(maxsize=64)
def _question(question: str, options: tuple[str, ...]) -> str:
    """Returns the question with its lettered options, one a line; a long question is cut first."""
    lettered = [f"\n{letter(index)}. {option}" for index, option in enumerate(options)]
    asked = _shown("".join(lettered), MAX_QUESTION_CHARS)
    return _shown(question, MAX_QUESTION_CHARS - len(asked)) + asked


def _shown(text: str, max_chars: int) -> str:
    """Returns text in the characters of the spaces, cut to max_chars; what has none becomes `?`."""
    return transliterated(text[:max_chars], CHARACTERS, SIMILAR)[:max_chars]
