"""The overview `learned:FOLDER`: the frames of a scan that a trained selector scores highest."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from agents.selector.network import SIDE, Selector, count_words
from agents.selector.settings import WEIGHTS, load_settings
from zoomgym.envs import ScannedVideo
from zoomgym.io import plain
from zoomgym.rules import MOST_SCANNED, overview_times

MAX_SHOWN = 200
"""Characters shown of an error of PyTorch."""
WRONG_WEIGHTS = (
    *(OSError, RuntimeError, TypeError, AttributeError, EOFError, ValueError),
    pickle.PickleError,
)
"""What PyTorch raises for files that hold no weights, or others."""


class LearnedPicker:
    """Shows the frames of a scan with the highest scores; of equal ones, earlier frames.

    Args:
        path: the folder that `python -m agents.selector train --out` made.

    Raises:
        ValueError: there is no selector.
    """

    def __init__(self, path: str) -> None:
        self.name = f"learned:{path}"
        folder = Path(path)
        settings = load_settings(folder)
        self._scan_fps = settings.scan_fps
        try:
            self._selector = Selector(settings.hidden).eval()
            weights = torch.load(folder / WEIGHTS, map_location="cpu", weights_only=True)
            self._selector.load_state_dict(weights)
        except WRONG_WEIGHTS as error:
            raise ValueError(
                f"{folder / WEIGHTS}: needed a selector's weights, got: "
                f"{plain(str(error)[:MAX_SHOWN])}: train it again"
            ) from error

    def __call__(
        self, video: ScannedVideo, question: str, num_frames: int, np_random: np.random.Generator
    ) -> Sequence[float]:
        """Picks the times. Raises VideoError if frames do not decode."""
        scanned_s = times_of_scan(video.last_frame_s, num_frames, self._scan_fps)
        if not scanned_s:
            return overview_times(video.last_frame_s, num_frames)
        scores = self.score(video.frames_at(scanned_s, (SIDE, SIDE)), question)
        best = np.argsort(-scores, kind="stable")[:num_frames]
        return tuple(scanned_s[place] for place in sorted(best.tolist()))

    def score(self, images: NDArray[np.uint8], question: str) -> NDArray[np.float32]:
        """Returns the scores of frames (N, SIDE, SIDE, 3): (N,)."""
        with one_thread(), torch.inference_mode():
            words = torch.from_numpy(count_words([question]))
            scores: NDArray[np.float32] = self._selector(torch.tensor(images)[None], words)[
                0
            ].numpy()
        return scores


def times_of_scan(last_frame_s: float, num_frames: int, scan_fps: float) -> tuple[float, ...]:
    """Returns the even times of a scan; none if it has no more than num_frames to pick from."""
    num_scanned = min(MOST_SCANNED, 1 + ceil(min(MOST_SCANNED, last_frame_s * scan_fps)))
    return overview_times(last_frame_s, num_scanned) if num_scanned > num_frames else ()


@contextmanager
def one_thread() -> Iterator[None]:
    """Has PyTorch compute on one thread, as its sums depend on their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
