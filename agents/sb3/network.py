"""The network of a policy on ZoomEnvDiscrete: it reads a montage, and judges zooms bin by bin."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from gymnasium import spaces
from sb3_contrib.common.maskable.policies import MaskableMultiInputActorCriticPolicy
from stable_baselines3.common.policies import MultiInputActorCriticPolicy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from zoomgym.envs import COLUMNS

GRAY = 0.4
"""Brightness of an ordinary frame, which is subtracted."""
NUM_MARKS = 8
"""Channels of a token in every bin of the video."""
NEVER = 2.0
"""Time of empty places: after the end."""
HIDDEN = 64
SMALL = 0.01
"""Initial scale of the last layers: every choice is about equally likely."""


class CellExtractor(BaseFeaturesExtractor):
    """Reads a montage frame by frame.

    A convolution as large as a cell makes a token of every frame; SB3's own network, whose filters
    straddle the cells, learns nothing here. Features are of two kinds. *By bin*: what the overview
    and the clips show in each bin of the time grid, and whether a clip has been there. *In all*:
    four pools of the clips' tokens, for what was shown, what came first, how much there was of it
    and what followed what; then the vectors of the observation.

    Raises:
        ValueError: the rules leave no room for a zoom.
    """

    def __init__(
        self, space: spaces.Dict, overview_rows: int, num_bins: int, num_channels: int = 32
    ) -> None:
        image = space["image"]
        assert image.shape is not None
        _, height, width = image.shape
        side = width // COLUMNS
        if height // side <= overview_rows:
            raise ValueError("a policy needs rules with room for a zoom: raise max_turns")
        vectors = sum(spaces.flatdim(space[name]) for name in ("offered", "asked", "left"))
        self.num_bins, self.bin_dim = num_bins, 2 * NUM_MARKS + 1
        self.context_dim = 4 * num_channels + vectors
        super().__init__(space, num_bins * self.bin_dim + self.context_dim)
        self._num_overview = overview_rows * COLUMNS
        self.token = nn.Sequential(
            nn.Conv2d(3, num_channels, side, side),
            nn.ReLU(),
            nn.Conv2d(num_channels, num_channels, 1),
            nn.ReLU(),
        )
        self.mark = nn.Sequential(nn.Conv1d(num_channels, NUM_MARKS, 1), nn.ReLU())
        self.pair = nn.Sequential(nn.Conv1d(num_channels, num_channels, 2), nn.ReLU())

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        """Returns (batch, features_dim): bins by channels, flattened, and then the context."""
        times = observations["times"]
        tokens = self.token(observations["image"] - GRAY).flatten(2)
        marks = self.mark(tokens) * (times >= 0).unsqueeze(1)
        clips, clip_times = tokens[:, :, self._num_overview :], times[:, self._num_overview :]
        by_bin = [
            self._by_bin(marks[:, :, : self._num_overview], times[:, : self._num_overview]),
            self._by_bin(marks[:, :, self._num_overview :], clip_times),
            self._by_bin((clip_times >= 0).float().unsqueeze(1), clip_times),
        ]
        return torch.cat(
            [
                torch.cat(by_bin, dim=1).flatten(1),
                self._pool(clips, clip_times),
                observations["offered"],
                observations["asked"],
                observations["left"],
            ],
            dim=1,
        )

    def _by_bin(self, marks: Tensor, times: Tensor) -> Tensor:
        """Returns the most of each mark in each bin, of marks (batch, channels, N) at times."""
        bins = (times.clamp(min=0) * self.num_bins).long().clamp(max=self.num_bins - 1)
        empty = marks.new_zeros(*marks.shape[:2], self.num_bins)
        return empty.scatter_reduce(2, bins.unsqueeze(1).expand_as(marks), marks, "amax")

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


class MenuHead(nn.Module):
    """Turns the features of CellExtractor into a logit for every choice of a menu.

    A linear layer would have to learn for each place on its own that a lit beacon is worth a zoom.
    Here one convolution over the bins says how much each kind of zoom, at each start, is worth:
    what is learned in one place holds everywhere.

    The menu lists zooms of all lengths, in bins, from every start, and then answers.
    """

    def __init__(
        self,
        num_bins: int,
        bin_dim: int,
        context_dim: int,
        lengths: Sequence[int],
        num_answers: int,
    ) -> None:
        super().__init__()
        self._shape, self._lengths = (bin_dim, num_bins), tuple(lengths)
        self.look = nn.Conv1d(bin_dim, HIDDEN, 2 * max(lengths) + 1, padding=max(lengths))
        self.aim = nn.Linear(context_dim, HIDDEN)
        self.zoom = nn.Conv1d(HIDDEN, len(lengths), 1)
        self.read = nn.Sequential(nn.Linear(context_dim, HIDDEN), nn.ReLU())
        self.say = nn.Linear(HIDDEN, num_answers + 1)
        with torch.no_grad():
            for parameter in (*self.zoom.parameters(), *self.say.parameters()):
                parameter.mul_(SMALL)

    def forward(self, features: Tensor) -> Tensor:
        """Returns (batch, choices) logits."""
        flat, context = features.tensor_split([prod(self._shape)], dim=1)
        bins = flat.reshape(-1, *self._shape)
        worth = self.zoom(torch.relu(self.look(bins) + self.aim(context).unsqueeze(2)))
        answers = self.say(self.read(context))
        starts = [self._shape[1] - length + 1 for length in self._lengths]
        zooms = torch.cat([worth[:, kind, :count] for kind, count in enumerate(starts)], dim=1)
        return torch.cat([zooms + answers[:, -1:], answers[:, :-1]], dim=1)


def _add_head(policy: Any, lengths: Sequence[int], lr_schedule: Schedule) -> None:
    """Replaces the last layer of a policy by a MenuHead."""
    extractor = policy.features_extractor
    assert isinstance(extractor, CellExtractor)
    num_zooms = sum(extractor.num_bins - length + 1 for length in lengths)
    policy.action_net = MenuHead(
        extractor.num_bins,
        extractor.bin_dim,
        extractor.context_dim,
        lengths,
        policy.action_space.n - num_zooms,
    )
    policy.optimizer = policy.optimizer_class(
        policy.parameters(), lr=lr_schedule(1), **policy.optimizer_kwargs
    )


class WithMenuHead:
    """Turns a policy of SB3 into one with a MenuHead. Needs `net_arch={"pi": [], ..}`."""

    def __init__(self, *args: Any, lengths: Sequence[int], **kwargs: Any) -> None:
        self._lengths = tuple(lengths)
        super().__init__(*args, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        """Builds the networks and the optimizer."""
        super()._build(lr_schedule)  # type: ignore[misc]
        _add_head(self, self._lengths, lr_schedule)


class MenuPolicy(WithMenuHead, MultiInputActorCriticPolicy):
    """SB3's policy for Dict observations, with a MenuHead."""


class MaskableMenuPolicy(WithMenuHead, MaskableMultiInputActorCriticPolicy):
    """The same for MaskablePPO."""
