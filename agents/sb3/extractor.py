"""What a policy makes of an observation of ZoomEnvDiscrete: one token a frame, then four pools."""

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import Tensor, nn

from zoomgym.discrete import COLUMNS

__all__ = ["CellExtractor"]

GREY = 0.4
"""What pixels are centred on: the brightness of an ordinary frame."""
WHERE_CHANNELS = 4
"""Of a token, for where in the overview something is."""
NEVER = 2.0
"""A time after the end, where no frame is."""


class CellExtractor(BaseFeaturesExtractor):
    """Reads a montage frame by frame.

    A convolution as large as a cell makes a token of every frame; SB3's own network, whose filters
    straddle the cells, learns nothing here. Where something is in the overview matters, so its
    tokens are kept apart. What clips show matters wherever it stands, so their tokens are pooled
    over time in four ways: what was shown, what came first, how much of it, what followed what.

    Args:
        space: of the observations, the picture with its channels first.
        overview_rows: rows of the montage that show the overview.
        num_channels: of a token.
        where_dim: features of where something is.

    Raises:
        ValueError: the rules leave no room for a zoom.
    """

    def __init__(
        self,
        space: spaces.Dict,
        overview_rows: int,
        num_channels: int = 32,
        where_dim: int = 64,
    ) -> None:
        image, times = space["image"], space["times"]
        assert image.shape is not None
        assert times.shape is not None
        _, height, width = image.shape
        side, num_cells = width // COLUMNS, times.shape[0]
        if height // side <= overview_rows:
            raise ValueError("a policy needs rules with room for a zoom: raise max_turns")
        vectors = sum(spaces.flatdim(space[name]) for name in ("offered", "asked", "left"))
        super().__init__(space, where_dim + 4 * num_channels + vectors)
        self._num_overview = overview_rows * COLUMNS
        self.token = nn.Sequential(
            nn.Conv2d(3, num_channels, side, side),
            nn.ReLU(),
            nn.Conv2d(num_channels, num_channels, 1),
            nn.ReLU(),
        )
        self.mark = nn.Sequential(nn.Conv1d(num_channels, WHERE_CHANNELS, 1), nn.ReLU())
        num_marks = WHERE_CHANNELS * self._num_overview
        self.where = nn.Sequential(nn.Linear(num_marks + num_cells, where_dim), nn.ReLU())
        self.pair = nn.Sequential(nn.Conv1d(num_channels, num_channels, 2), nn.ReLU())

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Returns (batch, features_dim) of observations whose pictures are in [0, 1]."""
        times = observations["times"]
        tokens = self.token(observations["image"] - GREY).flatten(2)
        overview, clips = tokens.tensor_split([self._num_overview], dim=2)
        marks = self.mark(overview).flatten(1)
        return torch.cat(
            [
                self.where(torch.cat([marks, times], dim=1)),
                self._pool(clips, times[:, self._num_overview :]),
                observations["offered"],
                observations["asked"],
                observations["left"],
            ],
            dim=1,
        )

    def _pool(self, clips: Tensor, times: Tensor) -> Tensor:
        """Returns four pools of the tokens of clips (batch, channels, N), shown at times."""
        shown = (times >= 0).float().unsqueeze(1)
        first = times.where(times >= 0, NEVER).amin(dim=1, keepdim=True)
        length = times.amax(dim=1, keepdim=True) - first
        lateness = (times - first) / length.clamp(min=1e-6)
        earliness = (1 - lateness).clamp(0, 1).unsqueeze(1)
        clips = clips * shown
        pairs = self.pair(clips) * shown[:, :, 1:]
        few = COLUMNS  # sums are of its order, not of all cells'
        return torch.cat(
            [
                clips.amax(dim=2),
                (clips * earliness).amax(dim=2),
                clips.sum(dim=2) / few,
                pairs.sum(dim=2) / few,
            ],
            dim=1,
        )
