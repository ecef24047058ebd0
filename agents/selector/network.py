"""The network of a selector: how much each frame of a scan is worth showing."""

import re
from collections.abc import Sequence
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SIDE = 32
"""Pixels a side of the frames of a scan, whatever the video's shape."""
NUM_WORDS = 64
"""Numbers that a question becomes: how often words with such a hash occur."""
CHANNELS = 16
PATCH = 4
AROUND = 5
"""Frames of the scan that are judged together."""


class Selector(nn.Module):
    """Scores the frames of scans.

    A frame is seen as it is, and as it differs from the mean of its scan, so that a background does
    not have to be learned. The question is added to each frame before the first judgment. So any
    frame is judged alike, wherever it is and however many there are.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.look = nn.Sequential(
            nn.Conv2d(6, CHANNELS, PATCH, PATCH),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(CHANNELS * (SIDE // PATCH) ** 2, hidden),
        )
        self.ask = nn.Linear(NUM_WORDS, hidden, bias=False)
        self.around = nn.Conv1d(hidden, hidden, AROUND, padding=AROUND // 2)
        self.score = nn.Conv1d(hidden, 1, 1)
        with torch.no_grad():
            for parameter in self.score.parameters():
                parameter.zero_()  # the first draws are uniform

    def forward(self, images: Tensor, words: Tensor) -> Tensor:
        """Returns the scores of scans: (B, N).

        Args:
            images: (B, N, SIDE, SIDE, 3) uint8 RGB.
            words: (B, NUM_WORDS) of `count_words`.
        """
        batch, num_frames = images.shape[:2]
        levels = images.float() / 255 - 0.5
        levels = torch.cat([levels, levels - levels.mean(dim=1, keepdim=True)], dim=-1)
        seen = self.look(levels.flatten(0, 1).permute(0, 3, 1, 2)).unflatten(0, (batch, num_frames))
        asked = torch.relu(seen + self.ask(words)[:, None]).transpose(1, 2)
        scores: Tensor = self.score(torch.relu(self.around(asked)))
        return scores.squeeze(1)


def count_words(questions: Sequence[str]) -> NDArray[np.float32]:
    """Returns how often words of each hash occur in questions: (B, NUM_WORDS)."""
    counts = np.zeros((len(questions), NUM_WORDS), np.float32)
    for row, question in zip(counts, questions, strict=True):
        for word in re.findall(r"\w+", question.lower()):
            row[crc32(word.encode("utf-8", "surrogatepass")) % NUM_WORDS] += 1
    return counts
